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
@safe public final class ConnectionRelay: ConnectionSink {
  private let ring: RelayRing
  private let batch = RelayBatch()
  private let prepare: SegmentPreparation?
  /// Of what is lent.
  private var lent = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
  private let thread: pthread_t

  /// Two processors that the threads can have.
  public static var isWorthwhile: Bool { sysconf(Int32(_SC_NPROCESSORS_ONLN)) > 1 }

  /// `nil` when the system gives no thread.
  public init?(to sink: any ConnectionSink) {
    ring = RelayRing(sink)
    unsafe prepare = sink.preparation
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
    if !batch.hasRoom(for: bytes.count) { renewBatch(for: bytes.count) }
    unsafe batch.append(event, of: connection, description, bytes, at: moment)
  }

  public func takes(
    _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) -> Bool {
    if bytes.count <= SegmentOfRun.shortest {
      if !batch.hasRoom(for: 0) { renewBatch(for: 0) }
      unsafe batch.append(SegmentOfRun(segment, of: connection, short: bytes, at: moment))
      return true
    }
    let isThere = unsafe isLent(bytes)
    let copied = isThere ? 0 : bytes.count
    if !batch.hasRoom(for: copied) { renewBatch(for: copied) }
    // The sink's thread has more to do than this one.
    let prepared = unsafe prepare?(bytes, segment.direction) ?? 0
    if isThere {
      unsafe batch.append(
        SegmentOfRun(segment, of: connection, bytes: bytes, preparation: prepared, at: moment))
    } else {
      unsafe batch.append(segment, of: connection, bytes, preparation: prepared, at: moment)
    }
    return true
  }

  public func lend(_ memory: (any LastingBytes)?) {
    ring.give(batch, isUrgent: false)
    batch.borrow(from: memory)
    unsafe lent = memory?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
  }

  @inline(__always)
  private func isLent(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let start = UInt(bitPattern: bytes.baseAddress)
    return unsafe start &- UInt(bitPattern: lent.baseAddress) < UInt(bitPattern: lent.count)
  }

  private func renewBatch(for count: Int) {
    ring.give(batch, isUrgent: false)
    batch.makeRoom(for: count)
  }

  /// Comes back when the sink has been told all of it.
  public func drain() {
    ring.give(batch, isUrgent: true)
    ring.awaitIdleness()
  }

  /// The same, and the second thread ends. Nothing may be told afterwards.
  public func finish() {
    batch.isLast = true
    ring.give(batch, isUrgent: true)
    pthread_join(thread, nil)
  }
}

/// What the second thread does.
private func relay(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
  let ring = unsafe Unmanaged<RelayRing>.fromOpaque(argument).takeRetainedValue()
  var descriptions = RelayedDescriptions()
  while true {
    let batch = ring.next()
    batch.tell(ring.sink, &descriptions)
    let isLast = batch.isLast
    ring.release()
    if isLast { return nil }
  }
}

/// Batches that go around between the two threads.
///
/// The writer has the batch at `filled`, the reader that at `told`; all between are full. To fall
/// asleep and to be woken costs as much as many packets, so whoever has to wait waits until there
/// is much to do. The ring is as long as it is because neither thread is evenly fast.
@safe private final class RelayRing {
  static let size = 64
  private static let worthWaking = 16

  let sink: any ConnectionSink
  private let batches: [RelayBatch] = (0..<size).map { _ in RelayBatch() }
  private let lock: UnsafeMutablePointer<pthread_mutex_t> = .allocate(capacity: 1)
  private let change: UnsafeMutablePointer<pthread_cond_t> = .allocate(capacity: 1)
  private var filled = 0
  private var told = 0
  private var isWriterAsleep = false
  private var isReaderAsleep = false
  /// The reader is not to wait for more.
  private var isUrgent = false

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

  /// Gives what is in a draft away, and comes back when there is room for more.
  ///
  /// - Parameter isUrgent: for a while nothing may come after it.
  func give(_ draft: RelayBatch, isUrgent: Bool) {
    // Only whoever writes changes `filled`, and the batch there is empty.
    batches[filled % Self.size].takeOver(draft)
    unsafe pthread_mutex_lock(lock)
    filled += 1
    self.isUrgent = isUrgent
    if isReaderAsleep, isUrgent || filled - told >= Self.worthWaking {
      unsafe pthread_cond_broadcast(change)
    }
    if filled - told >= Self.size {
      isWriterAsleep = true
      while filled - told > Self.size - Self.worthWaking {
        unsafe pthread_cond_wait(change, lock)
      }
      isWriterAsleep = false
    }
    unsafe pthread_mutex_unlock(lock)
  }

  /// The next filled batch.
  func next() -> RelayBatch {
    unsafe pthread_mutex_lock(lock)
    if told == filled {
      isReaderAsleep = true
      while filled - told < (isUrgent ? 1 : Self.worthWaking) {
        unsafe pthread_cond_wait(change, lock)
      }
      isReaderAsleep = false
    }
    let batch = batches[told % Self.size]
    unsafe pthread_mutex_unlock(lock)
    return batch
  }

  /// The batch that `next` gave has been told.
  func release() {
    unsafe pthread_mutex_lock(lock)
    told += 1
    if isWriterAsleep, filled - told <= (isUrgent ? 0 : Self.size - Self.worthWaking) {
      unsafe pthread_cond_broadcast(change)
    }
    unsafe pthread_mutex_unlock(lock)
  }

  func awaitIdleness() {
    unsafe pthread_mutex_lock(lock)
    isWriterAsleep = true
    while told < filled { unsafe pthread_cond_wait(change, lock) }
    isWriterAsleep = false
    unsafe pthread_mutex_unlock(lock)
  }
}
