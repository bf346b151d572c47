/// Numbers for people.
public enum TerminalNumber {
  /// `1,234,567`, `-12`.
  public static func grouped(_ number: some BinaryInteger) -> String {
    let digits = String(number.magnitude)
    var text = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }

  /// Three digits at most and a letter: `0`, `950`, `1.2k`, `51k`, `3.4M`. Rounds down, so that
  /// nothing is promised that was not reached.
  public static func short(_ number: UInt64) -> String {
    let units: [(size: UInt64, letter: String)] = [
      (1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"),
    ]
    for (size, letter) in units where number >= size {
      let tenths = number / (size / 10)
      return tenths < 100 && tenths % 10 != 0
        ? "\(tenths / 10).\(tenths % 10)\(letter)" : "\(tenths / 10)\(letter)"
    }
    return "\(number)"
  }

  /// `1 finding`, `2 findings`; irregular plurals are given.
  public static func counted(
    _ count: some BinaryInteger, _ singular: String, _ plural: String? = nil
  ) -> String {
    grouped(count) + " " + (count == 1 ? singular : plural ?? singular + "s")
  }
}
