/// A topic filter with what its subscriber asks for (§3.8.3).
public struct MQTTSubscription: Hashable, Sendable {
  public var filter: String
  /// The most that the subscriber wants.
  public var qos: MQTTQoS
  /// 5.0: not to send back what this client publishes itself.
  public var noLocal: Bool
  /// 5.0: forward the retain flag as it was published.
  public var retainAsPublished: Bool
  /// 5.0: when to send what the server retains.
  public var retainHandling: MQTTRetainHandling

  public init(
    _ filter: String, qos: MQTTQoS, noLocal: Bool = false, retainAsPublished: Bool = false,
    retainHandling: MQTTRetainHandling = .onSubscribe
  ) {
    self.filter = filter
    self.qos = qos
    self.noLocal = noLocal
    self.retainAsPublished = retainAsPublished
    self.retainHandling = retainHandling
  }
}

/// When a subscription makes the server send retained messages (5.0 §3.8.3.1).
public enum MQTTRetainHandling: UInt8, Hashable, Sendable, BitwiseCopyable {
  case onSubscribe = 0
  case onNewSubscription = 1
  case never = 2
}

/// SUBSCRIBE (§3.8).
public struct MQTTSubscribe: Hashable, Sendable {
  public var packetID: UInt16
  public var properties: MQTTProperties
  public var subscriptions: [MQTTSubscription]

  public init(
    packetID: UInt16, subscriptions: [MQTTSubscription], properties: MQTTProperties = []
  ) {
    self.packetID = packetID
    self.properties = properties
    self.subscriptions = subscriptions
  }
}

/// SUBACK (§3.9): a code for each filter, in the order of the request.
public struct MQTTSuback: Hashable, Sendable {
  public var packetID: UInt16
  public var properties: MQTTProperties
  public var reasonCodes: [MQTTReasonCode]

  public init(
    packetID: UInt16, reasonCodes: [MQTTReasonCode], properties: MQTTProperties = []
  ) {
    self.packetID = packetID
    self.properties = properties
    self.reasonCodes = reasonCodes
  }
}

/// UNSUBSCRIBE (§3.10).
public struct MQTTUnsubscribe: Hashable, Sendable {
  public var packetID: UInt16
  public var properties: MQTTProperties
  public var filters: [String]

  public init(packetID: UInt16, filters: [String], properties: MQTTProperties = []) {
    self.packetID = packetID
    self.properties = properties
    self.filters = filters
  }
}

/// UNSUBACK (§3.11): in 5.0 a code for each filter, in 3.x none.
public struct MQTTUnsuback: Hashable, Sendable {
  public var packetID: UInt16
  public var properties: MQTTProperties
  public var reasonCodes: [MQTTReasonCode]

  public init(
    packetID: UInt16, reasonCodes: [MQTTReasonCode] = [], properties: MQTTProperties = []
  ) {
    self.packetID = packetID
    self.properties = properties
    self.reasonCodes = reasonCodes
  }
}
