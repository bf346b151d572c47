import Custody

/// Packets about deliveries that were written, and that the other end's TCP has not acknowledged.
///
/// Mostly there is one, and that one lies here and not in an array somewhere else.
struct MQTTOutstanding {
  struct Entry {
    /// Stream offset behind the packet.
    var end: UInt64
    var delivery: MQTTDelivery
    /// The packet ended the delivery.
    var wasComplete: Bool
  }

  private var first: Entry?
  private var rest: [Entry] = []

  var isEmpty: Bool { first == nil }

  mutating func append(_ delivery: MQTTDelivery, end: UInt64, wasComplete: Bool = false) {
    let entry = Entry(end: end, delivery: delivery, wasComplete: wasComplete)
    if first == nil { first = entry } else { rest.append(entry) }
  }

  /// Takes out what lies below `upTo`, in the order of its writing.
  @inline(__always)
  mutating func confirm(upTo: UInt64, _ receive: (MQTTDelivery) -> Void = { _ in }) {
    guard let head = first else { return }
    if head.end <= upTo {
      receive(head.delivery)
      first = nil
    }
    if rest.isEmpty { return }
    rest.removeAll { entry in
      if entry.end > upTo { return false }
      receive(entry.delivery)
      return true
    }
    if first == nil, !rest.isEmpty { first = rest.removeFirst() }
  }

  var entries: [Entry] { (first.map { [$0] } ?? []) + rest }

  mutating func removeAll() {
    first = nil
    rest = []
  }
}

/// The deliveries that a subscriber acknowledged of late, so that a repetition is known when it
/// comes. Those of long ago are forgotten: a server has not as many in flight.
struct MQTTAcknowledgedMemory {
  private struct Entry {
    var id: UInt16
    /// Its place in the order of the acknowledgements.
    var ordinal: UInt64
    /// `nil` once it goes on.
    var delivery: MQTTDelivery?
  }

  private var entries: [Entry] = []
  private var head = 0
  /// Those that were never anything but usual.
  var usual = MQTTCompactMemory()
  /// How many have been added.
  var ordinal: UInt64 = 0

  /// - Parameter limit: how many are remembered.
  mutating func add(_ delivery: MQTTDelivery, limit: Int) {
    ordinal += 1
    entries.append(Entry(id: delivery.packetID, ordinal: ordinal, delivery: delivery))
    while entries.count - head > limit {
      entries[head].delivery = nil
      head += 1
    }
    if head > limit {
      entries.removeFirst(head)
      head = 0
    }
  }

  func contains(_ id: UInt16) -> Bool {
    usual.last { $0.packetID == id } != nil || latest(id) != nil
  }

  /// The last one of an identifier among those that are objects.
  func object(_ id: UInt16) -> MQTTDelivery? { latest(id)?.delivery }

  private func latest(_ id: UInt16) -> Entry? {
    entries[head...].last { $0.id == id && $0.delivery != nil }
  }

  /// The last one of an identifier.
  ///
  /// - Parameter conversation: the one that is open.
  mutating func delivery(
    _ id: UInt16, for subscriber: MQTTSubscriber, on conversation: MQTTConversation
  ) -> MQTTDelivery? {
    let known = latest(id)
    if let compact = usual.last(where: { $0.packetID == id }),
      compact.ordinal > known?.ordinal ?? 0
    {
      return unfold(for: subscriber, on: conversation) { $0.ordinal == compact.ordinal }
    }
    return known?.delivery
  }

  /// Makes an object of the last usual one that answers the description.
  mutating func unfold(
    for subscriber: MQTTSubscriber, on conversation: MQTTConversation,
    where isWanted: (MQTTCompactDelivery) -> Bool
  ) -> MQTTDelivery? {
    guard let compact = usual.last(where: isWanted) else { return nil }
    usual.removeAll { $0.ordinal == compact.ordinal }
    let delivery = MQTTDelivery(
      compact, topic: conversation.observer.goodTopics.text(compact.topic), subscriber: subscriber)
    let entry = Entry(id: compact.packetID, ordinal: compact.ordinal, delivery: delivery)
    let place = entries[head...].firstIndex { $0.ordinal > compact.ordinal }
    entries.insert(entry, at: place ?? entries.count)
    return delivery
  }

  mutating func remove(_ id: UInt16) {
    usual.removeAll { $0.packetID == id }
    for index in entries.indices[head...] where entries[index].id == id {
      entries[index].delivery = nil
    }
  }

  mutating func removeAll(to near: MQTTNearMemory) {
    entries = []
    head = 0
    usual.free(to: near)
  }
}
