import Wire

/// A record as it stood on the wire.
struct TLSRecord {
  var header: RecordHeader
  var payload: [UInt8]
  /// Where it stands in the TCP stream.
  var range: Range<UInt64>
  /// Of the segment that completed it.
  var moment: Moment
}

/// One direction of a connection in TLS.
///
/// A class, because a struct that a coroutine yields was read after it was freed (Swift 6.3.1, with
/// optimisation).
final class TLSStream {
  /// How the bytes are cut into records.
  enum Framing: Equatable {
    case records
    /// Bytes are missing: the next border has to be found, and to be proven.
    case searching(RecordSearch)
    /// What comes is no record any more.
    case broken
  }

  /// What is done with a record.
  ///
  ///     plain ──► awaitingKeys ──► sealed12 / sealed13 ──► opaque
  enum Phase {
    case plain
    /// Encrypted, and it takes the other direction's hello to know how. Records are held.
    case awaitingKeys(afterChangeCipherSpec: Bool)
    case sealed12(RecordCipher, sequence: UInt64)
    case sealed13(TrafficKeys)
    /// Will not be opened.
    case opaque(Secrecy)
  }

  var framing = Framing.records
  var phase = Phase.plain
  /// A record that is not complete.
  var buffer: [UInt8] = []
  /// What is still to come of a record of which a part is missing.
  var bytesToSkip = 0
  /// Behind the last byte that came.
  var tcpOffset: UInt64
  var plaintextOffset: UInt64
  var marks: EnvelopeMarks
  var held: [TLSRecord] = []
  var heldBytes = 0
  var handshake = HandshakeReassembly()
  /// What `UnfinishedBytes` knows of.
  var counted = 0
  var decompression: RecordDecompression?
  /// Whether records may be missing since the last one that was opened, and how many.
  var slack = 0
  /// The explicit nonce of the last record that was opened: where it counts, it tells how many
  /// records are missing.
  var lastExplicitNonce: UInt64?
  /// Records that didn't open, of early data that the server refused.
  var skipsUnreadable = false

  init(offset: UInt64 = 0) {
    tcpOffset = offset
    plaintextOffset = offset
    marks = EnvelopeMarks(offset: offset)
  }

  var isAwaitingKeys: Bool {
    if case .awaitingKeys = phase { true } else { false }
  }

  var isPlain: Bool {
    if case .plain = phase { true } else { false }
  }

  var isOpaque: Bool {
    if case .opaque = phase { true } else { false }
  }

  /// Empties the buffer, and lets go of its memory when it is large.
  func clearBuffer() {
    if buffer.capacity > 2048 { buffer = [] } else { buffer.removeAll(keepingCapacity: true) }
  }
}

/// The search for the border of a record behind a hole.
struct RecordSearch: Equatable {
  /// Bytes that may still be decrypted on trial: bounds what hostile bytes can cost.
  var budget = 8 << 20
  /// How many records can be missing, at most.
  var missingRecords: Int

  /// More guesses than this are not made for one record.
  static let mostGuesses = 256
  /// The shortest record that is protected: header, one byte, tag.
  static let shortestRecord = 5 + 1 + 16

  init(missingBytes: UInt64) {
    missingRecords = Int(
      min(missingBytes / UInt64(Self.shortestRecord) + 1, UInt64(Self.mostGuesses)))
  }

  mutating func widen(by missingBytes: UInt64) {
    let more = RecordSearch(missingBytes: missingBytes).missingRecords
    missingRecords = min(missingRecords + more, Self.mostGuesses)
  }
}
