/// CONNECT (§3.1): the client's first packet.
public struct MQTTConnect: Hashable, Sendable {
  /// By protocol level; decides the format of everything that follows on the connection.
  public var version: MQTTVersion
  /// Bit 7 of the level, which mosquitto sets on a connection between brokers. In no standard.
  public var isBridge: Bool
  /// *Clean Session* in 3.x, where it also ends the session state with the connection.
  public var cleanStart: Bool
  /// Seconds; 0 is off.
  public var keepAlive: UInt16
  public var properties: MQTTProperties
  /// Empty: the server is to assign one (3.1.1 and 5.0).
  public var clientIdentifier: String
  public var will: MQTTWill?
  public var userName: String?
  public var password: [UInt8]?

  public init(
    version: MQTTVersion, clientIdentifier: String, cleanStart: Bool = true,
    keepAlive: UInt16 = 0, properties: MQTTProperties = [], will: MQTTWill? = nil,
    userName: String? = nil, password: [UInt8]? = nil, isBridge: Bool = false
  ) {
    self.version = version
    self.isBridge = isBridge
    self.cleanStart = cleanStart
    self.keepAlive = keepAlive
    self.properties = properties
    self.clientIdentifier = clientIdentifier
    self.will = will
    self.userName = userName
    self.password = password
  }
}

/// What the server publishes when the connection ends without a goodbye (§3.1.2.5).
public struct MQTTWill: Hashable, Sendable {
  public var topic: String
  public var payload: [UInt8]
  public var qos: MQTTQoS
  public var retain: Bool
  public var properties: MQTTProperties

  public init(
    topic: String, payload: [UInt8], qos: MQTTQoS = .atMostOnce, retain: Bool = false,
    properties: MQTTProperties = []
  ) {
    self.topic = topic
    self.payload = payload
    self.qos = qos
    self.retain = retain
    self.properties = properties
  }
}

/// CONNACK (§3.2): the server's answer.
public struct MQTTConnack: Hashable, Sendable {
  /// The server has session state for this client (3.1.1 and 5.0; 3.1 has no such flag).
  public var sessionPresent: Bool
  /// In 3.x the return code of table 3.1, see `MQTTReasonCode.V3`.
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(
    sessionPresent: Bool, reasonCode: MQTTReasonCode = .success, properties: MQTTProperties = []
  ) {
    self.sessionPresent = sessionPresent
    self.reasonCode = reasonCode
    self.properties = properties
  }

  /// 0 is the one good code in all versions.
  public var isAccepted: Bool { reasonCode.rawValue == 0 }
}
