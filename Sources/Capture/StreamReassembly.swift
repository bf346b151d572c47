import Timeline
import Wire

/// One direction of a connection: puts bytes in order, finds holes, and tells both.
///
/// Offsets are 64-bit and never wrap. Of bytes that are sent twice the first copy counts.
struct StreamReassembly {
  /// How offset 0 was found.
  enum Base {
    case unknown
    /// The peer's first acknowledgement in the middle of a connection; the first data correct it.
    case guessed
    /// The peer's acknowledgement that ended the handshake: exact, though the SYN is missing.
    case handshakeAck
    /// The first data seen, of a connection that began before the capture.
    case data
    case syn
  }

  // First what a plain segment asks for: it lies together.

  /// The offset of the next byte to be told.
  var next: Int64 = 0
  /// What the peer has acknowledged; -1 until its first acknowledgement.
  var acknowledged: Int64 = -1
  var acknowledgedAt = Instant.start
  /// The largest window that the receiver has advertised, scaled.
  var widestWindow: Int64 = 0
  var packets: UInt64 = 0
  /// The sequence number of offset 0.
  private(set) var baseSequence: UInt32 = 0
  private(set) var base = Base.unknown
  let direction: Direction
  var windowIsClosed = false
  var isFinished = false
  /// Packets of the connection since the hole in front was acknowledged.
  var patience = 0

  private(set) var pending = PendingSegments()
  /// The first sequence number after another SYN, until it is clear which one holds.
  var alternateSequence: UInt32?
  var finOffset: Int64?
  var finMoment = Moment(time: .start, frame: 0)

  init(_ direction: Direction) { self.direction = direction }

  /// Beyond the advertised window by more than this, a segment can't be genuine.
  private static let windowSlack: Int64 = 1 << 16
  /// The most that window scaling allows (RFC 7323 §2.3).
  static let widestPossibleWindow: Int64 = 1 << 30

  /// Bytes or the end of the stream wait behind bytes that have not come.
  var hasHole: Bool { !pending.isEmpty || (finOffset.map { $0 > next } ?? false) }
  var isUntouched: Bool { next == 0 && pending.isEmpty }
  /// The peer has everything, the FIN included.
  var isSettled: Bool {
    guard isFinished, let finOffset else { return false }
    return acknowledged > finOffset
  }

  /// The stream offset of a sequence number: the nearest to `next` (RFC 9293 §3.4).
  @inline(__always)
  func offset(of sequence: UInt32) -> Int64 {
    let expected = baseSequence &+ UInt32(truncatingIfNeeded: next)
    return next + Int64(Int32(bitPattern: sequence &- expected))
  }

  // MARK: Where the stream begins

  mutating func countPacket() { packets += 1 }

  mutating func begin(afterSyn sequence: UInt32) {
    let start = sequence &+ 1
    switch base {
    case .unknown:
      baseSequence = start
      base = .syn
    case .guessed, .handshakeAck, .data:
      let distance = Int64(Int32(bitPattern: baseSequence &- start))
      if next == 0, pending.first.map({ $0.offset + distance > 0 }) ?? true {
        rebase(to: start)
        base = .syn
      } else if baseSequence == start {
        base = .syn
      }
    case .syn:
      if start != baseSequence, isUntouched { alternateSequence = start }
    }
  }

  /// Offset 0 turns out to be elsewhere, while nothing has been told. What is known by its offset
  /// moves along; an end in front of the beginning was none.
  private mutating func rebase(to sequence: UInt32) {
    let distance = Int64(Int32(bitPattern: baseSequence &- sequence))
    pending.shift(by: distance)
    finOffset = finOffset.map { $0 + distance }.flatMap { $0 >= 0 ? $0 : nil }
    baseSequence = sequence
  }

  mutating func begin(atAcknowledged sequence: UInt32, endsHandshake: Bool) {
    guard base == .unknown else { return }
    baseSequence = sequence
    base = endsHandshake ? .handshakeAck : .guessed
  }

  /// Two SYNs with different numbers: the one that what follows is near to holds.
  private mutating func settleBase(near sequence: UInt32) {
    guard let alternate = alternateSequence else { return }
    let toAlternate = Int32(bitPattern: sequence &- alternate).magnitude
    let toBase = Int32(bitPattern: sequence &- baseSequence).magnitude
    if toAlternate < toBase, isUntouched { rebase(to: alternate) }
    alternateSequence = nil
  }

  private mutating func begin(withData sequence: UInt32) {
    settleBase(near: sequence)
    switch base {
    case .unknown, .guessed:
      guard isUntouched else { return }
      if base == .guessed { rebase(to: sequence) } else { baseSequence = sequence }
      base = .data
    case .handshakeAck:
      if isUntouched, offset(of: sequence) < 0 { rebase(to: sequence) }
    case .data, .syn:
      break
    }
  }

