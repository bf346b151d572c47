/// Writes JSON with the keys in the order in which they are given: the same bytes every time.
///
/// Two spaces of indentation; an object or array whose members are all plain values stays on one
/// line, so that a list of custody events reads like a table.
struct JSONText {
  indirect enum Value {
    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    /// Digits that are JSON already, such as a decimal fraction.
    case number(String)
    case string(String)
    case array([Value])
    case object([(String, Value)])

    static func optional(_ text: String?) -> Value { text.map(Value.string) ?? .null }

    fileprivate var isPlain: Bool {
      switch self {
      case .null, .bool, .integer, .unsigned, .number, .string: true
      case .array, .object: false
      }
    }

    fileprivate var fitsOneLine: Bool {
      switch self {
      case .null, .bool, .integer, .unsigned, .number, .string: true
      case .array(let values): values.allSatisfy(\.isPlain)
      case .object(let members): members.allSatisfy(\.1.isPlain)
      }
    }
  }

  private var text = ""

  /// One member of a document that is too long to be built as a whole.
  enum Member {
    case value(Value)
    /// Elements of an array, made and written one after the other.
    case elements((_ write: (Value) -> Void) -> Void)
  }

  /// How much is written at a time.
  private static let piece = 1 << 16

  /// The same bytes as `write` gives for an object of these members.
  static func write(_ members: [(String, Member)], to sink: (String) -> Void) {
    var writer = JSONText()
    for (index, (key, member)) in members.enumerated() {
      writer.text += (index == 0 ? "{\n" : ",\n") + "  "
      writer.appendString(key)
      writer.text += ": "
      switch member {
      case .value(let value): writer.append(value, indent: 2)
      case .elements(let each):
        var count = 0
        each { element in
          writer.text += (count == 0 ? "[\n" : ",\n") + "    "
          count += 1
          writer.append(element, indent: 4)
          if writer.text.utf8.count >= Self.piece {
            sink(writer.text)
            writer.text.removeAll(keepingCapacity: true)
          }
        }
        writer.text += count == 0 ? "[]" : "\n  ]"
      }
    }
    sink(writer.text + "\n}\n")
  }

  static func write(_ value: Value) -> String {
    var writer = JSONText()
    writer.append(value, indent: 0)
    return writer.text + "\n"
  }

  /// On one line, for JSON lines.
  static func line(_ value: Value) -> String {
    var writer = JSONText()
    writer.appendFlat(value)
    return writer.text
  }

  private mutating func append(_ value: Value, indent: Int) {
    // The outermost levels are opened up even when they would fit.
    if value.fitsOneLine, indent >= 2 || value.isPlain {
      appendFlat(value)
      return
    }
    let margin = String(repeating: " ", count: indent + 2)
    switch value {
    case .null, .bool, .integer, .unsigned, .number, .string: appendFlat(value)
    case .array(let values):
      if values.isEmpty {
        text += "[]"
        return
      }
      for (index, element) in values.enumerated() {
        text += (index == 0 ? "[\n" : ",\n") + margin
        append(element, indent: indent + 2)
      }
      text += "\n" + String(repeating: " ", count: indent) + "]"
    case .object(let members):
      for (index, (key, element)) in members.enumerated() {
        text += (index == 0 ? "{\n" : ",\n") + margin
        appendString(key)
        text += ": "
        append(element, indent: indent + 2)
      }
      text += "\n" + String(repeating: " ", count: indent) + "}"
    }
  }

  private mutating func appendFlat(_ value: Value) {
    switch value {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .unsigned(let value): text += String(value)
    case .number(let digits): text += digits
    case .string(let value): appendString(value)
    case .array(let values):
      text += "["
      for (index, element) in values.enumerated() {
        if index > 0 { text += ", " }
        appendFlat(element)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, (key, element)) in members.enumerated() {
        if index > 0 { text += ", " }
        appendString(key)
        text += ": "
        appendFlat(element)
      }
      text += "}"
    }
  }

  /// RFC 8259 §7: quotes, backslashes and control characters are escaped, all else is as it is.
  private mutating func appendString(_ value: String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      case _: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
