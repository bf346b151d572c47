public import Wire

/// The outcome that an acknowledging packet reports (MQTT 5.0 §2.4), or the return code of a
/// 3.x CONNACK or SUBACK, which uses the same byte with meanings of its own.
public struct MQTTReasonCode: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public init(_ rawValue: UInt8) { self.rawValue = rawValue }

  /// 0x80 and above (MQTT 5.0 §2.4). A refusing 3.x CONNACK has codes 1...5 instead: ask
  /// `MQTTConnack.isAccepted` there.
  public var isFailure: Bool { rawValue >= 0x80 }

  public static let success = Self(0x00)
  /// The same byte as `success`, by its names in DISCONNECT and SUBACK.
  public static let normalDisconnection = Self(0x00)
  public static let grantedQoS0 = Self(0x00)
  public static let grantedQoS1 = Self(0x01)
  public static let grantedQoS2 = Self(0x02)
  public static let disconnectWithWill = Self(0x04)
  public static let noMatchingSubscribers = Self(0x10)
  public static let noSubscriptionExisted = Self(0x11)
  public static let continueAuthentication = Self(0x18)
  public static let reauthenticate = Self(0x19)
  public static let unspecifiedError = Self(0x80)
  public static let malformedPacket = Self(0x81)
  public static let protocolError = Self(0x82)
  public static let implementationSpecificError = Self(0x83)
  public static let unsupportedProtocolVersion = Self(0x84)
  public static let clientIdentifierNotValid = Self(0x85)
  public static let badUserNameOrPassword = Self(0x86)
  public static let notAuthorized = Self(0x87)
  public static let serverUnavailable = Self(0x88)
  public static let serverBusy = Self(0x89)
  public static let banned = Self(0x8A)
  public static let serverShuttingDown = Self(0x8B)
  public static let badAuthenticationMethod = Self(0x8C)
  public static let keepAliveTimeout = Self(0x8D)
  public static let sessionTakenOver = Self(0x8E)
  public static let topicFilterInvalid = Self(0x8F)
  public static let topicNameInvalid = Self(0x90)
  public static let packetIDInUse = Self(0x91)
  public static let packetIDNotFound = Self(0x92)
  public static let receiveMaximumExceeded = Self(0x93)
  public static let topicAliasInvalid = Self(0x94)
  public static let packetTooLarge = Self(0x95)
  public static let messageRateTooHigh = Self(0x96)
  public static let quotaExceeded = Self(0x97)
  public static let administrativeAction = Self(0x98)
  public static let payloadFormatInvalid = Self(0x99)
  public static let retainNotSupported = Self(0x9A)
  public static let qosNotSupported = Self(0x9B)
  public static let useAnotherServer = Self(0x9C)
  public static let serverMoved = Self(0x9D)
  public static let sharedSubscriptionsNotSupported = Self(0x9E)
  public static let connectionRateExceeded = Self(0x9F)
  public static let maximumConnectTime = Self(0xA0)
  public static let subscriptionIdentifiersNotSupported = Self(0xA1)
  public static let wildcardSubscriptionsNotSupported = Self(0xA2)

  /// The CONNACK return codes of 3.1 and 3.1.1 (3.1.1 §3.2.2.3, table 3.1).
  public enum V3 {
    public static let unacceptableProtocolVersion = MQTTReasonCode(1)
    public static let identifierRejected = MQTTReasonCode(2)
    public static let serverUnavailable = MQTTReasonCode(3)
    public static let badUserNameOrPassword = MQTTReasonCode(4)
    public static let notAuthorized = MQTTReasonCode(5)
  }
}

/// One row of the reason code table.
private struct ReasonRow {
  var name: String
  /// Where the code may stand, whoever sends it.
  var packets: Set<MQTTPacketType>
  /// Who may put it into a DISCONNECT or AUTH; `nil` means both.
  var sender: Direction?

  init(_ name: String, _ packets: Set<MQTTPacketType>, only sender: Direction? = nil) {
    self.name = name
    self.packets = packets
    self.sender = sender
  }
}

extension MQTTReasonCode {
  /// What the code means where it stands: 0x00 has a name of its own in DISCONNECT and SUBACK,
  /// and 3.x return codes are not those of 5.0.
  public func name(in packet: MQTTPacketType, version: MQTTVersion = .v5) -> String {
    if version == .v3_1 || version == .v3_1_1 { return name3(in: packet) }
    if rawValue == 0 {
      switch packet {
      case .disconnect: return "normal disconnection"
      case .suback: return "granted QoS 0"
      case .connect, .connack, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe,
        .unsubscribe, .unsuback, .pingreq, .pingresp, .auth:
        return "success"
      }
    }
    return row?.name ?? "reason code \(hexadecimal)"
  }

  private func name3(in packet: MQTTPacketType) -> String {
    switch (packet, rawValue) {
    case (.connack, 0): "accepted"
    case (.connack, 1): "unacceptable protocol version"
    case (.connack, 2): "identifier rejected"
    case (.connack, 3): "server unavailable"
    case (.connack, 4): "bad user name or password"
    case (.connack, 5): "not authorised"
    case (.suback, 0...2): "granted QoS \(rawValue)"
    case (.suback, 0x80): "failure"
    case (_, 0): "success"
    case (_, _): "return code \(hexadecimal)"
    }
  }

  /// `0x8E`.
  public var hexadecimal: String {
    let digits = String(rawValue, radix: 16, uppercase: true)
    return rawValue < 16 ? "0x0\(digits)" : "0x\(digits)"
  }

