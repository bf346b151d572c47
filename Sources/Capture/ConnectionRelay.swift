#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif
public import Wire

/// Tells events to a sink on a second thread, in the order in which they came: one core reads and
/// reassembles while the other one decodes.
///
/// The sink sees the same calls with the same bytes whatever the timing. Memory is bounded: whoever
/// reads waits when the sink is this far behind.
public final class ConnectionRelay: ConnectionSink {
  private let ring: RelayRing
  private var batch: RelayBatch
  private let thread: pthread_t

  /// Two processors that the threads can have.
  public static var isWorthwhile: Bool { sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 }

  /// `nil` when the system gives no thread.
  public init?(to sink: any ConnectionSink) {
    ring = RelayRing(sink)
    batch = ring.first
    let argument = unsafe Unmanaged.passRetained(ring).toOpaque()
    guard let thread = unsafe Self.start(argument) else {
      unsafe Unmanaged<RelayRing>.fromOpaque(argument).release()
      return nil
    }
    self.thread = thread
  }

  private static func start(_ argument: UnsafeMutableRawPointer) -> pthread_t? {
    #if canImport(Darwin)
      var thread: pthread_t?
      let error = unsafe pthread_create(&thread, nil, { relay($0) }, argument)
    #else
      var thread = pthread_t()
      let error = unsafe pthread_create(&thread, nil, { unsafe relay($0!) }, argument)
    #endif
    return error == 0 ? thread : nil
  }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if !batch.hasRoom(for: bytes.count) {
      batch = ring.exchange(batch)
      batch.makeRoom(for: bytes.count)
    }
    unsafe batch.append(
      RelayedEvent(
        event: event, connection: connection, moment: moment, description: description,
        start: 0, count: 0), bytes)
  }

  /// Comes back when the sink has been told all of it.
  public func drain() {
    batch = ring.exchange(batch)
    ring.awaitIdleness()
  }

  /// The same, and the second thread ends. Nothing may be told afterwards.
  public func finish() {
    batch.isLast = true
    batch = ring.exchange(batch)
    pthread_join(thread, nil)
  }
}

/// What the second thread does.
private func relay(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
  let ring = unsafe Unmanaged<RelayRing>.fromOpaque(argument).takeRetainedValue()
  while true {
    let batch = ring.next()
    batch.tell(ring.sink)
    let isLast = batch.isLast
    ring.release()
    if isLast { return nil }
  }
}

private struct RelayedEvent: BitwiseCopyable {
  var event: ConnectionEvent
  var connection: ConnectionID
  var moment: Moment
  var description: ConnectionDescription
  /// Where its bytes are in the batch.
  var start: Int
  var count: Int
}

/// Events with their bytes. Filled by the one thread, then read by the other one.
@safe private final class RelayBatch {
  private static let eventLimit = 2048
  /// Events whose connections are fetched from memory together.
  private static let foresight = 24
  private static let usualByteLimit = 1 << 19

  private let events: UnsafeMutablePointer<RelayedEvent>
  private var count = 0
  private var bytes: UnsafeMutableRawPointer
  private var byteCount = 0
  private var byteLimit = usualByteLimit
  var isLast = false

  init() {
    unsafe events = .allocate(capacity: Self.eventLimit)
    unsafe bytes = .allocate(byteCount: Self.usualByteLimit, alignment: 16)
  }

  deinit {
    unsafe events.deallocate()
    unsafe bytes.deallocate()
  }

  @inline(__always)
  func hasRoom(for count: Int) -> Bool {
    self.count < Self.eventLimit && count <= byteLimit - byteCount
  }

  /// For an empty batch.
  func makeRoom(for count: Int) {
    if count <= byteLimit { return }
    unsafe bytes.deallocate()
    unsafe bytes = .allocate(byteCount: count, alignment: 16)
    byteLimit = count
  }

  @inline(__always)
  func append(_ event: RelayedEvent, _ payload: UnsafeRawBufferPointer) {
    precondition(hasRoom(for: payload.count), "a full batch is exchanged first")
    var event = event
    event.start = byteCount
    event.count = payload.count
    if let start = payload.baseAddress {
      unsafe (bytes + byteCount).copyMemory(from: start, byteCount: payload.count)
    }
    byteCount += payload.count
    unsafe (events + count).initialize(to: event)
    count += 1
  }

  private func foresee(_ range: Range<Int>, _ step: Int, _ sink: any ConnectionSink) {
    var last = ConnectionID(.max)
    for index in range {
      let connection = unsafe events[index].connection
      if connection != last { sink.foresee(connection, step: step) }
      last = connection
    }
  }

  func tell(_ sink: any ConnectionSink) {
    var foreseen = 0
    for index in 0..<count {
      if index == foreseen {
        foreseen = min(count, index + Self.foresight)
        for step in 0..<3 { foresee(index..<foreseen, step, sink) }
      }
      let item = unsafe events[index]
      unsafe sink.receive(
        item.event, of: item.connection, item.description,
        bytes: UnsafeRawBufferPointer(start: bytes + item.start, count: item.count),
        at: item.moment)
    }
    count = 0
    byteCount = 0
  }
}

/// A few batches that go around between the two threads.
///
/// The writer has the batch at `filled`, the reader that at `told`; all between are full.
@safe private final class RelayRing {
  static let size = 8

  let sink: any ConnectionSink
  private let batches: [RelayBatch] = (0..<size).map { _ in RelayBatch() }
  private let lock: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
  private let change: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
  private var filled = 0
  private var told = 0

  init(_ sink: any ConnectionSink) {
    self.sink = sink
    unsafe pthread_mutex_init(lock, nil)
    unsafe pthread_cond_init(change, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(change)
    unsafe pthread_mutex_destroy(lock)
    unsafe change.deallocate()
    unsafe lock.deallocate()
  }

  var first: RelayBatch { batches[0] }

  /// Gives a filled batch away and gets an empty one, as soon as there is one.
  func exchange(_ batch: RelayBatch) -> RelayBatch {
    unsafe pthread_mutex_lock(lock)
    filled += 1
    unsafe pthread_cond_broadcast(change)
    while filled - told >= Self.size { unsafe pthread_cond_wait(change, lock) }
    let next = batches[filled % Self.size]
    unsafe pthread_mutex_unlock(lock)
    return next
  }

  /// The next filled batch.
  func next() -> RelayBatch {
    unsafe pthread_mutex_lock(lock)
    while told == filled { unsafe pthread_cond_wait(change, lock) }
    let batch = batches[told % Self.size]
    unsafe pthread_mutex_unlock(lock)
    return batch
  }

  /// The batch that `next` gave has been told.
  func release() {
    unsafe pthread_mutex_lock(lock)
    told += 1
    unsafe pthread_cond_broadcast(change)
    unsafe pthread_mutex_unlock(lock)
  }

  func awaitIdleness() {
    unsafe pthread_mutex_lock(lock)
    while told < filled { unsafe pthread_cond_wait(change, lock) }
    unsafe pthread_mutex_unlock(lock)
  }
}
