public import Comparison

/// Measured numbers for people: three digits that count, and a unit that suits them.
public enum MeasureNumber {
  /// `82.1 ms`, `4.03 h`, `2,880`, `99.2 %`.
  public static func text(_ value: Double, _ unit: Measure.Unit) -> String {
    let scale = scale(of: value, unit)
    return digits(value / scale.size) + scale.suffix
  }

  /// With what single seeds showed: `82.1 ms (80.2…84)`, `82.1 ms (80.2 ms…1.31 s)`; without, where
  /// all are the same.
  public static func text(_ cell: ComparisonRow.Cell, _ unit: Measure.Unit) -> String {
    guard let value = cell.value else { return "–" }
    let whole = text(value, unit)
    guard let lowest = cell.lowest, let highest = cell.highest else { return whole }
    let scale = scale(of: value, unit)
    guard scale == Self.scale(of: highest, unit), scale == Self.scale(of: lowest, unit) else {
      let (low, high) = (text(lowest, unit), text(highest, unit))
      return low == high ? whole : "\(whole) (\(low)…\(high))"
    }
    let (low, high) = (digits(lowest / scale.size), digits(highest / scale.size))
    return low == high ? whole : "\(whole) (\(low)…\(high))"
  }

  /// How many times the first contestant's: `×1.31`, `÷5,880`, `=`, `∞` where that one has none;
  /// with `~` in front when a seed shows the opposite.
  public static func ratio(_ row: ComparisonRow, _ index: Int) -> String {
    guard let first = row.cells[0].value, let own = row.cells[index].value else { return "" }
    if first == own { return "=" }
    let mark = row.isConsistent(index) ? "" : "~"
    guard let ratio = row.ratio(index) else { return mark + "∞" }
    let isTiny = ratio > 0 && ratio < 0.0995
    return mark + (isTiny ? "÷\(digits(1 / ratio))" : "×\(threeDigits(ratio))")
  }

  /// With all three of them: `×1.00` is not quite the same.
  private static func threeDigits(_ ratio: Double) -> String {
    let text = digits(ratio)
    let places = ratio >= 99.95 ? 0 : ratio >= 9.995 ? 1 : 2
    guard places > 0, ratio >= 0.9995 else { return text }
    let parts = text.split(separator: ".")
    let fraction = parts.count > 1 ? parts[1] : ""
    let zeros = String(repeating: "0", count: max(0, places - fraction.count))
    return "\(parts[0]).\(fraction)\(zeros)"
  }

  private static func scale(
    of value: Double, _ unit: Measure.Unit
  ) -> (size: Double, suffix: String) {
    switch unit {
    case .perDay, .perTenThousand, .count: return (1, "")
    case .share: return (0.01, " %")
    case .time, .timePerDay:
      if value == 0 { return (1e9, " s") }
      if value < 1e6 { return (1e3, " us") }
      if value < 1e9 { return (1e6, " ms") }
      if value < 120e9 { return (1e9, " s") }
      return value < 7200e9 ? (60e9, " min") : (3600e9, " h")
    }
  }

  /// Three digits that count, more before the point if there are: `0.012`, `1.5`, `82.1`, `2,880`.
  static func digits(_ value: Double) -> String {
    let magnitude = value.magnitude
    guard magnitude < 1e15 else { return "\(value)" }
    if magnitude >= 99.95 { return TerminalNumber.grouped(Int64(value.rounded())) }
    let places = magnitude >= 9.995 ? 1 : magnitude >= 0.9995 ? 2 : 3
    let scale: Int64 = places == 1 ? 10 : places == 2 ? 100 : 1000
    let count = Int64((value * Double(scale)).rounded())
    var fraction = String((count.magnitude % scale.magnitude) + scale.magnitude).dropFirst()
    while fraction.last == "0" { fraction.removeLast() }
    let whole = (count < 0 ? "-" : "") + "\(count.magnitude / scale.magnitude)"
    return fraction.isEmpty ? whole : "\(whole).\(fraction)"
  }
}
