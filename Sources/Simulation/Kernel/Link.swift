public import BasicContainers
public import Custody
public import Timeline

/// How one end sees a connection.
@frozen
@usableFromInline
enum EndView: UInt8, BitwiseCopyable {
  /// The client has sent SYN; the server's program has not been told yet.
  case opening
  case open
  /// Over: own close, peer's FIN or RST, timeout, or death of the program.
  case closed
}

/// One direction of a connection, as TCP keeps it: in order, without holes.
@frozen
@usableFromInline
struct Flow: BitwiseCopyable {
  /// Segments handed to TCP, and those that arrived in order.
  @usableFromInline var sent: UInt32 = 0
  @usableFromInline var arrived: UInt32 = 0
  /// Nothing arrives before this: TCP is in order.
  @usableFromInline var floor = Instant.start
  /// When the oldest unacknowledged segment left for the first time; `.never` without one.
  @usableFromInline var unacknowledgedSince = Instant.never
  /// The sender has sent RST: what was not through is not sent again.
  @usableFromInline var abandoned = false
  /// Segments that leave at or after this vanish.
  @usableFromInline var deadFrom = Instant.never

  @inlinable init() {}
}

/// A connection of a run, with both ends' views.
@frozen
@usableFromInline
struct Link: BitwiseCopyable {
  @usableFromInline var device: NodeID
  @usableFromInline let port: Port
  @usableFromInline var client = EndView.opening
  @usableFromInline var server = EndView.opening
  @usableFromInline var toServer = Flow()
  @usableFromInline var toClient = Flow()
  @usableFromInline var lastActivity: Instant
  /// A middlebox has forgotten it.
  @usableFromInline var forgotten = false
  @usableFromInline var forgetResets = false
  /// The peer's FIN or RST has reached this end's TCP (the program may not know).
  @usableFromInline var peerOverAtClient = false
  @usableFromInline var peerOverAtServer = false
  @usableFromInline var clientBelieves = false
  @usableFromInline var serverBelieves = false
  @usableFromInline var disagreeSince = Instant.never
  /// The deceived node's accumulated pause when the disagreement began.
  @usableFromInline var pauseThen = Nanoseconds.zero

  @inlinable init(device: NodeID, port: Port, at now: Instant) {
    self.device = device
    self.port = port
    self.lastActivity = now
  }

  @inlinable @inline(__always) func view(_ side: Side) -> EndView {
    side == .client ? client : server
  }
  @inlinable @inline(__always) mutating func setView(_ side: Side, _ view: EndView) {
    if side == .client { client = view } else { server = view }
  }
  @inlinable @inline(__always) func flow(to side: Side) -> Flow {
    side == .server ? toServer : toClient
  }
  @inlinable @inline(__always) func peerOver(at side: Side) -> Bool {
    side == .client ? peerOverAtClient : peerOverAtServer
  }
  @inlinable mutating func setPeerOver(at side: Side) {
    if side == .client { peerOverAtClient = true } else { peerOverAtServer = true }
  }
}

/// A time in which a device's path loses segments.
@frozen
@usableFromInline
struct LossWindow: BitwiseCopyable {
  @usableFromInline var device: NodeID
  @usableFromInline var direction: LossDirection
  @usableFromInline var from: Instant
  @usableFromInline var until: Instant

  @inlinable init(device: NodeID, direction: LossDirection, from: Instant, until: Instant) {
    self.device = device
    self.direction = direction
    self.from = from
    self.until = until
  }

  @inlinable @inline(__always) func loses(device: NodeID, to side: Side, at time: Instant) -> Bool {
    guard device == self.device, from <= time, time < until else { return false }
    switch direction {
    case .both: return true
    case .toServer: return side == .server
    case .toClient: return side == .client
    }
  }
}

