import Custody

/// Deliveries that ended alike: one subscriber, one state, one reason. They make one finding.
///
/// All are counted and named by number; objects are kept of the first and the last of them, which
/// is what a story tells of.
struct MQTTDeliveryGroup {
  private static let firstLimit = 15

  private(set) var numbers: [DeliveryID] = []
  /// How many of them were sent.
  private(set) var sentCount = 0
  private var firsts: [MQTTDelivery] = []
  private var last: MQTTDelivery?
  private var lastSent: MQTTDelivery?

  init() {}

  init(_ deliveries: [MQTTDelivery]) {
    for delivery in deliveries { add(delivery) }
  }

  var count: Int { numbers.count }

  mutating func add(_ delivery: MQTTDelivery) {
    numbers.append(delivery.id)
    if last.map({ $0.id < delivery.id }) ?? true { last = delivery }
    if delivery.event(.sent) != nil {
      sentCount += 1
      if lastSent.map({ $0.id < delivery.id }) ?? true { lastSent = delivery }
    }
    guard firsts.count < Self.firstLimit || delivery.id < firsts[firsts.count - 1].id else {
      return
    }
    firsts.insert(delivery, at: firsts.firstIndex { delivery.id < $0.id } ?? firsts.count)
    if firsts.count > Self.firstLimit { firsts.removeLast() }
  }

  /// By number, which is the order in which they became known.
  var numbersInOrder: [DeliveryID] { numbers.sorted() }

  /// The first ones and the last ones, in order.
  var deliveries: [MQTTDelivery] {
    var all = firsts
    for late in [lastSent, last].compactMap(\.self) where all.last.map({ $0.id < late.id }) ?? true
    {
      all.append(late)
    }
    return all
  }

  var first: MQTTDelivery { firsts[0] }
}

/// The groups of settled deliveries that findings are made of.
struct MQTTDeliveryGroups {
  private struct Key: Hashable {
    var state: DeliveryState
    var tally: Int
    var reason: String
  }

  private var groups: [MQTTDeliveryGroup] = []
  private var states: [DeliveryState] = []
  private var index: [Key: Int] = [:]

  /// Whether deliveries of this state make findings by their groups.
  static func collects(_ state: DeliveryState) -> Bool {
    switch state {
    case .ghost, .lost, .unknown, .expired: true
    case .acknowledged, .accepted, .pending, .superseded, .rejected: false
    }
  }

  mutating func add(_ delivery: MQTTDelivery) {
    let key = Key(state: delivery.state, tally: delivery.tally, reason: delivery.reason)
    let at = index[key] ?? groups.count
    if at == groups.count {
      index[key] = at
      groups.append(MQTTDeliveryGroup())
      states.append(delivery.state)
    }
    groups[at].add(delivery)
  }

  /// In the order of their first deliveries.
  func all(_ state: DeliveryState) -> [MQTTDeliveryGroup] {
    groups.indices.filter { states[$0] == state }.map { groups[$0] }
      .sorted { $0.first.id < $1.first.id }
  }
}
