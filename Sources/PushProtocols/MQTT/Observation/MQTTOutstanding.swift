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
    /// `nil` once it goes on.
    var delivery: MQTTDelivery?
  }

  private var entries: [Entry] = []
  private var head = 0

  /// Of the memory, not of what is in it.
  var extent: Int { entries.count }

  /// - Parameter limit: how many are remembered.
  mutating func add(_ delivery: MQTTDelivery, limit: Int) {
    entries.append(Entry(id: delivery.packetID, delivery: delivery))
    while entries.count - head > limit {
      entries[head].delivery = nil
      head += 1
    }
    if head > limit {
      entries.removeFirst(head)
      head = 0
    }
  }

  subscript(id: UInt16) -> MQTTDelivery? {
    entries[head...].last { $0.id == id && $0.delivery != nil }?.delivery
  }

  mutating func remove(_ id: UInt16) {
    for index in entries.indices[head...] where entries[index].id == id {
      entries[index].delivery = nil
    }
  }

  mutating func removeAll() {
    entries = []
    head = 0
  }
}
