public import Wire

/// One packet in the byte stream of one direction, not yet decoded.
public struct MQTTFrame: Hashable, Sendable {
  /// The stream offset of its first byte.
  public var start: UInt64
  /// The stream offset behind its last byte.
  public var end: UInt64
  /// Type and flags.
  public var firstByte: UInt8
  /// Bytes of the fixed header, 2 to 5.
  public var headerLength: Int

  public init(start: UInt64, end: UInt64, firstByte: UInt8, headerLength: Int) {
    self.start = start
    self.end = end
    self.firstByte = firstByte
    self.headerLength = headerLength
  }

  /// Bytes of the whole packet.
  public var length: Int { Int(end - start) }
  /// `nil` for the reserved type 0.
  public var type: MQTTPacketType? { MQTTPacketType(rawValue: firstByte >> 4) }
}

/// Cuts the byte stream of one direction into packets, however it was cut into segments.
///
/// Two ways in. `append` and `next` keep bytes until they are asked for. `read` hands out each
/// packet where it lies in the segment and copies only what a segment leaves unfinished; it is
/// what a capture of millions of packets wants. They may be mixed.
///
/// Memory grows with the bytes that arrived, never with the length that a packet claims. What
/// follows a broken header can't be cut: the error is thrown again until `gap` or
/// `resynchronise`. A packet beyond `maximumPacketSize` throws too, and can be passed over.
public struct MQTTFramer: Sendable {
  /// Bytes, the fixed header included. The protocol itself ends at 268,435,460.
  public var maximumPacketSize: Int
  /// The stream offset of the next byte to come.
  public private(set) var offset: UInt64
  /// After a gap nobody knows where a packet begins: bytes are kept for `resynchronise`.
  public private(set) var isSynchronised = true

  private var buffer: [UInt8] = []
  /// Bytes of `buffer` before it belong to packets that were handed out.
  private var head = 0
  /// Bytes that belong to a packet that is passed over.
  private var skipping = 0
  private var failure: DecodeError?
  /// Where the packet ends that was too large, if that is the failure.
  private var oversizedEnd: UInt64?
  /// The stream offset from which another search for a boundary is worth it.
  private var nextSearch: UInt64 = 0

  /// The protocol's own limit.
  @usableFromInline static let largestPacketSize = 268_435_460
  /// How many bytes are kept in the hope of finding a packet's beginning after a gap.
  private static let unsynchronisedLimit = 256 * 1024
  /// So few bytes are searched each time.
  private static let smallSearch = 1024
  /// Bytes that one search may decode: hostile ones look like packets at every place.
  private static let searchBudget = 1 << 22
  /// A buffer that grew beyond this is given back as soon as it is empty: a capture has
  /// thousands of connections.
  private static let keptCapacity = 64 * 1024

  public init(startingAt offset: UInt64 = 0, maximumPacketSize: Int = largestPacketSize) {
    self.offset = offset
    self.maximumPacketSize = maximumPacketSize
  }

  /// Bytes that came and belong to no packet yet.
  public var pendingBytes: Int { buffer.count - head }
  /// The stream offset of the first of them.
  public var pendingStart: UInt64 { offset - UInt64(pendingBytes) }

  // MARK: Bytes in, packets out

  /// Nothing is kept and nothing is wrong: the next byte begins a packet.
  var isAtBoundary: Bool {
    isSynchronised && skipping == 0 && failure == nil && head == buffer.count
  }

  /// The length of the whole packet at `position`, if it lies there in one piece.
  static func wholePacket(_ bytes: RawSpan, at position: Int) -> Int? {
    if position == bytes.byteCount { return nil }
    let rest = bytes.extracting(position..<bytes.byteCount)
    guard case .whole(_, let length) = measure(rest, limit: largestPacketSize) else { return nil }
    return length
  }

  /// Whole packets went by that others have read.
  mutating func pass(_ count: Int) {
    precondition(isAtBoundary, "packets are passed over between packets")
    offset += UInt64(count)
  }

  public mutating func append(_ bytes: RawSpan) {
    offset += UInt64(bytes.byteCount)
    let passed = min(skipping, bytes.byteCount)
    skipping -= passed
    tidy()
    let rest = bytes.extracting(passed..<bytes.byteCount)
    unsafe rest.withUnsafeBytes { unsafe buffer.append(contentsOf: $0) }
    if !isSynchronised || failure != nil {
      head = max(head, buffer.count - Self.unsynchronisedLimit)
    }
  }

  public mutating func append(_ bytes: [UInt8]) { unsafe append(bytes.span.bytes) }

