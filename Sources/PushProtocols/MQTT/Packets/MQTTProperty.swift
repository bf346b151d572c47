/// The identifier of a property (MQTT 5.0 §2.2.2.2, table 2-4).
public enum MQTTPropertyID: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
  case payloadFormatIndicator = 0x01
  case messageExpiryInterval = 0x02
  case contentType = 0x03
  case responseTopic = 0x08
  case correlationData = 0x09
  case subscriptionIdentifier = 0x0B
  case sessionExpiryInterval = 0x11
  case assignedClientIdentifier = 0x12
  case serverKeepAlive = 0x13
  case authenticationMethod = 0x15
  case authenticationData = 0x16
  case requestProblemInformation = 0x17
  case willDelayInterval = 0x18
  case requestResponseInformation = 0x19
  case responseInformation = 0x1A
  case serverReference = 0x1C
  case reasonString = 0x1F
  case receiveMaximum = 0x21
  case topicAliasMaximum = 0x22
  case topicAlias = 0x23
  case maximumQoS = 0x24
  case retainAvailable = 0x25
  case userProperty = 0x26
  case maximumPacketSize = 0x27
  case wildcardSubscriptionAvailable = 0x28
  case subscriptionIdentifiersAvailable = 0x29
  case sharedSubscriptionAvailable = 0x2A
}

/// One property with its value. Text is UTF-8; intervals are seconds.
public enum MQTTProperty: Hashable, Sendable {
  case payloadFormatIndicator(UInt8)
  case messageExpiryInterval(UInt32)
  case contentType(String)
  case responseTopic(String)
  case correlationData([UInt8])
  case subscriptionIdentifier(UInt32)
  case sessionExpiryInterval(UInt32)
  case assignedClientIdentifier(String)
  case serverKeepAlive(UInt16)
  case authenticationMethod(String)
  case authenticationData([UInt8])
  case requestProblemInformation(UInt8)
  case willDelayInterval(UInt32)
  case requestResponseInformation(UInt8)
  case responseInformation(String)
  case serverReference(String)
  case reasonString(String)
  case receiveMaximum(UInt16)
  case topicAliasMaximum(UInt16)
  case topicAlias(UInt16)
  case maximumQoS(UInt8)
  case retainAvailable(UInt8)
  case userProperty(name: String, value: String)
  case maximumPacketSize(UInt32)
  case wildcardSubscriptionAvailable(UInt8)
  case subscriptionIdentifiersAvailable(UInt8)
  case sharedSubscriptionAvailable(UInt8)

  public var id: MQTTPropertyID {
    switch self {
    case .payloadFormatIndicator: .payloadFormatIndicator
    case .messageExpiryInterval: .messageExpiryInterval
    case .contentType: .contentType
    case .responseTopic: .responseTopic
    case .correlationData: .correlationData
    case .subscriptionIdentifier: .subscriptionIdentifier
    case .sessionExpiryInterval: .sessionExpiryInterval
    case .assignedClientIdentifier: .assignedClientIdentifier
    case .serverKeepAlive: .serverKeepAlive
    case .authenticationMethod: .authenticationMethod
    case .authenticationData: .authenticationData
    case .requestProblemInformation: .requestProblemInformation
    case .willDelayInterval: .willDelayInterval
    case .requestResponseInformation: .requestResponseInformation
    case .responseInformation: .responseInformation
    case .serverReference: .serverReference
    case .reasonString: .reasonString
    case .receiveMaximum: .receiveMaximum
    case .topicAliasMaximum: .topicAliasMaximum
    case .topicAlias: .topicAlias
    case .maximumQoS: .maximumQoS
    case .retainAvailable: .retainAvailable
    case .userProperty: .userProperty
    case .maximumPacketSize: .maximumPacketSize
    case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable
    case .subscriptionIdentifiersAvailable: .subscriptionIdentifiersAvailable
    case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable
    }
  }
}

/// Where a property block stands: that of a packet, or that of the will in a CONNECT.
public enum MQTTPropertyPlace: Hashable, Sendable, BitwiseCopyable {
  case packet(MQTTPacketType)
  case will
}

