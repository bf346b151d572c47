/// Lengths of time as scenarios and reports write them: `250us`, `42ms`, `1.2s`, `59min`, `1h`.
extension Nanoseconds: CustomStringConvertible {
  @usableFromInline static let units: [(name: String, size: UInt64)] = [
    ("h", 3_600_000_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000),
    ("ms", 1_000_000), ("us", 1_000), ("ns", 1),
  ]

  /// Exact, shortest unit notation that `init(text:)` reads back to the same value.
  public var description: String {
    if self == .forever { return "never" }
    if count == 0 { return "0s" }
    for unit in Self.units where count >= unit.size {
      // Hours and minutes only when whole: "1.5min" reads worse than "90s".
      if unit.size > 1_000_000_000, count % unit.size != 0 { continue }
      return Self.decimal(count, unit: unit.size) + unit.name
    }
    return "\(count)ns"
  }

  static func decimal(_ count: UInt64, unit: UInt64) -> String {
    let whole = count / unit
    var rest = count % unit
    guard rest > 0 else { return "\(whole)" }
    var scale = unit / 10
    while rest % 10 == 0 {
      rest /= 10
      scale /= 10
    }
    var text = "\(whole)."
    while rest < scale {
      text += "0"
      scale /= 10
    }
    return text + String(rest)
  }

  /// Reads what `description` writes; `nil` for anything else, a missing unit included.
  public init?(text: some StringProtocol) {
    if text == "never" {
      self = .forever
      return
    }
    guard let unitStart = text.firstIndex(where: { $0.isLetter }) else { return nil }
    let unitName = text[unitStart...]
    guard let unit = Self.units.first(where: { $0.name == unitName }) else { return nil }
    let parts = text[..<unitStart].split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, let whole = UInt64(parts[0]) else { return nil }
    var total = Nanoseconds(Self.scaled(whole, unit.size))
    if parts.count == 2 {
      guard !parts[1].isEmpty else { return nil }
      var scale = unit.size
      for character in parts[1] {
        guard let digit = character.wholeNumberValue, character.isASCII, scale % 10 == 0 else {
          return nil
        }
        scale /= 10
        total = total + Nanoseconds(UInt64(digit) * scale)
      }
    }
    self = total
  }

  /// For people: seconds with three digits, as Wireshark shows times ("1.214 s").
  public var seconds3: String {
    let milliseconds = (count &+ 500_000) / 1_000_000
    let rest = String(milliseconds % 1000)
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest + " s"
  }
}

extension Instant: CustomStringConvertible {
  /// `+59min`: the distance from the epoch, as a scenario writes it.
  public var description: String {
    self == .never ? "never" : "+\(Nanoseconds(nanoseconds))"
  }

  /// Reads `+59min`.
  public init?(text: some StringProtocol) {
    guard text.first == "+", let distance = Nanoseconds(text: text.dropFirst()) else { return nil }
    self.init(nanoseconds: distance.count)
  }
}
