import Wire

/// A segment in a batch, small: there are millions. Its bytes lie with those of the batch, in the
/// same order.
struct RelayedSegment: BitwiseCopyable {
  var moment: Moment
  /// Without meaning when `isEvent`.
  var segment: PlainSegment
  var connection: ConnectionID
  /// Of its bytes.
  var count: UInt32
  /// Another event stands for it, the next one in the batch's list of those.
  var isEvent = false
}

/// What is no plain segment.
private struct RelayedEvent: BitwiseCopyable {
  var event: ConnectionEvent
  var description: ConnectionDescription
}

/// Segments and events with their bytes. Filled by the one thread, then read by the other one.
///
/// Small enough that what one core has written is still in a near cache when the other one reads
/// it.
@safe final class RelayBatch {
  private static let segmentLimit = 256
  /// Segments whose connections are fetched from memory together.
  private static let foresight = 24
  private static let usualByteLimit = 1 << 16

  private let segments: UnsafeMutablePointer<RelayedSegment>
  private var count = 0
  private var events: ContiguousArray<RelayedEvent> = []
  private let coming: UnsafeMutableBufferPointer<ConnectionID>
  private var bytes: UnsafeMutableRawPointer
  private var byteCount = 0
  private var byteLimit = usualByteLimit
  var isLast = false

  init() {
    unsafe segments = .allocate(capacity: Self.segmentLimit)
    unsafe coming = .allocate(capacity: Self.foresight)
    unsafe coming.initialize(repeating: ConnectionID(0))
    unsafe bytes = .allocate(byteCount: Self.usualByteLimit, alignment: 16)
  }

  deinit {
    unsafe segments.deallocate()
    unsafe coming.deallocate()
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
    unsafe bytes = .allocate(byteCount: count, alignment: 16)
    byteLimit = count
  }

  @inline(__always)
  func append(_ segment: RelayedSegment, _ payload: UnsafeRawBufferPointer) {
    precondition(hasRoom(for: payload.count), "a full batch is exchanged first")
    if let start = payload.baseAddress {
      unsafe (bytes + byteCount).copyMemory(from: start, byteCount: payload.count)
    }
    byteCount += payload.count
    unsafe (segments + count).initialize(to: segment)
    count += 1
  }

  func append(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    _ payload: UnsafeRawBufferPointer, at moment: Moment
  ) {
    events.append(RelayedEvent(event: event, description: description))
    let nothing = PlainSegment(.toServer, offset: 0, acknowledges: false, acknowledged: 0)
    unsafe append(
      RelayedSegment(
        moment: moment, segment: nothing, connection: connection, count: UInt32(payload.count),
        isEvent: true),
      payload)
  }

  // MARK: The other thread

  private func foresee(_ range: Range<Int>, _ sink: any ConnectionSink) {
    var count = 0
    var last = ConnectionID(.max)
    for index in range {
      let connection = unsafe segments[index].connection
      if connection == last { continue }
      unsafe coming[count] = connection
      count += 1
      last = connection
    }
    unsafe sink.foresee(UnsafeBufferPointer(rebasing: coming[..<count]))
  }

  /// Tells everything, and the batch is empty.
  ///
  /// - Parameter descriptions: of the connections that batches before this one have begun.
  func tell(_ sink: any ConnectionSink, _ descriptions: inout RelayedDescriptions) {
    var foreseen = 0
    var nextEvent = 0
    var start = 0
    for index in 0..<count {
      if index == foreseen {
        foreseen = min(count, index + Self.foresight)
        foresee(index..<foreseen, sink)
      }
      let item = unsafe segments[index]
      let payload = unsafe UnsafeRawBufferPointer(start: bytes + start, count: Int(item.count))
      start += payload.count
      if item.isEvent {
        let other = events[nextEvent]
        nextEvent += 1
        descriptions.note(other.event, item.connection, other.description)
        unsafe sink.receive(
          other.event, of: item.connection, other.description, bytes: payload, at: item.moment)
      } else if unsafe !sink.takes(
        item.segment, of: item.connection, bytes: payload, at: item.moment)
      {
        unsafe sink.receive(
          eventsOf: item.segment, of: item.connection, descriptions[item.connection],
          bytes: payload, at: item.moment)
      }
    }
    count = 0
    byteCount = 0
    events.removeAll(keepingCapacity: true)
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
