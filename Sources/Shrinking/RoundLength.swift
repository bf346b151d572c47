public import Timeline

/// Lengths that people use, from small to large: what magnitudes are shrunk to.
public enum RoundLength {
  public static let all: [Nanoseconds] =
    [Nanoseconds.zero]
    + [1, 2, 5, 10, 20, 50, 100, 200, 500].map { .milliseconds($0) }
    + [1, 2, 3, 5, 10, 15, 20, 30].map { .seconds($0) }
    + [.minutes(1), .seconds(90)]
    + [2, 3, 5, 10, 15, 20, 30].map { .minutes($0) }
    + [1, 2, 3, 6, 12, 24, 48, 168, 720, 8760].map { .hours($0) }

  /// The largest round length below this one; `nil` for zero.
  public static func below(_ length: Nanoseconds) -> Nanoseconds? {
    all.last { $0 < length }
  }

  /// How far from round: 0 for round lengths, otherwise the digits it takes to write.
  public static func roughness(_ length: Nanoseconds) -> Int {
    if length == .forever || all.contains(length) { return 0 }
    return digits(of: length)
  }

  /// The same for points in time, of which two digits are fine: `+59min`, `+1.2s`.
  public static func roughness(_ time: Instant) -> Int {
    max(0, digits(of: Nanoseconds(time.nanoseconds)) - 2)
  }

  /// Significant digits, counted in hours, minutes or decimally, whichever needs the fewest.
  static func digits(of length: Nanoseconds) -> Int {
    var best = significant(length.count)
    for unit in [Nanoseconds.minutes(1), .hours(1)] where length.count % unit.count == 0 {
      best = min(best, significant(length.count / unit.count))
    }
    return best
  }

  private static func significant(_ number: UInt64) -> Int {
    var rest = number
    while rest != 0, rest % 10 == 0 { rest /= 10 }
    var digits = 0
    while rest != 0 {
      rest /= 10
      digits += 1
    }
    return digits
  }
}
