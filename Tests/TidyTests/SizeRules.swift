/// Something that a rule does not like, and where.
struct Complaint: Hashable, CustomStringConvertible {
  var path: String
  /// From 1; 0 when the whole file is meant.
  var line: Int
  var what: String

  var description: String { line > 0 ? "\(path):\(line): \(what)" : "\(path): \(what)" }
}

/// How much a person has to take in at once.
enum SizeRules {
  static let longestFile = 600
  /// From here on a file should be thought about.
  static let longFile = 450
  static let longestFunction = 70
  static let widestLine = 100

  static func fileLength(_ source: SwiftSource, limit: Int) -> [Complaint] {
    // The empty line after the last line break is none.
    let count = source.lines.last == "" ? source.lines.count - 1 : source.lines.count
    return count > limit
      ? [Complaint(path: source.path, line: 0, what: "\(count) lines, more than \(limit)")] : []
  }

  static func lineWidth(_ source: SwiftSource) -> [Complaint] {
    source.lines.enumerated().compactMap { index, line in
      // Bytes are never fewer than characters, and are counted at once.
      guard line.utf8.count > widestLine, line.count > widestLine else { return nil }
      return Complaint(
        path: source.path, line: index + 1, what: "\(line.count) columns, more than \(widestLine)")
    }
  }

  /// Functions by their line count, from the line of the declaration to its closing brace.
  static func functionLength(_ source: SwiftSource) -> [Complaint] {
    source.code.indices.compactMap { index in
      guard declaresFunction(source.code[index]),
        let end = endOfBody(in: source.code, from: index), end - index + 1 > longestFunction
      else { return nil }
      return Complaint(
        path: source.path, line: index + 1,
        what: "a function of \(end - index + 1) lines, more than \(longestFunction)")
    }
  }

  /// A declaration begins its line, after attributes and modifiers only. Approximate: a declaration
  /// whose attributes hold parentheses with spaces is not seen.
  private static func declaresFunction(_ line: Substring) -> Bool {
    guard line.contains("func") || line.contains("init") || line.contains("subscript") else {
      return false
    }
    for word in line.split(separator: " ") {
      if word.hasPrefix("func") && word.count == 4 { return true }
      if word.hasPrefix("init(") || word.hasPrefix("init<") || word.hasPrefix("init?") {
        return true
      }
      if word.hasPrefix("subscript(") || word.hasPrefix("subscript<") { return true }
      // Modifiers are lower-case words, attributes begin with an at sign.
      let isModifier = word.allSatisfy { $0.isLowercase || $0 == "(" || $0 == ")" }
      guard word.hasPrefix("@") || isModifier else { return false }
    }
    return false
  }

  /// The line on which the body that starts at or after `start` is closed; `nil` for a requirement
  /// of a protocol, which has none.
  private static func endOfBody(in code: [Substring], from start: Int) -> Int? {
    var braces = 0
    for index in start..<code.count {
      let isNewDeclaration = index > start && declaresFunction(code[index])
      if braces == 0, isNewDeclaration { return nil }
      for character in code[index].utf8 {
        if character == UInt8(ascii: "{") { braces += 1 }
        if character == UInt8(ascii: "}") {
          if braces == 0 { return nil }
          braces -= 1
          if braces == 0 { return index }
        }
      }
    }
    return nil
  }
}
