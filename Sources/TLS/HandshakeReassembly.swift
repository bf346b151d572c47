/// Types of handshake messages that are looked at (RFC 8446 §4, RFC 5246 §7.4).
enum HandshakeType: UInt8 {
  case clientHello = 1
  case serverHello = 2
  case newSessionTicket = 4
  case endOfEarlyData = 5
  case helloRetryRequestOfDrafts = 6
  case encryptedExtensions = 8
  case serverHelloDone = 14
  case finished = 20
  case keyUpdate = 24
}

/// Puts handshake messages together out of records: many in one, or one over many.
///
/// Messages that nobody looks at (certificates) are counted off, not kept.
struct HandshakeReassembly {
  /// More than a ticket can have, which are the longest messages of interest.
  private static let longestMessage = 1 << 17

  private var partial: [UInt8] = []
  private var bytesToSkip = 0

  /// Whether a message began that has not ended.
  var isInside: Bool { !partial.isEmpty || bytesToSkip > 0 }

  /// Bytes that are kept of it.
  var pendingBytes: Int { partial.count }

  /// Takes the content of a record and returns the messages that it completes.
  mutating func receive(_ content: [UInt8]) -> [(type: HandshakeType, body: [UInt8])] {
    var messages: [(type: HandshakeType, body: [UInt8])] = []
    var rest = content[...]
    while !rest.isEmpty {
      if bytesToSkip > 0 {
        let count = min(bytesToSkip, rest.count)
        bytesToSkip -= count
        rest = rest.dropFirst(count)
        continue
      }
      take(&rest, upTo: 4)
      guard partial.count >= 4 else { break }
      let length = Int(partial[1]) << 16 | Int(partial[2]) << 8 | Int(partial[3])
      guard let type = HandshakeType(rawValue: partial[0]), length <= Self.longestMessage else {
        partial = []
        bytesToSkip = length
        continue
      }
      take(&rest, upTo: 4 + length)
      guard partial.count == 4 + length else { break }
      messages.append((type, Array(partial[4...])))
      partial = []
    }
    return messages
  }

  private mutating func take(_ rest: inout ArraySlice<UInt8>, upTo count: Int) {
    let missing = max(0, count - partial.count)
    partial += rest.prefix(missing)
    rest = rest.dropFirst(missing)
  }

  /// Bytes are missing: what began is lost.
  mutating func reset() { self = HandshakeReassembly() }
}
