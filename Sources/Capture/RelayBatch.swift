internal import CPrefetch
import Wire

/// What is no plain segment.
private struct RelayedEvent: BitwiseCopyable {
  /// Among the segments; the one there stands for it, and its segment has no meaning.
  var place: Int
  var event: ConnectionEvent
  var description: ConnectionDescription
}

/// Segments and events with their bytes, or with where these lie if they stay there. Filled by the
/// one thread, then read by the other one.
///
/// The one thread writes a draft that is its own, and copies it as a whole into a batch that goes
/// to the other one: memory that two processors write and read in turn is slow to write.
@safe final class RelayBatch {
  private static let segmentLimit = 256
  /// Segments whose connections are fetched from memory together, and how many that come before
  /// those are still to be told then.
  private static let foresight = 6
  private static let lead = 2 * foresight
  /// How far ahead of those the segments themselves are fetched: they come from the other thread.
  private static let distance = 48
  private static let usualByteLimit = 1 << 16
  private static let line = 64

  private let segments: UnsafeMutablePointer<SegmentOfRun>
  private var count = 0
  private var events: ContiguousArray<RelayedEvent> = []
  private var bytes: UnsafeMutableRawPointer
  private var byteCount = 0
  private var byteLimit = usualByteLimit
  /// What has the bytes of segments that were not copied.
  private var lender: (any LastingBytes)?
  var isLast = false

  init() {
    unsafe segments = UnsafeMutableRawPointer.allocate(
      byteCount: Self.segmentLimit * MemoryLayout<SegmentOfRun>.stride, alignment: Self.line
    ).bindMemory(to: SegmentOfRun.self, capacity: Self.segmentLimit)
    unsafe bytes = .allocate(byteCount: Self.usualByteLimit, alignment: Self.line)
  }

  deinit {
    unsafe segments.deallocate()
    unsafe bytes.deallocate()
  }

  @inline(__always)
  func hasRoom(for count: Int) -> Bool {
    self.count < Self.segmentLimit && count <= byteLimit - byteCount
  }

  /// For an empty batch.
  func makeRoom(for count: Int) {
    if count <= byteLimit { return }
    unsafe bytes.deallocate()
    byteLimit = (count + Self.line - 1) & ~(Self.line - 1)
    unsafe bytes = .allocate(byteCount: byteLimit, alignment: Self.line)
  }

  /// Adds a segment and a copy of its bytes.
  @inline(__always)
  func append(
    _ segment: PlainSegment, of connection: ConnectionID, _ payload: UnsafeRawBufferPointer,
    preparation: UInt64 = 0, at moment: Moment
  ) {
    precondition(hasRoom(for: payload.count), "a full batch is exchanged first")
    let copy = unsafe UnsafeMutableRawBufferPointer(
      start: bytes + byteCount, count: payload.count)
    unsafe copy.copyMemory(from: payload)
    byteCount += payload.count
    unsafe append(
      SegmentOfRun(
        segment, of: connection, bytes: UnsafeRawBufferPointer(copy), preparation: preparation,
        at: moment))
  }

  /// Adds a segment whose bytes the batch has, or the lender.
  @inline(__always)
  func append(_ segment: SegmentOfRun) {
    precondition(count < Self.segmentLimit, "a full batch is exchanged first")
    unsafe (segments + count).initialize(to: segment)
    count += 1
  }

  /// For an empty batch: bytes lie there that need no copy.
  func borrow(from lender: (any LastingBytes)?) { self.lender = lender }

  func append(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    _ payload: UnsafeRawBufferPointer, at moment: Moment
  ) {
    events.append(RelayedEvent(place: count, event: event, description: description))
    let nothing = PlainSegment(.toServer, offset: 0, acknowledges: false, acknowledged: 0)
    unsafe append(nothing, of: connection, payload, at: moment)
  }

