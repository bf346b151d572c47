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

/// Events by time, then by order of insertion: 16-byte slots in order, the next one last, beside
/// their events.
///
/// A run has a dozen events under way, and what is pushed mostly comes soon, so a new slot goes
/// past a few others; a heap would do more, and less predictably. The order of insertion is what
/// makes equal times deterministic.
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

    @inlinable @inline(__always) func precedes(_ other: Slot) -> Bool {
      time < other.time || (time == other.time && order < other.order)
    }
  }

  // All three are as long as the capacity; what is in use is counted. Nothing is appended and
  // nothing removed, which would cost a call each.
  @usableFromInline var line: UniqueArray<Slot>
  @usableFromInline var events: UniqueArray<Event<Message>>
  /// Places in `events`, those in use first.
  @usableFromInline var places: UniqueArray<UInt32>
  @usableFromInline var count = 0
  /// Places beyond were never used since `clear`.
  @usableFromInline var used = 0
  @usableFromInline var nextOrder: UInt32 = 0

  @inlinable init() {
    line = UniqueArray()
    events = UniqueArray()
    places = UniqueArray()
    grow(to: 256)
  }

  @inlinable @inline(never) mutating func grow(to capacity: Int) {
    line.reserveCapacity(capacity)
    events.reserveCapacity(capacity)
    places.reserveCapacity(capacity)
    while line.count < capacity {
      places.append(UInt32(truncatingIfNeeded: line.count))
      line.append(Slot(time: 0, order: 0, event: 0))
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
    count == 0 ? .never : Instant(nanoseconds: line[count &- 1].time)
  }

  /// Lets what waits for ever (inputs of a sleeping node) happen now, in its order.
  @inlinable mutating func release(at time: Instant) {
    // They come first, being the last; whatever else there is comes at `time` or later.
    var waiting = 0
    while waiting < count, line[waiting].time == .max { waiting &+= 1 }
    while waiting > 0 {
      waiting &-= 1
      var slot = line[waiting]
      slot.time = time.nanoseconds
      var index = waiting
      while index &+ 1 < count, slot.precedes(line[index &+ 1]) {
        line[index] = line[index &+ 1]
        index &+= 1
      }
      line[index] = slot
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

  /// Inlined so that an event is made in its place, not made, waited for and copied.
  @inlinable @inline(__always)
  mutating func push(_ event: Event<Message>, at time: Instant, order: UInt32) {
    if count == line.count { grow(to: count * 2) }
    let place = places[count]
    events[Int(place)] = event
    insert(Slot(time: time.nanoseconds, order: order, event: place))
  }

  @inlinable @inline(never) mutating func insert(_ slot: Slot) {
    var index = count
    while index > 0 {
      let next = line[index &- 1]
      guard next.precedes(slot) else { break }
      line[index] = next
      index &-= 1
    }
    line[index] = slot
    count &+= 1
    if count > used { used = count }
  }

  /// Pushes what was popped last, as it is; nothing may have been pushed since.
  @inlinable @inline(__always) mutating func putBack(at time: Instant) {
    insert(Slot(time: time.nanoseconds, order: nextOrder, event: places[count]))
    nextOrder &+= 1
  }

  @inlinable mutating func pop() -> Event<Message> {
    count &-= 1
    let place = line[count].event
    places[count] = place
    return events[Int(place)]
  }
}
