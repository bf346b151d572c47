/// The property block of a packet: properties in the order of the wire.
///
/// A block without properties allocates nothing. Accessors read the first property of their kind
/// and write in its place, or at the end when there is none; `nil` removes all of the kind.
public struct MQTTProperties: Hashable, Sendable, ExpressibleByArrayLiteral {
  public var list: [MQTTProperty]

  public init(_ list: [MQTTProperty] = []) { self.list = list }
  public init(arrayLiteral elements: MQTTProperty...) { self.list = elements }

  public var isEmpty: Bool { list.isEmpty }

  private func first<Value>(_ value: (MQTTProperty) -> Value?) -> Value? {
    for property in list {
      if let found = value(property) { return found }
    }
    return nil
  }

  private mutating func set(_ id: MQTTPropertyID, _ property: MQTTProperty?) {
    guard let property else {
      list.removeAll { $0.id == id }
      return
    }
    if let index = list.firstIndex(where: { $0.id == id }) {
      list[index] = property
    } else {
      list.append(property)
    }
  }

  /// 0 bytes, 1 UTF-8 text (§3.3.2.3.2).
  public var payloadFormatIndicator: UInt8? {
    get {
      first { if case .payloadFormatIndicator(let value) = $0 { value } else { nil } }
    }
    set { set(.payloadFormatIndicator, newValue.map(MQTTProperty.payloadFormatIndicator)) }
  }

  /// Seconds (§3.3.2.3.3).
  public var messageExpiryInterval: UInt32? {
    get {
      first { if case .messageExpiryInterval(let value) = $0 { value } else { nil } }
    }
    set { set(.messageExpiryInterval, newValue.map(MQTTProperty.messageExpiryInterval)) }
  }

  public var contentType: String? {
    get {
      first { if case .contentType(let value) = $0 { value } else { nil } }
    }
    set { set(.contentType, newValue.map(MQTTProperty.contentType)) }
  }

  public var responseTopic: String? {
    get {
      first { if case .responseTopic(let value) = $0 { value } else { nil } }
    }
    set { set(.responseTopic, newValue.map(MQTTProperty.responseTopic)) }
  }

  public var correlationData: [UInt8]? {
    get {
      first { if case .correlationData(let value) = $0 { value } else { nil } }
    }
    set { set(.correlationData, newValue.map(MQTTProperty.correlationData)) }
  }

  /// Seconds; 0xFFFFFFFF never expires; absent means 0 (§3.1.2.11.2).
  public var sessionExpiryInterval: UInt32? {
    get {
      first { if case .sessionExpiryInterval(let value) = $0 { value } else { nil } }
    }
    set { set(.sessionExpiryInterval, newValue.map(MQTTProperty.sessionExpiryInterval)) }
  }

  public var assignedClientIdentifier: String? {
    get {
      first { if case .assignedClientIdentifier(let value) = $0 { value } else { nil } }
    }
    set { set(.assignedClientIdentifier, newValue.map(MQTTProperty.assignedClientIdentifier)) }
  }

  /// Seconds, in place of the client's own (§3.2.2.3.14).
  public var serverKeepAlive: UInt16? {
    get {
      first { if case .serverKeepAlive(let value) = $0 { value } else { nil } }
    }
    set { set(.serverKeepAlive, newValue.map(MQTTProperty.serverKeepAlive)) }
  }

  public var authenticationMethod: String? {
    get {
      first { if case .authenticationMethod(let value) = $0 { value } else { nil } }
    }
    set { set(.authenticationMethod, newValue.map(MQTTProperty.authenticationMethod)) }
  }

  public var authenticationData: [UInt8]? {
    get {
      first { if case .authenticationData(let value) = $0 { value } else { nil } }
    }
    set { set(.authenticationData, newValue.map(MQTTProperty.authenticationData)) }
  }

  /// Absent means 1 (§3.1.2.11.7).
  public var requestProblemInformation: UInt8? {
    get {
      first { if case .requestProblemInformation(let value) = $0 { value } else { nil } }
    }
    set { set(.requestProblemInformation, newValue.map(MQTTProperty.requestProblemInformation)) }
  }

  /// Seconds; absent means 0 (§3.1.3.2.2).
  public var willDelayInterval: UInt32? {
    get {
      first { if case .willDelayInterval(let value) = $0 { value } else { nil } }
    }
    set { set(.willDelayInterval, newValue.map(MQTTProperty.willDelayInterval)) }
  }

  public var requestResponseInformation: UInt8? {
    get {
      first { if case .requestResponseInformation(let value) = $0 { value } else { nil } }
    }
    set { set(.requestResponseInformation, newValue.map(MQTTProperty.requestResponseInformation)) }
  }

