/// Text on the wire: a 16-bit length and as many bytes of UTF-8 (MQTT 5.0 §1.5.4).
enum MQTTText {
  /// What the standard has against these bytes as text; `nil` for good text.
  ///
  /// Ill-formed UTF-8 includes encoded surrogates and overlong forms (RFC 3629 §3). Control
  /// characters and non-characters are only discouraged, and U+FEFF is a character like others.
  static func problem(in bytes: RawSpan) -> MQTTRule? {
    var hasNul = false
    var index = 0
    let count = bytes.byteCount
    while index < count {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      if byte < 0x80 {
        hasNul = hasNul || byte == 0
        index += 1
      } else {
        guard let length = scalarLength(bytes, at: index, lead: byte) else {
          return .illFormedText
        }
        index += length
      }
    }
    return hasNul ? .nulInText : nil
  }

  /// The length of the well-formed scalar at `index`, by the table of RFC 3629 §4.
  private static func scalarLength(_ bytes: RawSpan, at index: Int, lead: UInt8) -> Int? {
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    case 0xF1...0xF3: length = 4
    default: return nil
    }
    guard index + length <= bytes.byteCount else { return nil }
    for position in 1..<length {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index + position, as: UInt8.self)
      guard position == 1 ? second.contains(byte) : (0x80...0xBF).contains(byte) else {
        return nil
      }
    }
    return length
  }

  /// Whether '+' or '#' stands anywhere.
  static func hasWildcard(_ bytes: RawSpan) -> Bool {
    for index in 0..<bytes.byteCount {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "#") { return true }
    }
    return false
  }

  /// Ill-formed bytes become U+FFFD: the text is for people then, a violation was reported.
  static func string(_ bytes: RawSpan) -> String {
    unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
