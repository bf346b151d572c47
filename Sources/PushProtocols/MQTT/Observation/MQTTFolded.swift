import Custody
import Timeline
import Wire

/// The deliveries of a subscriber that are in flight, went the usual way so far, and are no
/// objects: `MQTTTraffic` has the latest ones while its conversation is routine.
///
/// What nobody acknowledges stays in flight for as long as the session state lives, so a long
/// capture has very many of these. One becomes an object as soon as anything happens to it.
struct MQTTFolded {
  /// Sent on the latest connection.
  var latest = MQTTFlight()
  /// Sent on those before it.
  private(set) var earlier = MQTTFlight()
  /// What passed over all that a session left behind, by its number.
  private var passings: [(session: SessionID, passing: MQTTPassingOver)] = []

  /// Earlier ones beyond these are objects: to look through them takes time.
  private static let limit = 1024

  var isEmpty: Bool { latest.count == 0 && earlier.count == 0 }

  func forEachEarlier(_ receive: (UInt16) -> Void) {
    for place in 0..<earlier.count { receive(earlier[place].packetID) }
  }

  /// Takes out the one with an identifier.
  mutating func take(_ id: UInt16) -> MQTTCompactDelivery? {
    latest.take(id) ?? earlier.take(id)
  }

  /// Takes out the one with a place in the order of the latest connection's sendings.
  mutating func takeLatest(order: UInt64) -> MQTTCompactDelivery? {
    for place in 0..<latest.count where latest[place].order == order {
      return latest.take(latest[place].packetID)
    }
    return nil
  }

  /// Those that the client's TCP is not known to have, in the order of their sending.
  var unacknowledgedByTransport: [MQTTCompactDelivery] {
    (0..<latest.count).map { latest[$0] }.filter { !$0.isTransportAcknowledged }
      .sorted { $0.order < $1.order }
  }

  /// All of them, in the order of their sending.
  var all: [MQTTCompactDelivery] { earlier.inOrder + latest.inOrder }

  mutating func removeAll(to near: MQTTNearMemory) {
    latest.free(to: near)
    earlier.free(to: near)
    passings = []
  }

  /// The latest connection is no more.
  ///
  /// - Returns: those that there is no room for.
  mutating func retire(in near: MQTTNearMemory) -> [MQTTCompactDelivery] {
    let all = latest.inOrder
    let kept = min(all.count, max(0, Self.limit - earlier.count))
    latest.free(to: near)
    forgetPassings()
    if kept > 0 { earlier.makeRoom(for: kept, in: near) }
    for delivery in all.prefix(kept) { earlier.append(delivery) }
    return Array(all.dropFirst(kept))
  }

  /// Of sessions that left nothing that is still in flight.
  private mutating func forgetPassings() {
    if earlier.count == 0 { passings = [] }
    if passings.count < 8 { return }
    passings.removeAll { one in
      !(0..<earlier.count).contains { earlier[$0].session == one.session }
    }
  }

  /// A newer connection goes on without sending the earlier ones again.
  mutating func pass(over passing: MQTTPassingOver) {
    for place in 0..<earlier.count {
      let session = earlier[place].session
      if session != passing.session, self.passing(session) == nil {
        passings.append((session, passing))
      }
    }
  }

  /// What passed over what was sent on a session and is not acknowledged.
  func passing(_ session: SessionID) -> MQTTPassingOver? {
    passings.last { $0.session == session }?.passing
  }
}

extension MQTTFlight {
  fileprivate mutating func take(_ id: UInt16) -> MQTTCompactDelivery? {
    guard contains(id), case let place = place(of: id), place >= 0 else { return nil }
    let delivery = self[place]
    remove(at: place)
    return delivery
  }
}

/// Making objects of them.
extension MQTTSubscriber {
  /// The delivery in flight with an identifier, as an object.
  func delivery(inFlight id: UInt16) -> MQTTDelivery? {
    if let known = inFlight[id] { return known }
    return folded.take(id).map(unfold)
  }

  /// Makes an object of the one with a place in the order of the latest connection's sendings.
  func unfoldLatest(order: UInt64) -> MQTTDelivery? { folded.takeLatest(order: order).map(unfold) }

  /// Makes objects of all that are in flight.
  func unfoldAll() {
    if folded.isEmpty { return }
    for compact in folded.all { unfold(compact) }
    folded.removeAll(to: near)
  }

  /// The conversation that they were sent on is not the latest any more.
  func retireFolded() {
    for compact in folded.retire(in: near) { unfold(compact) }
  }

  @discardableResult
  func unfold(_ compact: MQTTCompactDelivery) -> MQTTDelivery {
    let delivery = object(of: compact)
    append(delivery)
    inFlight[compact.packetID] = delivery
    if let lastConversation, lastConversation.inheritsFolded,
      compact.session != lastConversation.record.id
    {
      lastConversation.inherited.append(delivery)
    }
    observer.unfold(delivery)
    return delivery
  }

  /// An object that nothing else knows.
  func object(of compact: MQTTCompactDelivery) -> MQTTDelivery {
    let delivery = MQTTDelivery(
      compact, topic: observer.goodTopics.text(compact.topic), subscriber: self)
    delivery.passedOver = folded.passing(compact.session)
    return delivery
  }

  /// Shows each, as an object that nothing else knows: at the end of a capture there are too many
  /// to have objects of all of them at a time.
  func forEachFolded(
    where isWanted: (MQTTCompactDelivery) -> Bool = { _ in true },
    _ receive: (MQTTDelivery) -> Void
  ) {
    for flight in [folded.earlier, folded.latest] {
      for place in 0..<flight.count where isWanted(flight[place]) {
        receive(object(of: flight[place]))
      }
    }
  }
}
