/// PUBLISH (§3.3) with its bytes copied out; `MQTTPublishView` reads one without copying.
public struct MQTTPublish: Hashable, Sendable {
  /// Sent before, as far as the sender knows.
  public var duplicate: Bool
  public var qos: MQTTQoS
  public var retain: Bool
  /// Empty when a topic alias stands for it (5.0).
  public var topic: String
  /// `nil` with QoS 0, which has none.
  public var packetID: UInt16?
  public var properties: MQTTProperties
  public var payload: [UInt8]

  public init(
    topic: String, payload: [UInt8], qos: MQTTQoS = .atMostOnce, packetID: UInt16? = nil,
    retain: Bool = false, duplicate: Bool = false, properties: MQTTProperties = []
  ) {
    self.duplicate = duplicate
    self.qos = qos
    self.retain = retain
    self.topic = topic
    self.packetID = packetID
    self.properties = properties
    self.payload = payload
  }
}