  /// Whether MQTT 5.0 §2.4 lists the code for this packet; `sender` `nil` leaves out the question
  /// who sent it (tables 3-10 and 3-11 allow some codes to one end only).
  public func isAllowed(in packet: MQTTPacketType, from sender: Direction? = nil) -> Bool {
    if rawValue == 0 {
      // A server's DISCONNECT has no normal case, and only a server ends an authentication.
      switch packet {
      case .disconnect: return sender != .toClient
      case .auth: return sender != .toServer
      case .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback: return true
      case .connect, .publish, .subscribe, .unsubscribe, .pingreq, .pingresp: return false
      }
    }
    guard let row, row.packets.contains(packet) else { return false }
    switch packet {
    case .disconnect, .auth: return row.sender == nil || sender == nil || row.sender == sender
    case .connect, .connack, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .suback,
      .unsubscribe, .unsuback, .pingreq, .pingresp:
      return true
    }
  }

  /// The code as 3.1.1 allows it: CONNACK 0...5 (table 3.1), SUBACK 0, 1, 2 and 0x80.
  func isAllowed3(in packet: MQTTPacketType) -> Bool {
    switch packet {
    case .connack: rawValue <= 5
    case .suback: rawValue <= 2 || rawValue == 0x80
    case .connect, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .unsubscribe,
      .unsuback, .pingreq, .pingresp, .disconnect, .auth:
      rawValue == 0
    }
  }

  private var row: ReasonRow? {
    let index = Int(rawValue)
    return index < Self.rows.count ? Self.rows[index] : nil
  }

  /// Indexed by code; made once.
  private static let rows: [ReasonRow?] = {
    var rows = [ReasonRow?](repeating: nil, count: 0xA3)
    for (code, row) in table { rows[Int(code)] = row }
    return rows
  }()

  private static let table: [(UInt8, ReasonRow)] = [
    (0x01, .init("granted QoS 1", [.suback])),
    (0x02, .init("granted QoS 2", [.suback])),
    (0x04, .init("disconnect with will message", [.disconnect], only: .toServer)),
    (0x10, .init("no matching subscribers", [.puback, .pubrec])),
    (0x11, .init("no subscription existed", [.unsuback])),
    (0x18, .init("continue authentication", [.auth])),
    (0x19, .init("re-authenticate", [.auth], only: .toServer)),
    (0x80, .init("unspecified error", everywhere)),
    (0x81, .init("malformed packet", [.connack, .disconnect])),
    (0x82, .init("protocol error", [.connack, .disconnect])),
    (0x83, .init("implementation specific error", everywhere)),
    (0x84, .init("unsupported protocol version", [.connack])),
    (0x85, .init("client identifier not valid", [.connack])),
    (0x86, .init("bad user name or password", [.connack])),
    (0x87, .init("not authorised", everywhere, only: .toClient)),
    (0x88, .init("server unavailable", [.connack])),
    (0x89, .init("server busy", [.connack, .disconnect], only: .toClient)),
    (0x8A, .init("banned", [.connack])),
    (0x8B, .init("server shutting down", [.disconnect], only: .toClient)),
    (0x8C, .init("bad authentication method", [.connack, .disconnect], only: .toClient)),
    (0x8D, .init("keep alive timeout", [.disconnect], only: .toClient)),
    (0x8E, .init("session taken over", [.disconnect], only: .toClient)),
    (
      0x8F, .init("topic filter invalid", [.suback, .unsuback, .disconnect], only: .toClient)
    ),
    (0x90, .init("topic name invalid", [.connack, .puback, .pubrec, .disconnect])),
    (0x91, .init("packet identifier in use", [.puback, .pubrec, .suback, .unsuback])),
    (0x92, .init("packet identifier not found", [.pubrel, .pubcomp])),
    (0x93, .init("receive maximum exceeded", [.disconnect])),
    (0x94, .init("topic alias invalid", [.disconnect])),
    (0x95, .init("packet too large", [.connack, .disconnect])),
    (0x96, .init("message rate too high", [.disconnect])),
    (0x97, .init("quota exceeded", [.connack, .puback, .pubrec, .suback, .disconnect])),
    (0x98, .init("administrative action", [.disconnect])),
    (0x99, .init("payload format invalid", [.connack, .puback, .pubrec, .disconnect])),
    (0x9A, .init("retain not supported", [.connack, .disconnect], only: .toClient)),
    (0x9B, .init("QoS not supported", [.connack, .disconnect], only: .toClient)),
    (0x9C, .init("use another server", [.connack, .disconnect], only: .toClient)),
    (0x9D, .init("server moved", [.connack, .disconnect], only: .toClient)),
    (
      0x9E,
      .init("shared subscriptions not supported", [.suback, .disconnect], only: .toClient)
    ),
    (0x9F, .init("connection rate exceeded", [.connack, .disconnect], only: .toClient)),
    (0xA0, .init("maximum connect time", [.disconnect], only: .toClient)),
    (
      0xA1,
      .init("subscription identifiers not supported", [.suback, .disconnect], only: .toClient)
    ),
    (
      0xA2,
      .init("wildcard subscriptions not supported", [.suback, .disconnect], only: .toClient)
    ),
  ]

  private static let everywhere: Set<MQTTPacketType> = [
    .connack, .puback, .pubrec, .suback, .unsuback, .disconnect,
  ]
}
