import Custody

/// The deliveries that belong in the report, and the count of those that are not kept for it.
///
/// A report that lists every delivery keeps them all. One that counts lets go of what has ended:
/// what was sent once and acknowledged has no part in any finding; of other ends, when they are
/// many, groups keep what their finding tells. What turns out to go on is taken back.
struct MQTTDeliveryBooks {
  let keepsAll: Bool
  private(set) var tallies: [DeliveryTally] = []
  private var tallyIndex: [String: Int] = [:]
  private var groups = MQTTDeliveryGroups()
  /// Committed of late: most of them end before there are many more.
  private var young: [MQTTDelivery] = []
  /// Those of before that had not ended, or not plainly.
  private var old: [MQTTDelivery] = []
  private var nextSearch = Self.oldLimit

  /// How many acknowledged deliveries of a subscriber are remembered, to know a repetition.
  private(set) var memoryLimit = 1024
  private static let remembered = 1 << 15
  private static let youngLimit = 1 << 10
  private static let oldLimit = 1 << 15

  init(keepsAll: Bool) { self.keepsAll = keepsAll }

  /// Where a subscriber's deliveries are counted: the same place for the same name.
  mutating func tally(for subscriber: String) -> Int {
    if let known = tallyIndex[subscriber] { return known }
    tallyIndex[subscriber] = tallies.count
    tallies.append(DeliveryTally(subscriber: subscriber))
    memoryLimit = min(1024, max(16, Self.remembered / tallies.count))
    return tallies.count - 1
  }

  mutating func add(_ delivery: MQTTDelivery) {
    young.append(delivery)
    if !keepsAll, young.count >= Self.youngLimit { letGo() }
  }

  /// Counts deliveries that were acknowledged as they should be.
  mutating func countPlain(_ count: UInt32, from first: DeliveryID, tally: Int) {
    tallies[tally].add(acknowledged: UInt64(count), from: first)
  }

  /// A delivery goes on that had been counted as ended.
  mutating func takeBack(_ delivery: MQTTDelivery) {
    guard delivery.isLetGo else { return }
    delivery.isLetGo = false
    tallies[delivery.tally].remove(delivery)
    old.append(delivery)
  }

  private mutating func letGo() {
    for delivery in young {
      if delivery.isPlain { count(delivery) } else { old.append(delivery) }
    }
    young.removeAll(keepingCapacity: true)
    guard old.count >= nextSearch else { return }
    var rest: [MQTTDelivery] = []
    for delivery in old {
      let isRecovery = delivery.state == .acknowledged && !delivery.isPlain
      // A recovery is told with all its deliveries.
      if delivery.isOpen || isRecovery {
        rest.append(delivery)
      } else {
        if MQTTDeliveryGroups.collects(delivery.state) { groups.add(delivery) }
        count(delivery)
      }
    }
    old = rest
    nextSearch = max(Self.oldLimit, old.count + old.count / 4)
  }

  private mutating func count(_ delivery: MQTTDelivery) {
    delivery.isLetGo = true
    tallies[delivery.tally].add(delivery)
  }

  // MARK: The end

  /// Counts one that nothing changes any more, and that is in no story of its own.
  mutating func conclude(_ delivery: MQTTDelivery) {
    count(delivery)
    if MQTTDeliveryGroups.collects(delivery.state) { groups.add(delivery) }
  }

  /// All that are still here, in the order of their numbers. Nothing changes any more: each is
  /// counted and put into its group.
  mutating func conclude() -> [MQTTDelivery] {
    let all = (old + young).sorted { $0.id < $1.id }
    old = []
    young = []
    for delivery in all {
      tallies[delivery.tally].add(delivery)
      if MQTTDeliveryGroups.collects(delivery.state) { groups.add(delivery) }
    }
    tallies = tallies.filter { $0.first != nil }.sorted { $0.first! < $1.first! }
    return all
  }

  func groups(_ state: DeliveryState) -> [MQTTDeliveryGroup] { groups.all(state) }
}

extension DeliveryTally {
  fileprivate mutating func add(_ delivery: MQTTDelivery) {
    add(
      delivery.id, delivery.state, attempts: delivery.attempts, reason: { delivery.reason })
  }

  fileprivate mutating func remove(_ delivery: MQTTDelivery) {
    remove(delivery.state, attempts: delivery.attempts)
  }
}
