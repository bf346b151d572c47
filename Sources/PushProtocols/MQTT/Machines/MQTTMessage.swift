public import Simulation
public import Timeline

/// A control packet inside a simulation: its meaning without its bytes.
///
/// 24 plain bytes, so that an event of the kernel stays small. Fields that never occur in the same
/// kind of packet share their place; the initialisers below say which. Lengths of time are kept in
/// milliseconds (the wire's whole seconds would round what a scenario says), credentials as the
/// wall-clock time of their end.
@frozen
public struct MQTTMessage: WireMessage, Hashable {
  public var type: MQTTPacketType
  public var flags: Flags
  /// MQTT 5.0 reason code; in a CONNACK of 3.1.1 its return code.
  public var reason: UInt8
  var credentialHigh: UInt8
  /// Packet identifier; in CONNECT and CONNACK the receive maximum.
  public var packet: UInt16
  var carried: UInt16
  /// Position in `Scenario.topics`; in CONNECT the topic of the will.
  public var topic: UInt16
  /// Who connects: the number that `ClientMachine.configure` was given.
  public var identity: UInt16
  /// Seconds; in CONNECT, and in CONNACK as Server Keep Alive (0: not said).
  public var keepAlive: UInt16
  /// Seconds.
  public var willDelay: UInt16
  var lasting: UInt32
  var credentialLow: UInt32

  /// Bits whose meaning depends on the kind of packet.
  @frozen
  public struct Flags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// PUBLISH: it may be a re-delivery.
    public static var duplicate: Self { .init(rawValue: 1 << 0) }
    /// CONNACK.
    public static var sessionPresent: Self { .init(rawValue: 1 << 0) }
    /// CONNECT: clean session (3.1.1), clean start (5.0).
    public static var cleanStart: Self { .init(rawValue: 1 << 0) }
    /// PUBLISH, and the will of a CONNECT.
    public static var retain: Self { .init(rawValue: 1 << 1) }
    public static var hasWill: Self { .init(rawValue: 1 << 2) }
    /// CONNECT: protocol level 5.
    public static var version5: Self { .init(rawValue: 1 << 3) }
    /// CONNECT: carries a credential; AUTH always does.
    public static var hasCredential: Self { .init(rawValue: 1 << 6) }
  }

  @inline(__always)
  init(_ type: MQTTPacketType) {
    self.type = type
    flags = []
    reason = 0
    credentialHigh = 0
    packet = 0
    carried = 0
    topic = 0
    identity = 0
    keepAlive = 0
    willDelay = 0
    lasting = .max
    credentialLow = 0
  }

  /// 1 (CONNECT) … 15 (AUTH).
  public var kind: UInt8 { type.rawValue }

  /// Requested, granted or used quality of service.
  public var quality: UInt8 {
    get { flags.rawValue >> 4 & 3 }
    set { flags.rawValue = flags.rawValue & 0b1100_1111 | (newValue & 3) << 4 }
  }

  public var publication: UInt16 { type == .connect ? 0 : carried }

  /// CONNECT: the number of its will in the ledger.
  public var willPublication: UInt16 { carried }

  /// Message expiry (PUBLISH) or session expiry (CONNECT, CONNACK, DISCONNECT): milliseconds, all
  /// ones for "not said" in a PUBLISH, CONNACK or DISCONNECT and for "never" in a CONNECT.
  public var expiry: Nanoseconds {
    get { lasting == .max ? .forever : .milliseconds(UInt64(lasting)) }
    set {
      let milliseconds = newValue.count / 1_000_000 &+ (newValue.count % 1_000_000 == 0 ? 0 : 1)
      lasting = UInt32(clamping: milliseconds)
    }
  }

  /// The wall-clock time at which the credential ends, rounded down to 0.1 ms (40 bits of it reach
  /// for 3.4 years).
  public var credential: Instant {
    get {
      Instant(
        nanoseconds: (UInt64(credentialHigh) << 32 | UInt64(credentialLow)) &* 100_000)
    }
    set {
      let units = min(newValue.nanoseconds / 100_000, 1 << 40 - 1)
      credentialLow = UInt32(truncatingIfNeeded: units)
      credentialHigh = UInt8(truncatingIfNeeded: units >> 32)
    }
  }
}

extension MQTTMessage {
  @inline(__always)
  static func acknowledgement(
    _ type: MQTTPacketType, packet: UInt16, publication: UInt16 = 0, reason: UInt8 = 0
  ) -> MQTTMessage {
    var message = MQTTMessage(type)
    message.packet = packet
    message.carried = publication
    message.reason = reason
    return message
  }

  @inline(__always)
  static func publish(
    _ publication: UInt16, topic: UInt16, quality: UInt8, packet: UInt16, duplicate: Bool = false,
    retain: Bool = false, expiry: Nanoseconds = .forever
  ) -> MQTTMessage {
    var message = MQTTMessage(.publish)
    message.carried = publication
    message.topic = topic
    message.quality = quality
    message.packet = packet
    if duplicate { message.flags.insert(.duplicate) }
    if retain { message.flags.insert(.retain) }
    if expiry != .forever { message.expiry = expiry }
    return message
  }

  static func subscribe(topic: UInt16, quality: UInt8, packet: UInt16) -> MQTTMessage {
    var message = MQTTMessage(.subscribe)
    message.topic = topic
    message.quality = quality
    message.packet = packet
    return message
  }

  static func unsubscribe(topic: UInt16, packet: UInt16) -> MQTTMessage {
    var message = MQTTMessage(.unsubscribe)
    message.topic = topic
    message.packet = packet
    return message
  }

  static func disconnect(_ reason: MQTTReasonCode) -> MQTTMessage {
    var message = MQTTMessage(.disconnect)
    message.reason = reason.rawValue
    return message
  }

  static func auth(_ reason: MQTTReasonCode, credential: Instant = .start) -> MQTTMessage {
    var message = MQTTMessage(.auth)
    message.reason = reason.rawValue
    message.credential = credential
    return message
  }

  mutating func setWill(_ publication: UInt16, topic: UInt16, quality: UInt8, delay: UInt16) {
    flags.insert(.hasWill)
    carried = publication
    self.topic = topic
    self.quality = quality
    willDelay = delay
  }

  /// An acknowledgement that says "failed" (MQTT 5.0; 3.1.1 has no such bytes).
  @inline(__always) var isFailure: Bool { reason >= 0x80 }
}

extension Nanoseconds {
  /// Whole seconds, rounded up, as far as 16 bits reach.
  var wireSeconds: UInt16 {
    UInt16(clamping: count / 1_000_000_000 &+ (count % 1_000_000_000 == 0 ? 0 : 1))
  }
}