  /// The next whole packet; `nil` when more bytes are needed. Its bytes are `bytes(of:)`.
  public mutating func next() throws(DecodeError) -> MQTTFrame? {
    if let failure { throw failure }
    guard isSynchronised else { return nil }
    switch measurePending() {
    case .whole(let header, let length):
      let start = pendingStart
      defer { head += length }
      return MQTTFrame(
        start: start, end: start + UInt64(length), firstByte: buffer[head], headerLength: header)
    case .unfinished: return nil
    case .broken:
      let (error, end) = explainPending()
      failure = error
      oversizedEnd = end
      throw error
    }
  }

  /// The bytes of the packet that `next` gave last; gone with the next `append` or `read`.
  @_lifetime(borrow self)
  public func bytes(of frame: MQTTFrame) -> RawSpan {
    let end = buffer.count - Int(offset - frame.end)
    return unsafe buffer.span.bytes.extracting(end - frame.length..<end)
  }

  /// `bytes(of:)` for places where the compiler can't follow its lifetime.
  public func withBytes<Result, Failure: Error>(
    of frame: MQTTFrame, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(bytes(of: frame))
  }

  /// Takes a segment and hands out each packet that it completes, whole and uncopied where it
  /// lies in one piece. The bytes are valid during the call only.
  public mutating func read(
    _ segment: RawSpan, _ receive: (MQTTFrame, RawSpan) -> Void
  ) throws(DecodeError) {
    if failure != nil || !isSynchronised || skipping > 0 {
      append(segment)
      return try drain(receive)
    }
    // What lies there from an `append` comes first. If it breaks, the segment is not lost.
    do {
      try drain(receive)
    } catch {
      append(segment)
      throw error
    }
    let segmentStart = offset
    var position = 0
    if pendingBytes > 0 {
      position = topUp(from: segment)
      do {
        try drain(receive)
      } catch {
        append(segment.extracting(position..<segment.byteCount))
        throw error
      }
      // Still unfinished: all of the segment is in the buffer.
      if pendingBytes > 0 { return }
    }
    while position < segment.byteCount {
      let rest = segment.extracting(position..<segment.byteCount)
      let start = segmentStart + UInt64(position)
      switch Self.measure(rest, limit: maximumPacketSize) {
      case .whole(let header, let length):
        let packet = rest.extracting(0..<length)
        receive(
          MQTTFrame(
            start: start, end: start + UInt64(length), firstByte: packet.first,
            headerLength: header), packet)
        position += length
      case .unfinished:
        offset = start
        append(rest)
        return
      case .broken:
        offset = start
        append(rest)
        _ = try next()
        return
      }
    }
    offset = segmentStart + UInt64(segment.byteCount)
  }

  public mutating func read(
    _ segment: [UInt8], _ receive: (MQTTFrame, RawSpan) -> Void
  ) throws(DecodeError) {
    unsafe try read(segment.span.bytes, receive)
  }

  private mutating func drain(
    _ receive: (MQTTFrame, RawSpan) -> Void
  ) throws(DecodeError) {
    while let frame = try next() {
      let end = head
      receive(frame, unsafe buffer.span.bytes.extracting(end - frame.length..<end))
    }
    tidy()
  }

  /// Copies of the segment what the packet in the buffer lacks. Returns how much that was.
  private mutating func topUp(from segment: RawSpan) -> Int {
    var taken = 0
    while taken < segment.byteCount {
      guard case .unfinished(let length) = measurePending() else { break }
      // One byte at a time as long as the length itself is unfinished.
      let wanted = max(1, (length ?? 0) - pendingBytes)
      let count = min(wanted, segment.byteCount - taken)
      append(segment.extracting(taken..<taken + count))
      taken += count
    }
    return taken
  }

  private mutating func tidy() {
    if head == buffer.count {
      if buffer.capacity > Self.keptCapacity {
        buffer = []
      } else {
        buffer.removeAll(keepingCapacity: true)
      }
      head = 0
    } else if head > buffer.count / 2 {
      buffer.removeFirst(head)
      head = 0
    }
  }

  // MARK: Measuring

  private enum Measure {
    case whole(header: Int, length: Int)
    /// The length is known as soon as the fixed header is whole.
    case unfinished(length: Int?)
    case broken
  }

  private static func measure(_ bytes: RawSpan, limit: Int) -> Measure {
    let count = bytes.byteCount
    guard count > 0 else { return .unfinished(length: nil) }
    if bytes.first >> 4 == 0 { return .broken }
    var length = 0
    var index = 1
    while index < count {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      length |= Int(byte & 0x7F) << (7 * (index - 1))
      index += 1
      if byte < 0x80 {
        let total = index + length
        if total > limit { return .broken }
        return total <= count ? .whole(header: index, length: total) : .unfinished(length: total)
      }
      if index == 5 { return .broken }
    }
    return .unfinished(length: nil)
  }

