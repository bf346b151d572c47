/// How frames are written on a connection.
public enum APNsFraming: Hashable, Sendable {
  case serial
  /// With the limits of the value tables, by direction.
  case packed(toServer: Int, toClient: Int)

  public static let usualPacked = APNsFraming.packed(
    toServer: APNsPackedTables.usualLimit, toClient: APNsPackedTables.usualLimit)

  /// By the name that the two ends agreed on (ALPN). `apns-pack-v1:a:b` has the limits of the
  /// tables that the client encodes and decodes with; `nil` for names that are no courier's.
  public init?(applicationProtocol name: String) {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    guard let first = parts.first else { return nil }
    if first.hasPrefix("apns-security-") {
      self = .serial
    } else if first.hasPrefix("apns-pack-") {
      let limits = parts.dropFirst().map { Int($0) }
      if limits.count == 2, let toServer = limits[0], let toClient = limits[1] {
        self = .packed(toServer: toServer, toClient: toClient)
      } else {
        self = .usualPacked
      }
    } else {
      return nil
    }
  }

  public var name: String {
    switch self {
    case .serial: "serial"
    case .packed: "packed"
    }
  }
}

/// Cuts one direction of a connection into frames, wherever its bytes were cut before.
public struct APNsFramer: Sendable {
  private enum Reader: Sendable {
    case serial
    case packed(APNsPackedDecoder)
  }

  /// The frame that is not complete.
  private var pending: [UInt8] = []
  /// How long that will be; 0 while not known.
  private var needed = 0
  private var reader: Reader
  /// The next byte begins a frame, or goes on with what is pending.
  private(set) var isSynchronised = true
  /// The stream offset behind the last frame.
  private(set) var offset: UInt64

  /// - Parameters:
  ///   - tableLimit: of the value table of this direction; serial framing has none.
  ///   - offset: of the first byte in its stream.
  public init(_ framing: APNsFraming, tableLimit: Int, startingAt offset: UInt64) {
    switch framing {
    case .serial: reader = .serial
    case .packed: reader = .packed(APNsPackedDecoder(limit: tableLimit))
    }
    self.offset = offset
  }

  /// Bytes of the frame that is not complete.
  public var pendingBytes: Int { pending.count }

  /// Bytes are missing where nobody can find the next frame again.
  var isOutOfStep: Bool {
    guard case .packed = reader else { return false }
    return !isSynchronised
  }

  /// Nothing more can be read: without the bytes before, nobody knows the tables.
  var isLost: Bool {
    guard case .packed(let decoder) = reader else { return false }
    return !isSynchronised || decoder.hasLostTables
  }

  /// - Parameters:
  ///   - start: the stream offset of the bytes.
  ///   - take: called with each frame and the stream offset behind it.
  /// - Throws: when nothing behind can be read.
  public mutating func read(
    _ bytes: [UInt8], at start: UInt64, _ take: (APNsDecodedFrame, UInt64) -> Void
  ) throws(APNsViolation) {
    if !isSynchronised {
      // Writers rarely begin a segment inside of a frame: one that is all frames is trusted.
      guard case .serial = reader, APNsSerialFraming.isChain(bytes) else { return }
      isSynchronised = true
      offset = start
    }
    pending += bytes
    // A long frame may come in many pieces: each is looked at once.
    if pending.count < needed { return }
    var used = 0
    needed = 0
    do {
      while let next = try next(pending[used...]) {
        if next.length > pending.count - used {
          needed = next.length
          break
        }
        offset += UInt64(next.length)
        take(decode(pending[used..<(used + next.length)], next.header), offset)
        used += next.length
      }
    } catch {
      // Nothing behind it can be read, so nothing waits.
      pending = []
      throw error
    }
    pending.removeFirst(used)
  }

  private func next(
    _ bytes: ArraySlice<UInt8>
  ) throws(APNsViolation) -> (header: Int, length: Int)? {
    switch reader {
    case .serial:
      let length = try APNsSerialFraming.length(bytes)
      return length.map { (APNsSerialFraming.headerLength, $0) }
    case .packed:
      let lengths = try APNsPackedDecoder.length(bytes)
      return lengths.map { ($0.header, $0.header + $0.body) }
    }
  }

  private mutating func decode(_ bytes: ArraySlice<UInt8>, _ header: Int) -> APNsDecodedFrame {
    switch reader {
    case .serial: return APNsSerialFraming.decode(bytes)
    case .packed(var decoder):
      // Out of the enum while it changes, so that its tables are not copied.
      reader = .serial
      let decoded = decoder.decode(bytes, header: header)
      reader = .packed(decoder)
      return decoded
    }
  }

  /// Bytes are missing: the next ones may be in the middle of a frame.
  mutating func miss(upTo end: UInt64) {
    pending = []
    needed = 0
    isSynchronised = false
    offset = end
  }
}
