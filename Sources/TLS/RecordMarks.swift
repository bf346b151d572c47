/// Which plaintext is in which bytes of a TCP stream: translates acknowledgements and
/// retransmissions.
///
/// Keeps the records that nobody acknowledged yet and the last few that somebody did. Where
/// acknowledgements are not in the capture, neighbours are merged, so that memory stays bounded;
/// an acknowledgement is then told late, never early.
struct RecordMarks {
  struct Mark: Equatable {
    /// Offsets of the record in the TCP stream.
    var record: Range<UInt64>
    /// Offsets of what is inside.
    var plaintext: Range<UInt64>
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
  init(offset: UInt64 = 0) {
    if offset > 0 { marks = [Mark(record: 0..<offset, plaintext: 0..<offset)] }
  }

  /// Records come in their order.
  mutating func append(_ record: Range<UInt64>, holds plaintext: Range<UInt64>) {
    if marks.count - head >= Self.mostUnacknowledged, let last = marks.popLast() {
      let merged = last.record.lowerBound..<max(last.record.upperBound, record.upperBound)
      let inside = last.plaintext.lowerBound..<max(last.plaintext.upperBound, plaintext.upperBound)
      marks.append(Mark(record: merged, plaintext: inside))
    } else {
      marks.append(Mark(record: record, plaintext: plaintext))
    }
  }

  /// Notes what TCP has acknowledged.
  mutating func acknowledge(upTo offset: UInt64) { acknowledged = max(acknowledged, offset) }

  /// The plaintext of all records that are wholly acknowledged, when it has grown since it was
  /// last asked for.
  mutating func takeAcknowledged() -> UInt64? {
    let before = toldAcknowledged
    while head < marks.count, marks[head].record.upperBound <= acknowledged {
      toldAcknowledged = max(toldAcknowledged, marks[head].plaintext.upperBound)
      head += 1
    }
    if head > 2 * Self.mostRemembered {
      marks.removeFirst(head - Self.mostRemembered)
      head = Self.mostRemembered
    }
    return toldAcknowledged > before ? toldAcknowledged : nil
  }

  /// The plaintext of the records that a range of the TCP stream touches.
  func plaintext(touchedBy range: Range<UInt64>) -> Range<UInt64>? {
    var touched: Range<UInt64>?
    for mark in marks.reversed() {
      if mark.record.upperBound <= range.lowerBound { break }
      guard mark.record.lowerBound < range.upperBound else { continue }
      touched = mark.plaintext.lowerBound..<(touched?.upperBound ?? mark.plaintext.upperBound)
    }
    return touched
  }
}
