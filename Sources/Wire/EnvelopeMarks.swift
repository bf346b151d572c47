/// Which content is in which bytes of a stream, where records or frames are around it: translates
/// acknowledgements and retransmissions.
///
/// Keeps the envelopes that nobody acknowledged yet and the last few that somebody did. Where
/// acknowledgements are not in the capture, neighbours are merged, so that memory stays bounded;
/// an acknowledgement is then told late, never early.
public struct EnvelopeMarks: Sendable {
  struct Mark: Equatable {
    /// Offsets of the envelope in the stream outside.
    var envelope: Range<UInt64>
    /// Offsets of what is inside.
    var content: Range<UInt64>
  }

  private static let mostUnacknowledged = 4096
  private static let mostRemembered = 128

  private var marks: [Mark] = []
  /// The first mark that is not acknowledged.
  private var head = 0
  /// What the receiver's TCP has.
  private var acknowledged: UInt64 = 0
  private var toldAcknowledged: UInt64 = 0

  /// - Parameter offset: what comes before is in the clear, byte for byte.
  public init(offset: UInt64 = 0) {
    if offset > 0 { marks = [Mark(envelope: 0..<offset, content: 0..<offset)] }
  }

  /// Envelopes come in their order.
  public mutating func append(_ envelope: Range<UInt64>, holds content: Range<UInt64>) {
    if marks.count - head >= Self.mostUnacknowledged, let last = marks.popLast() {
      let end = max(last.envelope.upperBound, envelope.upperBound)
      let inside = last.content.lowerBound..<max(last.content.upperBound, content.upperBound)
      marks.append(Mark(envelope: last.envelope.lowerBound..<end, content: inside))
    } else {
      marks.append(Mark(envelope: envelope, content: content))
    }
  }

  /// Notes what TCP has acknowledged.
  public mutating func acknowledge(upTo offset: UInt64) { acknowledged = max(acknowledged, offset) }

  /// The content of all envelopes that are wholly acknowledged, when it has grown since it was
  /// last asked for.
  public mutating func takeAcknowledged() -> UInt64? {
    let before = toldAcknowledged
    while head < marks.count, marks[head].envelope.upperBound <= acknowledged {
      toldAcknowledged = max(toldAcknowledged, marks[head].content.upperBound)
      head += 1
    }
    if head > 2 * Self.mostRemembered {
      marks.removeFirst(head - Self.mostRemembered)
      head = Self.mostRemembered
    }
    return toldAcknowledged > before ? toldAcknowledged : nil
  }

  /// The content of the envelopes that a range of the stream outside touches.
  public func content(touchedBy range: Range<UInt64>) -> Range<UInt64>? {
    var touched: Range<UInt64>?
    for mark in marks.reversed() {
      if mark.envelope.upperBound <= range.lowerBound { break }
      guard mark.envelope.lowerBound < range.upperBound else { continue }
      touched = mark.content.lowerBound..<(touched?.upperBound ?? mark.content.upperBound)
    }
    return touched
  }
}
