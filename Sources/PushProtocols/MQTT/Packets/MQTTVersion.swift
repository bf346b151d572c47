/// The wire format of a connection, by the protocol level of its CONNECT.
public enum MQTTVersion: UInt8, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// No CONNECT was seen and nothing since then proved one format.
  case unknown = 0
  /// MQTT 3.1: protocol name `MQIsdp`, level 3. On the wire the same as 3.1.1 but for details.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case v3_1 = 3
  // swift-format-ignore: AlwaysUseLowerCamelCase
  case v3_1_1 = 4
  case v5 = 5

  /// Packets have property blocks and reason codes.
  public var hasProperties: Bool { self == .v5 }

  public var description: String {
    switch self {
    case .unknown: "unknown"
    case .v3_1: "3.1"
    case .v3_1_1: "3.1.1"
    case .v5: "5.0"
    }
  }
}

/// How often a message may arrive (MQTT 5.0 §4.3).
public enum MQTTQoS: UInt8, Hashable, Sendable, Comparable, CaseIterable, BitwiseCopyable {
  case atMostOnce = 0
  case atLeastOnce = 1
  case exactlyOnce = 2

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// The upper four bits of a packet's first byte (MQTT 5.0 §2.1.2). Value 0 is reserved.
public enum MQTTPacketType: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
  case connect = 1
  case connack, publish, puback, pubrec, pubrel, pubcomp
  case subscribe, suback, unsubscribe, unsuback, pingreq, pingresp, disconnect, auth

  /// As the standard writes it: `PUBLISH`.
  public var name: String {
    switch self {
    case .connect: "CONNECT"
    case .connack: "CONNACK"
    case .publish: "PUBLISH"
    case .puback: "PUBACK"
    case .pubrec: "PUBREC"
    case .pubrel: "PUBREL"
    case .pubcomp: "PUBCOMP"
    case .subscribe: "SUBSCRIBE"
    case .suback: "SUBACK"
    case .unsubscribe: "UNSUBSCRIBE"
    case .unsuback: "UNSUBACK"
    case .pingreq: "PINGREQ"
    case .pingresp: "PINGRESP"
    case .disconnect: "DISCONNECT"
    case .auth: "AUTH"
    }
  }

  /// The lower four bits that the standard demands; `nil` for PUBLISH, which uses them.
  public var requiredFlags: UInt8? {
    switch self {
    case .publish: nil
    case .pubrel, .subscribe, .unsubscribe: 0b0010
    case .connect, .connack, .puback, .pubrec, .pubcomp, .suback, .unsuback, .pingreq, .pingresp,
      .disconnect, .auth:
      0
    }
  }
}