extension MQTTPropertyID {
  /// As the standard writes it, for people.
  public var name: String {
    switch self {
    case .payloadFormatIndicator: "Payload Format Indicator"
    case .messageExpiryInterval: "Message Expiry Interval"
    case .contentType: "Content Type"
    case .responseTopic: "Response Topic"
    case .correlationData: "Correlation Data"
    case .subscriptionIdentifier: "Subscription Identifier"
    case .sessionExpiryInterval: "Session Expiry Interval"
    case .assignedClientIdentifier: "Assigned Client Identifier"
    case .serverKeepAlive: "Server Keep Alive"
    case .authenticationMethod: "Authentication Method"
    case .authenticationData: "Authentication Data"
    case .requestProblemInformation: "Request Problem Information"
    case .willDelayInterval: "Will Delay Interval"
    case .requestResponseInformation: "Request Response Information"
    case .responseInformation: "Response Information"
    case .serverReference: "Server Reference"
    case .reasonString: "Reason String"
    case .receiveMaximum: "Receive Maximum"
    case .topicAliasMaximum: "Topic Alias Maximum"
    case .topicAlias: "Topic Alias"
    case .maximumQoS: "Maximum QoS"
    case .retainAvailable: "Retain Available"
    case .userProperty: "User Property"
    case .maximumPacketSize: "Maximum Packet Size"
    case .wildcardSubscriptionAvailable: "Wildcard Subscription Available"
    case .subscriptionIdentifiersAvailable: "Subscription Identifiers Available"
    case .sharedSubscriptionAvailable: "Shared Subscription Available"
    }
  }

  /// The section of MQTT 5.0 that defines it; most limits on properties have no statement number.
  public var section: String {
    switch self {
    case .payloadFormatIndicator: "3.3.2.3.2"
    case .messageExpiryInterval: "3.3.2.3.3"
    case .contentType: "3.3.2.3.9"
    case .responseTopic: "3.3.2.3.5"
    case .correlationData: "3.3.2.3.6"
    case .subscriptionIdentifier: "3.8.2.1.2"
    case .sessionExpiryInterval: "3.1.2.11.2"
    case .assignedClientIdentifier: "3.2.2.3.7"
    case .serverKeepAlive: "3.2.2.3.14"
    case .authenticationMethod: "3.1.2.11.9"
    case .authenticationData: "3.1.2.11.10"
    case .requestProblemInformation: "3.1.2.11.7"
    case .willDelayInterval: "3.1.3.2.2"
    case .requestResponseInformation: "3.1.2.11.6"
    case .responseInformation: "3.2.2.3.15"
    case .serverReference: "3.2.2.3.16"
    case .reasonString: "3.2.2.3.9"
    case .receiveMaximum: "3.1.2.11.3"
    case .topicAliasMaximum: "3.1.2.11.5"
    case .topicAlias: "3.3.2.3.4"
    case .maximumQoS: "3.2.2.3.4"
    case .retainAvailable: "3.2.2.3.5"
    case .userProperty: "3.1.2.11.8"
    case .maximumPacketSize: "3.1.2.11.4"
    case .wildcardSubscriptionAvailable: "3.2.2.3.11"
    case .subscriptionIdentifiersAvailable: "3.2.2.3.12"
    case .sharedSubscriptionAvailable: "3.2.2.3.13"
    }
  }

  /// Whether the property may stand there (table 2-4).
  public func isAllowed(in place: MQTTPropertyPlace) -> Bool {
    guard case .packet(let packet) = place else {
      return Self.ofWills.contains(self)
    }
    switch self {
    case .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic,
      .correlationData, .topicAlias:
      return packet == .publish
    case .subscriptionIdentifier: return packet == .publish || packet == .subscribe
    case .sessionExpiryInterval:
      return packet == .connect || packet == .connack || packet == .disconnect
    case .authenticationMethod, .authenticationData:
      return packet == .connect || packet == .connack || packet == .auth
    case .requestProblemInformation, .requestResponseInformation: return packet == .connect
    case .willDelayInterval: return false
    case .receiveMaximum, .topicAliasMaximum, .maximumPacketSize:
      return packet == .connect || packet == .connack
    case .assignedClientIdentifier, .serverKeepAlive, .responseInformation, .maximumQoS,
      .retainAvailable, .wildcardSubscriptionAvailable, .subscriptionIdentifiersAvailable,
      .sharedSubscriptionAvailable:
      return packet == .connack
    case .serverReference: return packet == .connack || packet == .disconnect
    case .reasonString:
      switch packet {
      case .connack, .puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback, .disconnect, .auth:
        return true
      case .connect, .publish, .subscribe, .unsubscribe, .pingreq, .pingresp: return false
      }
    case .userProperty: return packet != .pingreq && packet != .pingresp
    }
  }

  private static let ofWills: [MQTTPropertyID] = [
    .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic,
    .correlationData, .willDelayInterval, .userProperty,
  ]

  /// Whether it may stand more than once: user properties everywhere, and subscription
  /// identifiers in a PUBLISH, one for each subscription that matched (§3.3.2.3.8).
  public func mayRepeat(in place: MQTTPropertyPlace) -> Bool {
    self == .userProperty || (self == .subscriptionIdentifier && place == .packet(.publish))
  }
}
