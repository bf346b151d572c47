import Wire

extension MQTTPacketReader {
  /// Reads what follows the fixed header of a SUBSCRIBE (§3.8).
  mutating func subscribe() throws(DecodeError) -> MQTTSubscribe {
    let id = try packetID()
    let properties = try properties(in: .packet(.subscribe))
    var subscriptions: [MQTTSubscription] = []
    while !reader.isAtEnd {
      let filter = try topicFilter()
      subscriptions.append(try subscription(to: filter))
    }
    if subscriptions.isEmpty { report(.subscribeEmpty, at: reader.offset) }
    return MQTTSubscribe(packetID: id, subscriptions: subscriptions, properties: properties)
  }

  private mutating func subscription(
    to filter: MQTTTopicFilter
  ) throws(DecodeError) -> MQTTSubscription {
    let start = reader.offset
    let options = try reader.readUInt8("subscription options")
    guard let qos = MQTTQoS(rawValue: options & 3) else { throw failure(.subscribeQoS3, at: start) }
    var subscription = MQTTSubscription(filter.text, qos: qos)
    guard version == .v5 else {
      if options & 0xFC != 0 { report(.subscribeReservedBits, at: start) }
      return subscription
    }
    if options & 0xC0 != 0 { report(.subscribeReservedBits, at: start) }
    guard let handling = MQTTRetainHandling(rawValue: options >> 4 & 3) else {
      throw failure(.retainHandling3, at: start)
    }
    subscription.noLocal = options & 0b100 != 0
    subscription.retainAsPublished = options & 0b1000 != 0
    subscription.retainHandling = handling
    if subscription.noLocal, filter.shareName != nil { report(.noLocalOnShared, at: start) }
    return subscription
  }

  /// Reads what follows the fixed header of an UNSUBSCRIBE (§3.10).
  mutating func unsubscribe() throws(DecodeError) -> MQTTUnsubscribe {
    let id = try packetID()
    let properties = try properties(in: .packet(.unsubscribe))
    var filters: [String] = []
    while !reader.isAtEnd { filters.append(try topicFilter().text) }
    if filters.isEmpty { report(.unsubscribeEmpty, at: reader.offset) }
    return MQTTUnsubscribe(packetID: id, filters: filters, properties: properties)
  }

  private mutating func topicFilter() throws(DecodeError) -> MQTTTopicFilter {
    let start = reader.offset
    let filter = MQTTTopicFilter(try text("topic filter"))
    if let rule = filter.brokenRule(in: version) { report(rule, at: start, "'\(filter.text)'") }
    return filter
  }
}