  private func measurePending() -> Measure {
    let pending = unsafe buffer.span.bytes.extracting(head..<buffer.count)
    return Self.measure(pending, limit: maximumPacketSize)
  }

  private func explainPending() -> (error: DecodeError, end: UInt64?) {
    let pending = unsafe buffer.span.bytes.extracting(head..<buffer.count)
    let start = pendingStart
    return (
      Self.explain(pending, at: start, limit: maximumPacketSize),
      Self.claimedLength(pending).map { start + UInt64($0) }
    )
  }

  private static func explain(_ bytes: RawSpan, at start: UInt64, limit: Int) -> DecodeError {
    let offset = Int(truncatingIfNeeded: start)
    if bytes.first >> 4 == 0 {
      return MQTTRule.reservedPacketType.error(at: offset, in: .unknown)
    }
    if let length = claimedLength(bytes) {
      return DecodeError(
        offset: offset, expected: "a packet of at most \(limit) bytes, not \(length)")
    }
    return MQTTRule.remainingLength.error(at: offset + 1, in: .unknown)
  }

  /// Bytes of the whole packet by its fixed header, if that is well formed and there.
  private static func claimedLength(_ bytes: RawSpan) -> Int? {
    switch measure(bytes, limit: .max) {
    case .whole(_, let length): length
    case .unfinished(let length): length
    case .broken: nil
    }
  }
}

// MARK: - After an error or a gap

extension MQTTFramer {
  /// Passes over the packet that was too large for `maximumPacketSize`, without keeping it.
  /// Returns `false` when that was not the error.
  public mutating func skipOversizedPacket() -> Bool {
    guard failure != nil, let end = oversizedEnd else { return false }
    failure = nil
    oversizedEnd = nil
    let length = Int(end - pendingStart)
    let here = min(length, pendingBytes)
    head += here
    skipping = length - here
    return true
  }

  /// Lets go of all that waits. A packet whose length is known is passed over, and the next one is
  /// read.
  ///
  /// - Returns: how many bytes were let go.
  public mutating func abandonPending() -> Int {
    let count = pendingBytes
    if isSynchronised, failure == nil, case .unfinished(let length?) = measurePending() {
      skipping = length - count
    }
    buffer = []
    head = 0
    nextSearch = 0
    return count
  }

  /// Bytes were lost: forgets the unfinished packet and stays silent until `resynchronise` or
  /// `assumeBoundary`.
  public mutating func gap(of length: UInt64) {
    offset += length
    buffer = []
    head = 0
    skipping = 0
    failure = nil
    oversizedEnd = nil
    isSynchronised = false
    nextSearch = 0
  }

  /// The caller knows that the first pending byte begins a packet.
  public mutating func assumeBoundary() {
    failure = nil
    oversizedEnd = nil
    isSynchronised = true
  }

  /// Looks in the pending bytes for the first place from which at least `minimumPackets` packets
  /// without any fault follow each other, and goes on from there.
  ///
  /// - Returns: the stream offset of that place; `nil` when there is none yet, and then more
  ///   bytes may help.
  public mutating func resynchronise(
    version: MQTTVersion, direction: Direction?, minimumPackets: Int = 3
  ) -> UInt64? {
    // All are looked at again only when there is an eighth more of them: else bytes that come one
    // by one would each cost as much as all before them.
    guard offset >= nextSearch else { return nil }
    var budget = Self.searchBudget
    for candidate in head..<buffer.count where budget > 0 {
      let chain = chain(at: candidate, version, direction)
      if chain.packets >= minimumPackets && chain.isUnbroken {
        head = candidate
        assumeBoundary()
        return pendingStart
      }
      budget -= 1 + chain.length
    }
    nextSearch = pendingBytes < Self.smallSearch ? 0 : offset + UInt64(pendingBytes / 8)
    return nil
  }

  private func chain(
    at candidate: Int, _ version: MQTTVersion, _ direction: Direction?
  ) -> MQTTPacketChain {
    let bytes = unsafe buffer.span.bytes.extracting(candidate..<buffer.count)
    return MQTTPacketChain(bytes, version: version, direction: direction)
  }
}

extension RawSpan {
  /// The first of at least one byte.
  fileprivate var first: UInt8 { unsafe unsafeLoad(fromByteOffset: 0, as: UInt8.self) }
}
