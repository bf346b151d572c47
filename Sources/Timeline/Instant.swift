/// A length of time in whole nanoseconds, never negative.
///
/// A `UInt64` rather than `Swift.Duration`: half the size, and an addition is one instruction.
/// 2^64 ns are 584 years; arithmetic saturates at both ends instead of trapping, because times
/// come from captures that anybody may have written.
@frozen
public struct Nanoseconds: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var count: UInt64

  @inlinable public init(_ count: UInt64) { self.count = count }

  @inlinable public static var zero: Nanoseconds { Nanoseconds(0) }
  /// Longer than anything: "never".
  @inlinable public static var forever: Nanoseconds { Nanoseconds(.max) }

  @inlinable public static func microseconds(_ n: UInt64) -> Self { .init(scaled(n, 1_000)) }
  @inlinable public static func milliseconds(_ n: UInt64) -> Self { .init(scaled(n, 1_000_000)) }
  @inlinable public static func seconds(_ n: UInt64) -> Self { .init(scaled(n, 1_000_000_000)) }
  @inlinable public static func minutes(_ n: UInt64) -> Self { .init(scaled(n, 60_000_000_000)) }
  @inlinable public static func hours(_ n: UInt64) -> Self { .init(scaled(n, 3_600_000_000_000)) }

  @inlinable static func scaled(_ n: UInt64, _ unit: UInt64) -> UInt64 {
    let (product, overflow) = n.multipliedReportingOverflow(by: unit)
    return overflow ? .max : product
  }

  @inlinable public static func < (a: Self, b: Self) -> Bool { a.count < b.count }

  @inlinable public static func + (a: Self, b: Self) -> Self {
    let (sum, overflow) = a.count.addingReportingOverflow(b.count)
    return .init(overflow ? .max : sum)
  }

  @inlinable public static func - (a: Self, b: Self) -> Self {
    .init(a.count > b.count ? a.count &- b.count : 0)
  }

  @inlinable public static func * (a: Self, n: UInt64) -> Self { .init(scaled(a.count, n)) }
  @inlinable public static func / (a: Self, n: UInt64) -> Self { .init(a.count / n) }
}

/// A point in time: nanoseconds since an epoch that its owner states.
///
/// Captures count from the Unix epoch, simulations from the start of the run.
@frozen
public struct Instant: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var nanoseconds: UInt64

  @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// The epoch itself.
  @inlinable public static var start: Instant { Instant(nanoseconds: 0) }
  /// Later than anything: "never".
  @inlinable public static var never: Instant { Instant(nanoseconds: .max) }

  @inlinable public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

  @inlinable public static func + (a: Self, b: Nanoseconds) -> Self {
    let (sum, overflow) = a.nanoseconds.addingReportingOverflow(b.count)
    return .init(nanoseconds: overflow ? .max : sum)
  }

  /// Saturates at the epoch.
  @inlinable public static func - (a: Self, b: Nanoseconds) -> Self {
    .init(nanoseconds: a.nanoseconds > b.count ? a.nanoseconds &- b.count : 0)
  }

  /// How long after `b` this is; zero when it is earlier.
  @inlinable public static func - (a: Self, b: Self) -> Nanoseconds {
    .init(a.nanoseconds > b.nanoseconds ? a.nanoseconds &- b.nanoseconds : 0)
  }
}
