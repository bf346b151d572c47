/// One word of a scenario file.
struct ScenarioToken: Hashable, Sendable {
  var text: String
  /// From 1, in characters.
  var column: Int
  /// A quoted word is a name or a value, never a keyword.
  var quoted: Bool
}

struct ScenarioLine: Sendable {
  var number: Int
  var text: String
  var tokens: [ScenarioToken]
}

/// Splits lines into words and puts words into quotes.
enum ScenarioLexer {
  struct Failure: Error {
    var column: Int
    var problem: String
    var advice: String
  }

  static func tokens(of line: some StringProtocol) throws(Failure) -> [ScenarioToken] {
    let characters = Array(line)
    var tokens: [ScenarioToken] = []
    var index = 0
    while index < characters.count {
      let character = characters[index]
      if character == " " || character == "\t" || character == "\r" {
        index += 1
      } else if character == "#" {
        break
      } else if character == "\"" {
        tokens.append(try quoted(characters, from: &index))
      } else {
        let start = index
        while index < characters.count, !isSeparator(characters[index]) { index += 1 }
        let text = String(characters[start..<index])
        tokens.append(ScenarioToken(text: text, column: start + 1, quoted: false))
      }
    }
    return tokens
  }

  private static func isSeparator(_ character: Character) -> Bool {
    character == " " || character == "\t" || character == "\r"
  }

  private static func quoted(
    _ characters: [Character], from index: inout Int
  ) throws(Failure) -> ScenarioToken {
    let start = index
    var text = ""
    index += 1
    while index < characters.count, characters[index] != "\"" {
      guard characters[index] == "\\" else {
        text.append(characters[index])
        index += 1
        continue
      }
      index += 1
      guard index < characters.count, let meant = escape(characters, at: &index) else {
        throw Failure(
          column: index, problem: "unknown escape after a backslash",
          advice: #"Write \\, \", \n, \r, \t or \u{1F}."#)
      }
      text.unicodeScalars.append(meant)
    }
    guard index < characters.count else {
      throw Failure(
        column: start + 1, problem: "a quote is not closed", advice: "End the word with a \".")
    }
    index += 1
    return ScenarioToken(text: text, column: start + 1, quoted: true)
  }

  private static func escape(
    _ characters: [Character], at index: inout Int
  ) -> Unicode.Scalar? {
    defer { index += 1 }
    switch characters[index] {
    case "\\": return "\\"
    case "\"": return "\""
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "u":
      guard index + 1 < characters.count, characters[index + 1] == "{",
        let end = characters[index...].firstIndex(of: "}"),
        let value = UInt32(String(characters[(index + 2)..<end]), radix: 16)
      else { return nil }
      index = end
      return Unicode.Scalar(value)
    default: return nil
    }
  }

  /// The word as it can stand in a file: quoted when it has to be.
  ///
  /// - Parameter reserved: words that mean something else at this place.
  static func word(_ text: String, reserved: [String] = []) -> String {
    // Nearly all words; Unicode's tables are slow.
    let isASCII = text.utf8.allSatisfy { $0 > 0x22 && $0 < 0x7f && $0 != 0x5c }
    if isASCII, let first = text.utf8.first, first != 0x23, !reserved.contains(text) { return text }
    let ordinary = text.unicodeScalars.allSatisfy { scalar in
      scalar.value > 0x20 && scalar.value != 0x7f && scalar != "\"" && scalar != "\\"
        && !scalar.properties.isWhitespace && scalar.properties.generalCategory != .control
    }
    // An accent at the beginning would become part of the space before it.
    let plain = ordinary && (" " + text).first == " " && (text + " ").last == " "
    if plain, let first = text.first, first != "#", !reserved.contains(text) { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": quoted += #"\\"#
      case "\"": quoted += #"\""#
      case "\n": quoted += #"\n"#
      case "\r": quoted += #"\r"#
      case "\t": quoted += #"\t"#
      default:
        // Escaped one by one where a neighbour could swallow it into one character.
        if scalar.value < 0x20 || scalar.value > 0x7e {
          quoted += "\\u{" + String(scalar.value, radix: 16) + "}"
        } else {
          quoted.unicodeScalars.append(scalar)
        }
      }
    }
    return quoted + "\""
  }
}
