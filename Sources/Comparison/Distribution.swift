public import Timeline

/// Lengths of time as they were measured, exactly: each value and how often.
///
/// Virtual time repeats itself to the nanosecond (an undisturbed handshake always takes the same),
/// so a million values are a few thousand numbers, and no percentile is an estimate.
public struct Distribution: Hashable, Sendable {
  private var counts: [UInt64: UInt64] = [:]
  public private(set) var count: UInt64 = 0

  public init() {}

  public mutating func add(_ value: Nanoseconds) {
    counts[value.count, default: 0] += 1
    count += 1
  }

  public mutating func merge(_ other: Distribution) {
    for (value, times) in other.counts { counts[value, default: 0] += times }
    count += other.count
  }

  /// The smallest value that at least this share of all do not exceed (nearest rank); `nil` without
  /// values.
  ///
  /// - Parameter percent: 1…100.
  public func percentile(_ percent: UInt64) -> Nanoseconds? {
    guard count > 0 else { return nil }
    let rank = (count * percent + 99) / 100
    var passed: UInt64 = 0
    for (value, times) in counts.sorted(by: { $0.key < $1.key }) {
      passed += times
      if passed >= rank { return Nanoseconds(value) }
    }
    return nil
  }
}