  /// Takes all that is in a draft, which is empty then. This batch must be empty.
  func takeOver(_ draft: RelayBatch) {
    makeRoom(for: draft.byteCount)
    if draft.byteCount > 0 { unsafe draft.tellSegments(bytesAt: bytes) }
    unsafe stream_lines(
      segments, draft.segments, draft.count * MemoryLayout<SegmentOfRun>.stride)
    unsafe stream_lines(bytes, draft.bytes, draft.byteCount)
    swap(&events, &draft.events)
    (count, byteCount, isLast) = (draft.count, draft.byteCount, draft.isLast)
    (draft.count, draft.byteCount) = (0, 0)
    lender = draft.lender
  }

  /// The copies of this batch will lie there.
  private func tellSegments(bytesAt target: UnsafeRawPointer) {
    let copies = unsafe UnsafeRawPointer(bytes)..<UnsafeRawPointer(bytes + byteCount)
    for index in 0..<count {
      guard let start = unsafe segments[index].place, unsafe copies.contains(start)
      else { continue }
      unsafe segments[index].move(to: target + (start - copies.lowerBound))
    }
  }

  // MARK: The other thread

  private func foresee(_ foreseen: inout Int, _ sink: any ConnectionSink) {
    let start = foreseen
    foreseen = min(count, start + Self.foresight)
    for index in start..<foreseen {
      unsafe prefetch_line(segments + (index &+ Self.distance))
      guard let start = unsafe segments[index].place else { continue }
      unsafe prefetch_line(start)
      // A topic often ends in the second line.
      if unsafe segments[index].count > Self.line { unsafe prefetch_line(start + Self.line) }
    }
    sink.foresee(unsafe SegmentRun(segments + start, count: foreseen - start))
  }

  /// Tells everything, and the batch is empty.
  ///
  /// - Parameter descriptions: of the connections that batches before this one have begun.
  func tell(_ sink: any ConnectionSink, _ descriptions: inout RelayedDescriptions) {
    var foreseen = 0
    var index = 0
    for index in 0..<min(count, Self.distance) { unsafe prefetch_line(segments + index) }
    for other in events {
      tell(&index, upTo: other.place, &foreseen, sink, descriptions)
      let item = unsafe UnsafePointer(segments + index)
      unsafe descriptions.note(other.event, item.pointee.connection, other.description)
      unsafe sink.receive(
        other.event, of: item.pointee.connection, other.description, bytes: item.bytes,
        at: item.pointee.moment)
      index += 1
    }
    tell(&index, upTo: count, &foreseen, sink, descriptions)
    count = 0
    byteCount = 0
    events.removeAll(keepingCapacity: true)
    lender = nil
  }

  /// Tells what is before an event.
  private func tell(
    _ index: inout Int, upTo end: Int, _ foreseen: inout Int, _ sink: any ConnectionSink,
    _ descriptions: RelayedDescriptions
  ) {
    foreseen = max(foreseen, index)
    while index < end {
      while foreseen < min(count, index + Self.lead) { foresee(&foreseen, sink) }
      let length = min(end - index, Self.foresight)
      let run = unsafe SegmentRun(segments + index, count: length)
      let taken = sink.take(run)
      index += taken
      if taken > 0 { continue }
      let item = unsafe UnsafePointer(segments + index)
      let connection = unsafe item.pointee.connection
      unsafe sink.receive(
        eventsOf: item.pointee.segment, of: connection, descriptions[connection],
        bytes: item.bytes, at: item.pointee.moment)
      index += 1
    }
  }
}

/// Who talks to whom on the connections that have not ended: asked for the few segments that a sink
/// wants told by their events.
struct RelayedDescriptions {
  private var open: [ConnectionID: ConnectionDescription] = [:]

  /// A connection is known from its first event to its last one.
  mutating func note(
    _ event: ConnectionEvent, _ connection: ConnectionID, _ description: ConnectionDescription
  ) {
    switch event {
    case .began: open[connection] = description
    case .ended: open[connection] = nil
    case .established, .bytes, .gap, .acknowledged, .retransmission, .keepAliveProbe,
      .windowClosed, .finished, .secured, .reset:
      break
    }
  }

  subscript(connection: ConnectionID) -> ConnectionDescription {
    guard let known = open[connection] else {
      preconditionFailure("a connection begins before it has segments")
    }
    return known
  }
}
