import Wire

/// Undoes the compression of TLS 1.2 and before (RFC 3749): one zlib stream over all records of a
/// direction, flushed behind each.
struct RecordDecompression {
  static let none: UInt8 = 0
  static let deflate: UInt8 = 1

  /// What a record may hold in the clear (RFC 5246 §6.2.1).
  private static let longestContent = 1 << 14

  private var inflater = Inflater()
  private var sawHeader = false

  /// `nil` when it isn't such a stream; nothing may follow then.
  mutating func expand(_ content: [UInt8]) -> [UInt8]? {
    guard !content.isEmpty else { return [] }
    var rest = content[...]
    if !sawHeader {
      // RFC 1950 §2.2: method 8, a multiple of 31, no dictionary.
      guard rest.count >= 2, rest[0] & 0x0f == 8, rest[1] & 0x20 == 0,
        (Int(rest[0]) << 8 | Int(rest[1])) % 31 == 0
      else { return nil }
      sawHeader = true
      rest = rest.dropFirst(2)
    }
    return try? inflater.inflate(rest, limit: Self.longestContent)
  }
}
