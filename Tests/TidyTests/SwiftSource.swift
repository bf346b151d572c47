/// A Swift file as the rules see it: its lines as written, and its code alone.
struct SwiftSource {
  /// From the root of the repository, such as `Sources/Wire/ByteReader.swift`.
  let path: String
  let lines: [Substring]
  /// The same lines with comments and the insides of string literals blanked out, so that a rule
  /// about code can't be broken by prose.
  let code: [Substring]

  init(path: String, text: String) {
    self.path = path
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    code = Self.codeOnly(text).split(separator: "\n", omittingEmptySubsequences: false)
  }

  /// The target that the file belongs to: `Wire`.
  var target: Substring {
    path.split(separator: "/").dropFirst().first ?? ""
  }

  /// The file's name without folder and extension: `ByteReader`.
  var name: Substring {
    let last = path.split(separator: "/").last ?? ""
    return last.split(separator: ".").first ?? ""
  }

  /// The text with comments and the insides of string literals replaced by spaces; interpolated
  /// code goes with its literal. Line breaks stay.
  static func codeOnly(_ text: String) -> String {
    var mask = CodeMask(bytes: Array(text.utf8))
    mask.skipCode(untilParenthesis: false)
    return String(decoding: mask.bytes, as: UTF8.self)
  }
}

/// Blanks what is not code, byte by byte.
private struct CodeMask {
  var bytes: [UInt8]
  var position = 0

  private func at(_ offset: Int) -> UInt8? {
    position + offset < bytes.count ? bytes[position + offset] : nil
  }

  private func sees(_ text: String) -> Bool {
    bytes[position...].starts(with: text.utf8)
  }

  private mutating func blank(_ count: Int) {
    for _ in 0..<count where position < bytes.count {
      if bytes[position] != UInt8(ascii: "\n") { bytes[position] = UInt8(ascii: " ") }
      position += 1
    }
  }

  /// Goes over code up to the end, or up to the parenthesis that closes an interpolation.
  mutating func skipCode(untilParenthesis: Bool) {
    var depth = 0
    while let byte = at(0) {
      if sees("//") {
        while let next = at(0), next != UInt8(ascii: "\n") { blank(1) }
      } else if sees("/*") {
        skipBlockComment()
      } else if byte == UInt8(ascii: "\"") || (byte == UInt8(ascii: "#") && startsRawString()) {
        skipString()
      } else {
        if byte == UInt8(ascii: "(") { depth += 1 }
        if byte == UInt8(ascii: ")") {
          depth -= 1
          if untilParenthesis, depth < 0 { return }
        }
        if untilParenthesis { blank(1) } else { position += 1 }
      }
    }
  }

  private func startsRawString() -> Bool {
    var offset = 0
    while at(offset) == UInt8(ascii: "#") { offset += 1 }
    return at(offset) == UInt8(ascii: "\"")
  }

  private mutating func skipBlockComment() {
    var depth = 0
    repeat {
      if sees("/*") {
        depth += 1
        blank(2)
      } else if sees("*/") {
        depth -= 1
        blank(2)
      } else {
        blank(1)
      }
    } while depth > 0 && position < bytes.count
  }

  /// Skips a literal with its quotes left standing; one, three, raw.
  private mutating func skipString() {
    var hashes = 0
    while at(0) == UInt8(ascii: "#") {
      hashes += 1
      position += 1
    }
    let quotes = sees("\"\"\"") ? 3 : 1
    position += quotes
    while let byte = at(0) {
      if byte == UInt8(ascii: "\\"), follows(1, UInt8(ascii: "#"), hashes) {
        blank(1 + hashes)
        if at(0) == UInt8(ascii: "(") {
          blank(1)
          skipCode(untilParenthesis: true)
        }
        blank(1)
      } else if byte == UInt8(ascii: "\""), follows(0, byte, quotes),
        follows(quotes, UInt8(ascii: "#"), hashes)
      {
        position += quotes + hashes
        return
      } else if quotes == 1, byte == UInt8(ascii: "\n") {
        return  // Not valid Swift; the rest of the file should not vanish for it.
      } else {
        blank(1)
      }
    }
  }

  private func follows(_ offset: Int, _ byte: UInt8, _ count: Int) -> Bool {
    (0..<count).allSatisfy { at(offset + $0) == byte }
  }
}
