public import BasicContainers
public import Custody
public import Timeline

/// What waits for its time in a run.
@frozen
@usableFromInline
struct Event<Message: WireMessage>: BitwiseCopyable {
  @usableFromInline
  enum What: BitwiseCopyable {
    /// A message reaches the TCP of `side`. `departed`: when this attempt left the sender.
    case arrival(Message, to: Side, sequence: UInt32, attempt: UInt8)
    /// The peer's FIN does; it is in sequence like a message.
    case finish(to: Side, sequence: UInt32, attempt: UInt8)
    case reset(to: Side)
    /// The device's SYN reaches the server's host.
    case connect(attempt: UInt8)
    case connected
    /// The last ACK of the handshake reaches the server alone.
    case accepted
    case refused, connectTimedOut
    /// The sender waits for TCP's acknowledgement of what has arrived already.
    case awaitAcknowledgement(by: Side, attempt: UInt8)
    /// TCP keep-alive probes of the server went unanswered.
    case probesFailed
    /// The own network went away under the link.
    case aborted
    case timer(Side, TimerID)
    case action(Action)
    case credential(CredentialAnswer)
    case credentialExpired
    case revoked(upTo: Instant)
    case launch(Side)
    /// A fault that is anchored at an instant.
    case strike(position: UInt8)
    /// A pause is over: nothing to do but to note it.
    case resumed(Side)
  }

  @usableFromInline var what: What
  @usableFromInline var device: NodeID
  @usableFromInline var link: LinkID
  /// It has waited for its node to have time; goes before what comes now.
  @usableFromInline var deferred: Bool
  /// Its place among what waits for the node, kept when it has to wait again.
  @usableFromInline var place: UInt32 = 0
  /// Which life of its node's program it waited for; it ends with that.
  @usableFromInline var life: UInt8 = 0
  @usableFromInline var departed: Instant

  @inlinable init(
    _ what: What, device: NodeID, link: LinkID = LinkID(.max), departed: Instant = .start
  ) {
    self.what = what
    self.device = device
    self.link = link
    self.deferred = false
    self.place = 0
    self.departed = departed
  }
}

/// Events by time, then by order of insertion: a binary heap of 16-byte slots beside their events.
///
/// The order of insertion is what makes equal times deterministic.
@frozen
@usableFromInline
struct EventQueue<Message: WireMessage>: ~Copyable {
  @usableFromInline
  struct Slot: BitwiseCopyable {
    @usableFromInline var time: UInt64
    @usableFromInline var order: UInt32
    @usableFromInline var event: UInt32

    @inlinable init(time: UInt64, order: UInt32, event: UInt32) {
      self.time = time
      self.order = order
      self.event = event
    }

    @inlinable func precedes(_ other: Slot) -> Bool {
      time < other.time || (time == other.time && order < other.order)
    }
  }

  // All three are as long as the capacity; what is in use is counted. Nothing is appended and
  // nothing removed, which would cost a call each.
  @usableFromInline var heap: UniqueArray<Slot>
  @usableFromInline var events: UniqueArray<Event<Message>>
  /// Places in `events`, those in use first.
  @usableFromInline var places: UniqueArray<UInt32>
  @usableFromInline var count = 0
  /// Places beyond were never used since `clear`.
  @usableFromInline var used = 0
  @usableFromInline var nextOrder: UInt32 = 0

  @inlinable init() {
    heap = UniqueArray()
    events = UniqueArray()
    places = UniqueArray()
    grow(to: 256)
  }

  @inlinable @inline(never) mutating func grow(to capacity: Int) {
    heap.reserveCapacity(capacity)
    events.reserveCapacity(capacity)
    places.reserveCapacity(capacity)
    while heap.count < capacity {
      places.append(UInt32(truncatingIfNeeded: heap.count))
      heap.append(Slot(time: 0, order: 0, event: 0))
      events.append(Event(.connected, device: .server))
    }
  }

  @inlinable mutating func clear() {
    for place in 0..<used { places[place] = UInt32(truncatingIfNeeded: place) }
    count = 0
    used = 0
    nextOrder = 0
  }

  /// Time of the next event; `.never` when there is none.
  @inlinable @inline(__always) var nextTime: Instant {
    count == 0 ? .never : Instant(nanoseconds: heap[0].time)
  }

  /// Lets what waits for ever (inputs of a sleeping node) happen now, in its order.
  @inlinable mutating func release(at time: Instant) {
    var index = 0
    while index < count {
      if heap[index].time == .max {
        var slot = heap[index]
        slot.time = time.nanoseconds
        rise(slot, from: index)
      }
      index &+= 1
    }
  }

  @inlinable @inline(__always) mutating func push(_ event: Event<Message>, at time: Instant) {
    push(event, at: time, order: nextOrder)
    nextOrder &+= 1
  }

  /// Takes a place in the order of insertion, for an event that will be put back more than once.
  @inlinable mutating func reservePlace() -> UInt32 {
    defer { nextOrder &+= 1 }
    return nextOrder
  }

  @inlinable mutating func push(_ event: Event<Message>, at time: Instant, order: UInt32) {
    if count == heap.count { grow(to: count * 2) }
    let place = places[count]
    events[Int(place)] = event
    count &+= 1
    if count > used { used = count }
    rise(Slot(time: time.nanoseconds, order: order, event: place), from: count &- 1)
  }

  @inlinable @inline(__always) mutating func rise(_ slot: Slot, from index: Int) {
    var child = index
    while child > 0 {
      let parent = (child &- 1) >> 1
      let above = heap[parent]
      guard slot.precedes(above) else { break }
      heap[child] = above
      child = parent
    }
    heap[child] = slot
  }

  @inlinable mutating func pop() -> Event<Message> {
    let first = heap[0]
    count &-= 1
    let last = heap[count]
    var parent = 0
    while true {
      var child = 2 &* parent &+ 1
      guard child < count else { break }
      if child &+ 1 < count, heap[child &+ 1].precedes(heap[child]) { child &+= 1 }
      let below = heap[child]
      guard below.precedes(last) else { break }
      heap[parent] = below
      parent = child
    }
    heap[parent] = last
    places[count] = first.event
    return events[Int(first.event)]
  }
}
