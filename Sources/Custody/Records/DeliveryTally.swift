/// How many deliveries to one subscriber ended how.
public struct DeliveryTally: Hashable, Sendable {
  public let subscriber: String
  /// The lowest number among the deliveries; `nil` without any.
  public private(set) var first: DeliveryID?
  /// Acknowledged after more than one sending.
  public private(set) var redelivered: UInt64 = 0
  /// Why the first one that was rejected was.
  public private(set) var rejection = ""
  private var firstRejected = DeliveryID(.max)
  /// By the place of the state in `DeliveryState.allCases`.
  private var counts = SIMD16<UInt64>()

  public init(subscriber: String) { self.subscriber = subscriber }

  public var total: UInt64 { counts.wrappedSum() }

  public subscript(state: DeliveryState) -> UInt64 { counts[state.place] }

  public mutating func add(
    _ id: DeliveryID, _ state: DeliveryState, attempts: UInt32, reason: () -> String
  ) {
    counts[state.place] += 1
    if first.map({ id < $0 }) ?? true { first = id }
    if state == .acknowledged, attempts > 1 { redelivered += 1 }
    if state == .rejected, id < firstRejected {
      firstRejected = id
      rejection = reason()
    }
  }

  /// Counts many that were acknowledged after one sending each.
  ///
  /// - Parameter lowest: the lowest of their numbers.
  public mutating func add(acknowledged count: UInt64, from lowest: DeliveryID) {
    if count == 0 { return }
    counts[DeliveryState.acknowledged.place] += count
    if first.map({ lowest < $0 }) ?? true { first = lowest }
  }

  /// Takes one out again that turned out to go on.
  public mutating func remove(_ state: DeliveryState, attempts: UInt32) {
    counts[state.place] -= 1
    if state == .acknowledged, attempts > 1 { redelivered -= 1 }
  }

  /// The tallies of deliveries, in the order of each subscriber's first one.
  public static func of(_ deliveries: [DeliveryRecord]) -> [DeliveryTally] {
    var tallies: [DeliveryTally] = []
    var index: [String: Int] = [:]
    for delivery in deliveries {
      let at = index[delivery.subscriber] ?? tallies.count
      if at == tallies.count {
        index[delivery.subscriber] = at
        tallies.append(DeliveryTally(subscriber: delivery.subscriber))
      }
      tallies[at].add(
        delivery.id, delivery.state, attempts: delivery.attempts, reason: { delivery.reason })
    }
    return tallies
  }
}

extension DeliveryState {
  fileprivate var place: Int {
    switch self {
    case .acknowledged: 0
    case .pending: 1
    case .lost: 2
    case .ghost: 3
    case .expired: 4
    case .superseded: 5
    case .rejected: 6
    case .unknown: 7
    case .accepted: 8
    }
  }
}
