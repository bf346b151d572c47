import Timeline

/// Segments in their order.
extension StreamReassembly {
  /// Nothing is held back, doubtful or over: a segment that begins with the next byte is told as it
  /// is.
  var isPlain: Bool {
    guard pending.isEmpty, finOffset == nil, alternateSequence == nil, !windowIsClosed else {
      return false
    }
    switch base {
    case .unknown, .guessed: return false
    case .handshakeAck, .data, .syn: return true
    }
  }

  /// Where a segment's bytes begin, if that is right behind those that were told.
  @inline(__always)
  func isNext(_ sequence: UInt32) -> Bool {
    baseSequence &+ UInt32(truncatingIfNeeded: next) == sequence
  }

  /// For a plain stream whose next bytes the segment has. Returns their offset.
  @inline(__always)
  mutating func passPlain(_ length: Int) -> UInt64 {
    packets += 1
    let start = next
    next += Int64(length)
    return UInt64(start)
  }

  /// For a plain stream: whether the number, below which the peer has everything, is new.
  @inline(__always)
  mutating func acknowledgePlain(_ upTo: Int64, window: Int64, at time: Instant) -> Bool {
    if window > widestWindow { widestWindow = window }
    guard upTo > acknowledged else { return false }
    let isNews = upTo > max(0, acknowledged)
    acknowledged = upTo
    acknowledgedAt = time
    patience = 0
    return isNews
  }
}