  public var responseInformation: String? {
    get {
      first { if case .responseInformation(let value) = $0 { value } else { nil } }
    }
    set { set(.responseInformation, newValue.map(MQTTProperty.responseInformation)) }
  }

  public var serverReference: String? {
    get {
      first { if case .serverReference(let value) = $0 { value } else { nil } }
    }
    set { set(.serverReference, newValue.map(MQTTProperty.serverReference)) }
  }

  public var reasonString: String? {
    get {
      first { if case .reasonString(let value) = $0 { value } else { nil } }
    }
    set { set(.reasonString, newValue.map(MQTTProperty.reasonString)) }
  }

  /// Absent means 65,535 (§3.1.2.11.3).
  public var receiveMaximum: UInt16? {
    get {
      first { if case .receiveMaximum(let value) = $0 { value } else { nil } }
    }
    set { set(.receiveMaximum, newValue.map(MQTTProperty.receiveMaximum)) }
  }

  /// Absent means 0 (§3.1.2.11.5).
  public var topicAliasMaximum: UInt16? {
    get {
      first { if case .topicAliasMaximum(let value) = $0 { value } else { nil } }
    }
    set { set(.topicAliasMaximum, newValue.map(MQTTProperty.topicAliasMaximum)) }
  }

  public var topicAlias: UInt16? {
    get {
      first { if case .topicAlias(let value) = $0 { value } else { nil } }
    }
    set { set(.topicAlias, newValue.map(MQTTProperty.topicAlias)) }
  }

  /// 0 or 1; absent means 2 (§3.2.2.3.4).
  public var maximumQoS: UInt8? {
    get {
      first { if case .maximumQoS(let value) = $0 { value } else { nil } }
    }
    set { set(.maximumQoS, newValue.map(MQTTProperty.maximumQoS)) }
  }

  public var retainAvailable: UInt8? {
    get {
      first { if case .retainAvailable(let value) = $0 { value } else { nil } }
    }
    set { set(.retainAvailable, newValue.map(MQTTProperty.retainAvailable)) }
  }

  /// Bytes; absent means no limit but the protocol's (§3.1.2.11.4).
  public var maximumPacketSize: UInt32? {
    get {
      first { if case .maximumPacketSize(let value) = $0 { value } else { nil } }
    }
    set { set(.maximumPacketSize, newValue.map(MQTTProperty.maximumPacketSize)) }
  }

  public var wildcardSubscriptionAvailable: UInt8? {
    get {
      first { if case .wildcardSubscriptionAvailable(let value) = $0 { value } else { nil } }
    }
    set {
      set(.wildcardSubscriptionAvailable, newValue.map(MQTTProperty.wildcardSubscriptionAvailable))
    }
  }

  public var subscriptionIdentifiersAvailable: UInt8? {
    get {
      first { if case .subscriptionIdentifiersAvailable(let value) = $0 { value } else { nil } }
    }
    set {
      set(
        .subscriptionIdentifiersAvailable,
        newValue.map(MQTTProperty.subscriptionIdentifiersAvailable))
    }
  }

  public var sharedSubscriptionAvailable: UInt8? {
    get {
      first { if case .sharedSubscriptionAvailable(let value) = $0 { value } else { nil } }
    }
    set {
      set(.sharedSubscriptionAvailable, newValue.map(MQTTProperty.sharedSubscriptionAvailable))
    }
  }

  /// All of them: a PUBLISH has one for each subscription that matched (§3.3.2.3.8).
  public var subscriptionIdentifiers: [UInt32] {
    get {
      list.compactMap { if case .subscriptionIdentifier(let value) = $0 { value } else { nil } }
    }
    set { replaceAll(.subscriptionIdentifier, newValue.map { .subscriptionIdentifier($0) }) }
  }

  /// All of them, in order; a name may stand more than once (§3.1.2.11.8).
  public var userProperties: [MQTTUserProperty] {
    get {
      list.compactMap {
        if case .userProperty(let name, let value) = $0 { .init(name, value) } else { nil }
      }
    }
    set {
      replaceAll(.userProperty, newValue.map { .userProperty(name: $0.name, value: $0.value) })
    }
  }

  private mutating func replaceAll(_ id: MQTTPropertyID, _ replacement: [MQTTProperty]) {
    list.removeAll { $0.id == id }
    list += replacement
  }
}

/// A name and a value that the protocol only carries (§3.1.2.11.8).
public struct MQTTUserProperty: Hashable, Sendable {
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}