  // MARK: What the peer says of this stream

  mutating func acknowledge(_ number: UInt32, at moment: Moment, _ outlet: EventOutlet) {
    settleBase(near: number)
    let upTo = offset(of: number)
    guard upTo > acknowledged, upTo - next < Self.widestPossibleWindow else { return }
    let known = bytesAcknowledged
    acknowledged = upTo
    acknowledgedAt = moment.time
    patience = 0
    let bytes = bytesAcknowledged
    if bytes > known, base != .guessed {
      outlet.send(.acknowledged(direction, upTo: UInt64(bytes)), at: moment)
    }
  }

  /// Acknowledged bytes: the FIN, which takes a sequence number too, is not counted.
  private var bytesAcknowledged: Int64 {
    max(0, finOffset.map { min($0, acknowledged) } ?? acknowledged)
  }

  /// The window in a SYN, which is never scaled (RFC 7323 §2.2).
  mutating func advertise(firstWindow: Int64) { widestWindow = max(widestWindow, firstWindow) }

  mutating func advertise(window: Int64, at moment: Moment, _ outlet: EventOutlet) {
    if window > widestWindow { widestWindow = window }
    if (window == 0) != windowIsClosed {
      windowIsClosed.toggle()
      outlet.send(.windowClosed(direction, windowIsClosed), at: moment)
    }
  }

  /// Whether the receiver could take a segment that begins or ends at `offset`. Generous: what is
  /// missing in the capture must not make the rest suspicious.
  func couldAccept(_ offset: Int64) -> Bool {
    let reach = widestWindow == 0 ? Self.widestPossibleWindow : widestWindow + Self.windowSlack
    return offset <= max(next, acknowledged) + reach && offset >= min(next, acknowledged) - reach
  }

  // MARK: Bytes

  mutating func accept(
    _ segment: TCPSegment, _ payload: RawSpan, at moment: Moment, _ outlet: EventOutlet,
    _ books: inout Bookkeeping
  ) {
    let sequence = segment.flags.contains(.syn) ? segment.sequence &+ 1 : segment.sequence
    begin(withData: sequence)
    let start = offset(of: sequence)
    var length = segment.wireLength
    guard couldAccept(start) else {
      books.warnings.add(
        .outOfWindow, frame: moment.frame,
        "\(length) bytes at stream offset \(start) of \(outlet.description.name(direction)), where "
          + "\(next) is next: more than the receiver's window away, left out")
      return
    }
    if start == next - 1, length <= 1, acknowledged >= next, pending.isEmpty {
      if !windowIsClosed { outlet.send(.keepAliveProbe(direction), at: moment) }
      return
    }
    if let finOffset, start + Int64(length) > finOffset {
      books.warnings.add(
        .bytesAfterFin, frame: moment.frame,
        "\(start + Int64(length) - finOffset) bytes after the end of "
          + "\(outlet.description.name(direction)) at \(finOffset), left out")
      length = Int(max(0, finOffset - start))
    }
    let bytes = payload.extracting(first: length)
    if start == next, pending.isEmpty, books.limits.overlaps == .firstCopy {
      deliver(bytes, length, at: moment, outlet, &books)
    } else {
      place(bytes, start, length, at: moment, outlet, &books)
    }
    tellFinished(outlet)
  }

  /// A segment without payload: one before the next byte it is a probe (RFC 9293 §3.8.4), unless
  /// the window is closed, when it asks whether it has opened (§3.8.6.1).
  func acceptEmpty(_ segment: TCPSegment, at moment: Moment, _ outlet: EventOutlet) {
    guard segment.flags.isDisjoint(with: [.syn, .fin, .rst]), !windowIsClosed, pending.isEmpty,
      acknowledged >= next, offset(of: segment.sequence) == next - 1
    else { return }
    outlet.send(.keepAliveProbe(direction), at: moment)
  }

  /// Tells bytes at `next`.
  mutating func deliver(
    _ bytes: RawSpan, _ length: Int, at moment: Moment, _ outlet: EventOutlet,
    _ books: inout Bookkeeping
  ) {
    if bytes.byteCount > 0 { outlet.send(bytes, direction, offset: next, at: moment) }
    let missing = length - bytes.byteCount
    if missing > 0 {
      books.warnings.add(
        .cutPayload, frame: moment.frame,
        "\(missing) of \(length) payload bytes were not stored (snap length): a gap in "
          + outlet.description.name(direction))
      let from = UInt64(next) + UInt64(bytes.byteCount)
      outlet.send(.gap(direction, offset: from, length: UInt64(missing), .unknown), at: moment)
    }
    next += Int64(length)
  }

