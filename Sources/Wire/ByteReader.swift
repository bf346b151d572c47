/// Why bytes could not be decoded.
public struct DecodeError: Error, Hashable, Sendable {
  /// Bytes from the start of what was being decoded.
  public var offset: Int
  /// What should have been there, in the protocol's own words.
  public var expected: String
  /// The rule that was broken, such as `MQTT-3.1.2-3`; empty when the bytes just end too early.
  public var rule: String

  public init(offset: Int, expected: String, rule: String = "") {
    self.offset = offset
    self.expected = expected
    self.rule = rule
  }
}

/// A bounds-checked cursor over borrowed bytes; multi-byte integers are big endian.
///
/// Nothing is copied before a caller asks for an `Array` or a `String`.
public struct ByteReader: ~Escapable {
  @usableFromInline let span: RawSpan
  // `@inlinable` throughout: decoders live in other modules, and a call for each byte would cost
  // more than the load.
  @usableFromInline var position: Int

  @inlinable
  @_lifetime(copy span)
  public init(_ span: RawSpan) {
    self.span = span
    self.position = 0
  }

  @inlinable public var offset: Int { position }
  @inlinable public var remaining: Int { span.byteCount - position }
  @inlinable public var isAtEnd: Bool { position == span.byteCount }

  @inlinable
  mutating func take(_ count: Int, _ what: StaticString) throws(DecodeError) -> Int {
    guard remaining >= count else { throw shortage(count, what) }
    defer { position += count }
    return position
  }

  /// Kept out of line: building the message is the slow way, and rare.
  @usableFromInline
  @inline(never)
  func shortage(_ count: Int, _ what: StaticString) -> DecodeError {
    DecodeError(
      offset: position, expected: "\(what): \(count) bytes, but only \(remaining) are left")
  }

  @inlinable
  public mutating func readUInt8(_ what: StaticString) throws(DecodeError) -> UInt8 {
    unsafe span.unsafeLoad(fromByteOffset: try take(1, what), as: UInt8.self)
  }

  @inlinable
  public mutating func readUInt16(_ what: StaticString) throws(DecodeError) -> UInt16 {
    let at = try take(2, what)
    return unsafe UInt16(bigEndian: span.unsafeLoadUnaligned(fromByteOffset: at, as: UInt16.self))
  }

  @inlinable
  public mutating func readUInt32(_ what: StaticString) throws(DecodeError) -> UInt32 {
    let at = try take(4, what)
    return unsafe UInt32(bigEndian: span.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
  }

  public mutating func readBytes(_ count: Int, _ what: StaticString) throws(DecodeError) -> [UInt8]
  {
    let at = try take(count, what)
    return unsafe span.extracting(at..<at + count).withUnsafeBytes { unsafe Array($0) }
  }

  /// The next bytes, borrowed: valid as long as what the reader reads.
  @inlinable
  @_lifetime(copy self)
  public mutating func readSpan(_ count: Int, _ what: StaticString) throws(DecodeError) -> RawSpan {
    let at = try take(count, what)
    return span.extracting(at..<at + count)
  }

  @inlinable
  public mutating func skip(_ count: Int, _ what: StaticString) throws(DecodeError) {
    _ = try take(count, what)
  }

  @inlinable
  public mutating func seek(to offset: Int) {
    precondition((0...span.byteCount).contains(offset), "seek outside of the bytes")
    self.position = offset
  }
}
