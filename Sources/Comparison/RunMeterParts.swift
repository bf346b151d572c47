internal import Custody
internal import Simulation
internal import Timeline

/// How long a program stood still in all.
struct PauseClock {
  private var paused = Nanoseconds.zero
  private var since = Instant.never

  mutating func pause(at time: Instant) {
    if since == .never { since = time }
  }

  mutating func resume(at time: Instant) {
    paused = total(at: time)
    since = .never
  }

  func total(at time: Instant) -> Nanoseconds {
    since == .never ? paused : paused + (time - since)
  }
}

/// When a device could have received something: its app wants a connection and its program runs.
struct AvailabilityLog {
  private var wants = false
  private var runs = true
  private var isPaused = false
  /// How long until then, and whether from then on.
  private var turns: [(time: Instant, total: Nanoseconds, isOn: Bool)] = [
    (.start, .zero, false)
  ]

  mutating func set(
    wants: Bool? = nil, runs: Bool? = nil, isPaused: Bool? = nil, at time: Instant
  ) {
    self.wants = wants ?? self.wants
    self.runs = runs ?? self.runs
    self.isPaused = isPaused ?? self.isPaused
    let isOn = self.wants && self.runs && !self.isPaused
    guard isOn != turns[turns.count - 1].isOn else { return }
    turns.append((time, total(at: time), isOn))
  }

  func total(at time: Instant) -> Nanoseconds {
    guard let turn = turns.last(where: { $0.time <= time }) else { return .zero }
    return turn.isOn ? turn.total + (time - turn.time) : turn.total
  }
}

/// That an end believes in a connection.
struct Belief {
  var isHeld = false
  /// Since when; once the connection is dead: since then at the earliest.
  var since = Instant.start
  /// How long its program had stood still by then.
  var pausedThen = Nanoseconds.zero
}

/// What is known of one connection of a run.
struct LinkMeter {
  let device: Int
  let opened: Instant
  /// For pushes; not for one request.
  let isStanding: Bool
  var client = Belief()
  var server = Belief()
  /// Its client has believed in it.
  var hadClient = false
  /// Its path is gone, or an end has stopped believing in it; `.never`: neither.
  var deadSince = Instant.never

  init(device: Int, opened: Instant, isStanding: Bool) {
    self.device = device
    self.opened = opened
    self.isStanding = isStanding
  }

  subscript(side: Side) -> Belief {
    get { side == .client ? client : server }
    set { if side == .client { client = newValue } else { server = newValue } }
  }

  /// Something can be delivered on it.
  var isLive: Bool { client.isHeld && server.isHeld && deadSince == .never }

  /// How long this end has believed in a dead connection, less what its program stood still.
  func deception(of side: Side, until time: Instant, paused: Nanoseconds) -> Nanoseconds? {
    guard deadSince != .never, self[side].isHeld else { return nil }
    return (time - self[side].since) - (paused - self[side].pausedThen)
  }
}

/// What is known of one device of a run.
struct DeviceMeter {
  let isReceiver: Bool
  var radio = RadioClock()
  var connects: UInt64 = 0
  var requests: UInt64 = 0
  var messages: UInt64 = 0
  var pauses = PauseClock()
  var availability = AvailabilityLog()
  /// Since when it has had no connection and a credential that has ended.
  private(set) var outSince: Instant?
  private(set) var expiries: UInt64 = 0
  /// Its credential has ended and is not replaced.
  private var isExpired = false
  private(set) var wanted = Nanoseconds.zero
  private(set) var reachable = Nanoseconds.zero
  private var wants = false
  private var liveLinks = 0
  /// Up to when `wanted` and `reachable` are counted.
  private var counted = Instant.start
  private var isSettled = false

  init(isReceiver: Bool) { self.isReceiver = isReceiver }

  /// Counts the time up to now.
  private mutating func advance(to time: Instant) {
    guard !isSettled else { return }
    if wants {
      wanted = wanted + (time - counted)
      if liveLinks > 0 { reachable = reachable + (time - counted) }
    }
    counted = time
  }

  mutating func want(_ wants: Bool, at time: Instant) {
    advance(to: time)
    availability.set(wants: wants, at: time)
    self.wants = wants
    // Whoever does not want to be connected has nothing to come back to.
    if !wants { outSince = nil }
  }

  /// - Returns: how long it was out, when that ends now.
  mutating func changeLive(by change: Int, at time: Instant) -> Nanoseconds? {
    advance(to: time)
    liveLinks += change
    if liveLinks > 0 { return comeBack(at: time) }
    if wants, isExpired, outSince == nil { outSince = time }
    return nil
  }

  mutating func settle(at time: Instant) {
    advance(to: time)
    isSettled = true
  }

  mutating func expire(at time: Instant) {
    isExpired = true
    guard wants else { return }
    if !isSettled { expiries += 1 }
    if liveLinks == 0, outSince == nil { outSince = time }
  }

  /// Its credential is replaced, and both ends believe in a connection.
  mutating func recover(at time: Instant) -> Nanoseconds? {
    isExpired = false
    return comeBack(at: time)
  }

  private mutating func comeBack(at time: Instant) -> Nanoseconds? {
    defer { outSince = nil }
    return outSince.map { time - $0 }
  }
}