  /// A segment that is not simply next: an old one again, one that overlaps, or one too early.
  private mutating func place(
    _ bytes: RawSpan, _ start: Int64, _ length: Int, at moment: Moment, _ outlet: EventOutlet,
    _ books: inout Bookkeeping
  ) {
    let end = start + Int64(length)
    if start < next {
      let again = min(end, next)
      if again > max(start, 0) {
        tellAgain(max(start, 0), again, at: moment, outlet)
      }
    }
    var at = max(start, next)
    var index = pending.index(endingAfter: at)
    // One event for all of a run: a segment may lie over thousands of others.
    var known = at
    while at < end {
      if index < pending.count, pending[index].offset <= at {
        let held = pending[index]
        let stop = min(end, held.end)
        compare(bytes, start, held, at, stop, at: moment, outlet, &books)
        if books.limits.overlaps == .lastCopy {
          pending.overwrite(
            index, from: at, with: bytes.extracting(from: at - start, to: stop - start))
        }
        at = stop
        index += 1
      } else {
        if known < at { tellAgain(known, at, at: moment, outlet) }
        let stop = index < pending.count ? min(end, pending[index].offset) : end
        let piece = bytes.extracting(from: at - start, to: stop - start)
        if at == next, books.limits.overlaps == .firstCopy {
          deliver(piece, Int(stop - at), at: moment, outlet, &books)
        } else {
          hold(piece, at, Int(stop - at), index, at: moment, &books)
          index += 1
        }
        at = stop
        known = stop
      }
    }
    if known < at { tellAgain(known, at, at: moment, outlet) }
    drain(outlet, &books)
    while pending.count > books.limits.bufferedSegmentsPerStream
      || pending.cost > books.limits.bufferedBytesPerStream
    {
      giveUpHole(at: moment, outlet, &books)
    }
  }

  private func tellAgain(
    _ start: Int64, _ end: Int64, at moment: Moment, _ outlet: EventOutlet
  ) {
    outlet.send(
      .retransmission(direction, offset: UInt64(start), length: UInt64(end - start)), at: moment)
  }

  private func compare(
    _ bytes: RawSpan, _ start: Int64, _ known: PendingSegments.Segment, _ from: Int64,
    _ to: Int64, at moment: Moment, _ outlet: EventOutlet, _ books: inout Bookkeeping
  ) {
    if from - start >= Int64(bytes.byteCount) { return }  // Not captured.
    let new = bytes.extracting(from: from - start, to: to - start)
    for index in 0..<new.byteCount {
      let at = Int(from - known.offset) + index
      guard at < known.bytes.count else { break }
      guard unsafe new.unsafeLoad(fromByteOffset: index, as: UInt8.self) == known.bytes[at] else {
        books.warnings.add(
          .conflictingBytes, frame: moment.frame,
          "other bytes at offset \(from + Int64(index)) of \(outlet.description.name(direction)) "
            + "than in frame \(known.moment.frame); the "
            + (books.limits.overlaps == .firstCopy ? "first copy is kept" : "last copy counts"))
        return
      }
    }
  }

  private mutating func hold(
    _ bytes: RawSpan, _ offset: Int64, _ length: Int, _ index: Int, at moment: Moment,
    _ books: inout Bookkeeping
  ) {
    let before = pending.cost
    pending.insert(
      PendingSegments.Segment(
        offset: offset, bytes: unsafe bytes.withUnsafeBytes { unsafe Array($0) },
        wireLength: length, moment: moment), at: index)
    books.bufferedBytes += pending.cost - before
  }

  /// Tells what was held back and has become next.
  ///
  /// - Parameter all: also what another copy could still replace.
  mutating func drain(
    all: Bool = false, _ outlet: EventOutlet, _ books: inout Bookkeeping
  ) {
    let isFinal = all || books.limits.overlaps == .firstCopy
    guard let first = pending.first, first.offset <= next, isFinal || first.end <= acknowledged
    else { return }
    let before = pending.cost
    var count = 0
    while count < pending.count, pending[count].offset <= next,
      isFinal || pending[count].end <= acknowledged
    {
      let segment = pending[count]
      precondition(segment.offset == next, "what is held back lies beyond what was told")
      unsafe deliver(
        segment.bytes.span.bytes, segment.wireLength, at: segment.moment, outlet, &books)
      count += 1
    }
    pending.removeFirst(count)
    patience = 0
    books.bufferedBytes -= before - pending.cost
  }
}

extension RawSpan {
  /// The part in `from..<to`, as far as the span reaches.
  @_lifetime(copy self)
  func extracting(from: Int64, to: Int64) -> RawSpan {
    let limit = Int64(byteCount)
    return extracting(Int(min(max(0, from), limit))..<Int(min(max(0, to), limit)))
  }
}

extension ConnectionDescription {
  /// For warnings: `10.0.0.1:4711 > 10.0.0.2:1883`.
  func name(_ direction: Direction) -> String {
    direction == .toServer ? "\(client) > \(server)" : "\(server) > \(client)"
  }
}
