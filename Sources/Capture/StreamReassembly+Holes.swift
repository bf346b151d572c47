import Timeline
import Wire

/// Holes, and the end of the stream.
extension StreamReassembly {
  /// Segments may be stored in another order than they came; an acknowledged hole is given this
  /// many more packets of its connection, or a second, before it is declared.
  private static let holePatience = 4
  private static let holePatienceTime = Nanoseconds.seconds(1)

  mutating func finish(at offset: Int64, _ moment: Moment, _ outlet: EventOutlet) {
    guard finOffset == nil, offset >= next, couldAccept(offset) else { return }
    if let last = pending.last, offset < last.end { return }
    finOffset = offset
    finMoment = moment
    tellFinished(outlet)
  }

  mutating func tellFinished(_ outlet: EventOutlet) {
    guard let finOffset, !isFinished, next >= finOffset else { return }
    isFinished = true
    outlet.send(.finished(direction, offset: UInt64(finOffset)), at: finMoment)
  }

  /// Declares the hole in front once the peer has acknowledged it and it stayed open.
  mutating func checkHole(at moment: Moment, _ outlet: EventOutlet, _ books: inout Bookkeeping) {
    if books.limits.overlaps == .lastCopy {
      drain(outlet, &books)
      tellFinished(outlet)
    }
    guard let end = pending.first?.offset ?? finOffset, end > next, acknowledged >= end else {
      return
    }
    patience += 1
    guard
      patience > Self.holePatience || moment.time - acknowledgedAt > Self.holePatienceTime
    else { return }
    tellGap(upTo: end, otherwise: .unknown, at: momentBehindHole, outlet)
    drain(outlet, &books)
    tellFinished(outlet)
  }

  private var momentBehindHole: Moment { pending.first?.moment ?? finMoment }

  /// A hole from `next` on, in up to two parts: what was acknowledged, and what was not.
  private mutating func tellGap(
    upTo end: Int64, otherwise kind: GapKind, at moment: Moment, _ outlet: EventOutlet
  ) {
    let travelled = min(max(acknowledged, next), end)
    let isOneSided = packets == 0
    if travelled > next {
      outlet.send(
        .gap(
          direction, offset: UInt64(next), length: UInt64(travelled - next),
          isOneSided ? .unknown : .notCaptured), at: moment)
    }
    if end > travelled {
      outlet.send(
        .gap(direction, offset: UInt64(travelled), length: UInt64(end - travelled), kind),
        at: moment)
    }
    next = max(next, end)
  }

  /// Declares the hole in front to keep memory bounded.
  mutating func giveUpHole(at moment: Moment, _ outlet: EventOutlet, _ books: inout Bookkeeping) {
    guard let first = pending.first else { return }
    books.warnings.add(
      .bufferLimit, frame: moment.frame,
      "\(pending.cost) bytes of \(outlet.description.name(direction)) wait behind a hole of "
        + "\(first.offset - next) bytes at offset \(next): taken for a gap, to keep memory bounded")
    tellGap(upTo: first.offset, otherwise: .unknown, at: first.moment, outlet)
    drain(all: true, outlet, &books)
    tellFinished(outlet)
  }

  /// Nothing more will come: tells what waits, with the holes in front of it, and bytes that only
  /// their acknowledgement proves.
  mutating func conclude(
    peerWasSeen: Bool, at moment: Moment, _ outlet: EventOutlet, _ books: inout Bookkeeping
  ) {
    let kind: GapKind = peerWasSeen ? .lostOnTheWire : .unknown
    while let first = pending.first {
      tellGap(upTo: first.offset, otherwise: kind, at: first.moment, outlet)
      drain(all: true, outlet, &books)
    }
    if let finOffset, finOffset > next {
      tellGap(upTo: finOffset, otherwise: kind, at: finMoment, outlet)
    }
    tellFinished(outlet)
    guard finOffset == nil, acknowledged > next else { return }
    // One byte more than was sent may be the FIN that the capture missed.
    let proof: GapKind = packets == 0 || acknowledged == next + 1 ? .unknown : .notCaptured
    outlet.send(
      .gap(direction, offset: UInt64(next), length: UInt64(acknowledged - next), proof),
      at: moment)
    next = acknowledged
  }
}