/// A program on its host: the server, or a device's client.
@frozen
@usableFromInline
struct Node: ~Copyable {
  @usableFromInline var processUp = true
  @usableFromInline var hostUp = true
  /// The present pause ends then; `.never`: at the calm.
  @usableFromInline var pausedUntil = Instant.start
  /// `.never`: it is not paused.
  @usableFromInline var pausedSince = Instant.never
  @usableFromInline var pausedTotal = Nanoseconds.zero
  @usableFromInline var slowBy = Nanoseconds.zero
  @usableFromInline var slowUntil = Instant.start
  /// Inputs that wait for the node, and the time of the last of them.
  @usableFromInline var waiting: UInt32 = 0
  /// When the first of those that wait came, or the first of those that they had to wait for.
  @usableFromInline var behindSince = Instant.start
  /// Counts the lives of its program.
  @usableFromInline var life: UInt8 = 0
  @usableFromInline var floor = Instant.start
  @usableFromInline var skewForward = Nanoseconds.zero
  @usableFromInline var skewBackward = Nanoseconds.zero
  /// The machine's deadline, and the time of the queued event, by timer.
  @usableFromInline var deadlines = UniqueArray<Instant>(minimumCapacity: 8)
  @usableFromInline var queued = UniqueArray<Instant>(minimumCapacity: 8)
  /// Timers beyond were never set since `reset`: a run with a storm must not make all others dear.
  @usableFromInline var usedTimers = 0

  @inlinable init() {}

  @inlinable mutating func reset() {
    processUp = true
    hostUp = true
    pausedUntil = .start
    pausedSince = .never
    pausedTotal = .zero
    slowBy = .zero
    slowUntil = .start
    waiting = 0
    life = 0
    floor = .start
    skewForward = .zero
    skewBackward = .zero
    for slot in 0..<usedTimers {
      deadlines[slot] = .never
      queued[slot] = .never
    }
    usedTimers = 0
  }

  /// How long it has been paused in all so far.
  @inlinable func pausedTotal(at now: Instant) -> Nanoseconds {
    guard pausedSince != .never else { return pausedTotal }
    return pausedTotal + (min(now, max(pausedUntil, pausedSince)) - pausedSince)
  }

  /// Nothing stands between an input and the program.
  @inlinable @inline(__always) func isIdle(at now: Instant) -> Bool {
    pausedUntil <= now && slowUntil <= now && waiting == 0
  }

  @inlinable @inline(__always) static func slot(of timer: TimerID) -> Int {
    Int(timer.subject) &* 8 &+ Int(timer.kind & 7)
  }

  @inlinable @inline(__always) mutating func reach(_ slot: Int) {
    if deadlines.count <= slot { grow(to: slot) }
    if usedTimers <= slot { usedTimers = slot &+ 1 }
  }

  @inlinable @inline(never) mutating func grow(to slot: Int) {
    while deadlines.count <= slot {
      deadlines.append(.never)
      queued.append(.never)
    }
  }

  @inlinable mutating func cancelTimers(_ kinds: UInt8, of subject: UInt16) {
    let base = Int(subject) &* 8
    // What was never set needs no cancelling.
    guard base < deadlines.count else { return }
    var kinds = kinds
    while kinds != 0 {
      let slot = base &+ kinds.trailingZeroBitCount
      if slot < deadlines.count { deadlines[slot] = .never }
      kinds &= kinds &- 1
    }
  }

  @inlinable mutating func cancelAllTimers() {
    for index in 0..<usedTimers { deadlines[index] = .never }
  }
}

/// What the simulation knows of a device besides its program.
@frozen
@usableFromInline
struct DeviceState: BitwiseCopyable {
  /// Its app wants a connection.
  @usableFromInline var wants = false
  @usableFromInline var everSubscribed = false
  @usableFromInline var lastConnect = Instant.start
  @usableFromInline var link = LinkID(.max)
  @usableFromInline var refusedUntil = Instant.start
  @usableFromInline var delayNext = Nanoseconds.zero
  @usableFromInline var cutNext = false
  @usableFromInline var lastSubmission: Submission?
  @usableFromInline var credentialExpires = Instant.never
  @usableFromInline var expiredAt = Instant.never
  /// When both ends last believed in a connection, up to when that ended.
  @usableFromInline var lastTogether = Instant.start
  @usableFromInline var isRefusedForGood = false
  /// What the server still has to be told about revocations; `.start`: nothing.
  @usableFromInline var revokedUpTo = Instant.start
  @usableFromInline var refreshSlowBy = Nanoseconds.zero
  @usableFromInline var refreshSlowUntil = Instant.start
  @usableFromInline var refreshRefusedUntil = Instant.start
  @usableFromInline var refreshStaleUntil = Instant.start
  @usableFromInline var refreshLostUntil = Instant.start
  @usableFromInline var refreshThrottledUntil = Instant.start
  @usableFromInline var jointKey: UInt32 = 0
  @usableFromInline var clientState: UInt16 = .max
  @usableFromInline var serverState: UInt16 = .max

  @inlinable init() {}
}
