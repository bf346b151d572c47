import Wire

/// The rest of a packet, while its layers are peeled off from the outside in.
///
/// Two ends are kept, because they differ in truncated and in padded packets: `end` is where the
/// captured bytes of this layer stop, `wireEnd` where they stopped on the wire. `wireEnd` may lie
/// beyond the captured bytes (snap length), `end` never does.
struct PacketCursor: ~Escapable {
  let bytes: RawSpan
  private(set) var offset = 0
  private(set) var end: Int
  private(set) var wireEnd: Int
  private var isLimited = false
  /// Of the innermost IP header so far.
  var source = IPAddress()
  var destination = IPAddress()
  /// Notes of one layer for the next: radiotap told of padding, GRE had a sequence number.
  var isPadded = false
  var isNumbered = false
  /// Of the last `.fragment` layer.
  var fragment = IPFragment()

  /// - Parameter wireLength: the length before the snap length cut it; a smaller value than the
  ///   captured length is a damaged record and is raised to it.
  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, wireLength: Int) {
    self.bytes = bytes
    self.end = bytes.byteCount
    self.wireEnd = max(wireLength, bytes.byteCount)
  }

  /// Captured bytes that are left.
  var remaining: Int { end - offset }
  /// Bytes that were left on the wire; at least `remaining`.
  var wireRemaining: Int { wireEnd - offset }

  /// The captured rest.
  var rest: RawSpan {
    @_lifetime(copy self) get {
      // After a skip beyond the captured bytes both ends lie outside of them.
      bytes.extracting(min(offset, bytes.byteCount)..<min(end, bytes.byteCount))
    }
  }

  /// Whether `count` bytes from here on were captured: ask before reading them.
  func has(_ count: Int) -> Bool { count <= end - offset }

  func uint8(_ at: Int) -> UInt8 {
    unsafe bytes.unsafeLoad(fromByteOffset: offset + at, as: UInt8.self)
  }

  func uint16(_ at: Int) -> UInt16 {
    unsafe UInt16(
      bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + at, as: UInt16.self))
  }

  func uint32(_ at: Int) -> UInt32 {
    unsafe UInt32(
      bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + at, as: UInt32.self))
  }

  func uint64(_ at: Int) -> UInt64 {
    unsafe UInt64(
      bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset + at, as: UInt64.self))
  }

  /// Moves past a header. Beyond the captured bytes nothing remains, while `wireRemaining` still
  /// says what followed on the wire.
  mutating func skip(_ count: Int) {
    precondition(count >= 0, "a header of \(count) bytes")
    offset += count
    end = max(end, offset)
    wireEnd = max(wireEnd, offset)
  }

  /// Leaves `length` bytes on the wire for the layers inside; what follows is padding.
  ///
  /// The frame's own length may be wrong (tools that cut packets lower it), so the first layer with
  /// a length is believed even when that is longer. Layers inside of it can only be shorter.
  mutating func limit(to length: Int) {
    precondition(length >= 0, "a layer of \(length) bytes")
    wireEnd = isLimited ? min(wireEnd, offset + length) : offset + length
    isLimited = true
    end = max(offset, min(end, wireEnd))
  }
}

/// An address of either family as two words: comparing and hashing take no loop.
struct IPAddress: Hashable, Comparable, BitwiseCopyable {
  var high: UInt64 = 0
  var low: UInt64 = 0
  var isIPv6 = false

  static func < (a: Self, b: Self) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }
}
