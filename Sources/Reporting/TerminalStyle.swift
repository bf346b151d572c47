/// What the place where text goes can show: whether it takes colours, and how wide it is.
///
/// A pure value. Whether standard output is a terminal, what `NO_COLOR` says and how many columns
/// there are is asked once, by the command line, and passed in.
public struct TerminalStyle: Hashable, Sendable {
  /// What a piece of text means. Colour only ever repeats what the words say.
  public enum Ink: String, Sendable, CaseIterable {
    /// Something that nobody acknowledged; a violated oracle.
    case bad
    /// Something that a person should look at.
    case doubtful
    /// As it ought to be.
    case good
    /// The headline of a section.
    case heading
    /// What a tired person may skip: frame numbers, units, hints.
    case faint

    /// The parameters of the SGR sequence (ECMA-48 §8.3.117).
    var parameters: String {
      switch self {
      case .bad: "1;31"
      case .doubtful: "33"
      case .good: "32"
      case .heading: "1"
      case .faint: "2"
      }
    }
  }

  /// The width that is assumed when nobody knows.
  public static let assumedWidth = 100
  /// No colours, the assumed width: files, pipes and tests.
  public static let plain = TerminalStyle(isTerminal: false, noColor: true)

  public let isTerminal: Bool
  public let usesColour: Bool
  /// Columns of text in a line, at least 40.
  public let width: Int

  /// - Parameters:
  ///   - isTerminal: text goes to a terminal and not to a file or a pipe.
  ///   - noColor: the variable `NO_COLOR` is there and not empty (no-color.org), or the user asked
  ///     for no colours. It wins over everything.
  ///   - columns: the width as the terminal tells it; `nil` when it does not.
  public init(isTerminal: Bool, noColor: Bool, columns: Int? = nil) {
    self.isTerminal = isTerminal
    self.usesColour = isTerminal && !noColor
    // A terminal of no columns is one that does not tell.
    let told = columns.flatMap { $0 > 0 ? $0 : nil }
    self.width = max(40, isTerminal ? told ?? Self.assumedWidth : Self.assumedWidth)
  }

  /// The text in that ink; unchanged without colours, and when it is empty.
  public func paint(_ text: String, _ ink: Ink) -> String {
    usesColour && !text.isEmpty ? "\u{1B}[\(ink.parameters)m\(text)\u{1B}[0m" : text
  }

  /// How many columns a text takes on a terminal: escape sequences take none, wide characters two.
  public static func columns(of text: some StringProtocol) -> Int {
    let bytes = text.utf8
    if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return bytes.count }
    var total = 0
    var isInSequence = false
    for character in text {
      if isInSequence {
        // A control sequence ends with a byte from `@` to `~`; its `[` comes right after ESC.
        isInSequence = !(character >= "@" && character <= "~" && character != "[")
      } else if character == "\u{1B}" {
        isInSequence = true
      } else {
        total += isWide(character) ? 2 : 1
      }
    }
    return total
  }

  /// East Asian wide and full-width letters, and pictures (Unicode TR 11, its large blocks).
  private static func isWide(_ character: Character) -> Bool {
    guard let scalar = character.unicodeScalars.first, scalar.value >= 0x1100 else { return false }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
      0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return true
    default:
      return false
    }
  }

  /// The text cut to so many columns, the last of them `…` when something was cut off.
  ///
  /// Meant for text without escape sequences: paint what is left.
  public static func cut(_ text: String, to limit: Int) -> String {
    guard limit > 0 else { return "" }
    guard columns(of: text) > limit else { return text }
    var kept = ""
    var total = 0
    for character in text {
      let width = isWide(character) ? 2 : 1
      guard total + width < limit else { break }
      kept.append(character)
      total += width
    }
    return kept + "…"
  }

  /// Paragraph text broken at spaces into lines that fit, each after an indent of so many spaces.
  ///
  /// A word longer than a line stands alone and overhangs: a path or a name must stay whole.
  public func wrap(_ text: String, indent: Int = 0) -> [String] {
    let margin = String(repeating: " ", count: indent)
    let room = max(10, width - indent)
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if line.isEmpty {
        line = String(word)
      } else if Self.columns(of: line) + 1 + Self.columns(of: word) <= room {
        line += " " + word
      } else {
        lines.append(margin + line)
        line = String(word)
      }
    }
    if !line.isEmpty { lines.append(margin + line) }
    return lines
  }
}
