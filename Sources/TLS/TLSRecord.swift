import Wire

/// Content types of records (RFC 8446 §5.1).
enum ContentType: UInt8 {
  case changeCipherSpec = 20
  case alert = 21
  case handshake = 22
  case applicationData = 23
  case heartbeat = 24
}

/// The five bytes in front of each record (RFC 8446 §5.1, RFC 5246 §6.2.1).
struct RecordHeader: Equatable {
  static let size = 5
  /// 2^14 bytes of plaintext and 2048 of expansion: what TLS 1.2 allows, the most of all versions.
  static let largestPayload = 1 << 14 + 2048

  var type: UInt8
  var version: UInt16
  var length: Int

  /// `nil` when this can't be the header of a record.
  init?(_ bytes: some RandomAccessCollection<UInt8>) {
    guard bytes.count >= Self.size else { return nil }
    var at = bytes.startIndex
    func next() -> UInt8 {
      defer { at = bytes.index(after: at) }
      return bytes[at]
    }
    type = next()
    version = UInt16(next()) << 8 | UInt16(next())
    length = Int(next()) << 8 | Int(next())
    guard ContentType(rawValue: type) != nil, version >> 8 == 3, version & 0xff <= 4 else {
      return nil
    }
    guard length <= Self.largestPayload else { return nil }
  }
}

/// Whether the first bytes of a direction are TLS.
enum TLSDetection {
  case isTLS
  case isSomethingElse
  /// More bytes are needed.
  case undecided

  /// How many bytes settle it.
  static let longestPrefix = 11

  /// - Parameter fromStart: the bytes are the first after the TCP handshake. A connection that
  ///   began before the capture may show any record first, else only a hello will do.
  static func judge(_ bytes: some RandomAccessCollection<UInt8>, fromStart: Bool) -> TLSDetection {
    let prefix = Array(bytes.prefix(longestPrefix))
    guard let first = prefix.first else { return .undecided }
    if first & 0x80 != 0 { return judgeOldHello(prefix) }
    guard let type = ContentType(rawValue: first) else { return .isSomethingElse }
    if prefix.count > 1, prefix[1] != 3 { return .isSomethingElse }
    if prefix.count > 2, prefix[2] > 4 { return .isSomethingElse }
    guard prefix.count >= RecordHeader.size else { return .undecided }
    guard let header = RecordHeader(prefix), header.length > 0 else { return .isSomethingElse }
    switch type {
    case .handshake:
      guard prefix.count >= 6 else { return .undecided }
      // ClientHello, ServerHello; in the middle of a connection a handshake record is encrypted.
      return prefix[5] == 1 || prefix[5] == 2 || !fromStart ? .isTLS : .isSomethingElse
    case .alert:
      // A server may refuse before it says hello.
      return header.length == 2 || !fromStart ? .isTLS : .isSomethingElse
    case .changeCipherSpec:
      return !fromStart && header.length == 1 ? .isTLS : .isSomethingElse
    case .applicationData:
      return !fromStart ? .isTLS : .isSomethingElse
    case .heartbeat:
      return .isSomethingElse
    }
  }

  /// A ClientHello in the clothes of SSL 2.0 (RFC 5246 appendix E.2): length with the top bit set,
  /// message type 1, version 3.x, then a length of cipher specs that is a multiple of 3, a length
  /// of session identifier, and one of challenge.
  private static func judgeOldHello(_ prefix: [UInt8]) -> TLSDetection {
    if prefix.count > 2, prefix[2] != 1 { return .isSomethingElse }
    if prefix.count > 3, prefix[3] != 3 { return .isSomethingElse }
    if prefix.count > 4, prefix[4] > 4 { return .isSomethingElse }
    guard prefix.count >= longestPrefix else { return .undecided }
    func number(_ at: Int) -> Int { Int(prefix[at]) << 8 | Int(prefix[at + 1]) }
    let length = number(0) & 0x7fff
    let isSound = number(5) % 3 == 0 && 9 + number(5) + number(7) + number(9) == length
    return isSound && (16...32).contains(number(9)) ? .isTLS : .isSomethingElse
  }
}
