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

/// When a device could have received something: its app wants a connection, its program and the
/// server's run, neither is slow, and the network is not out. What can't be had otherwise is no
/// machine's fault.
struct AvailabilityLog {
  /// What may be in the way.
  struct Obstacles: OptionSet {
    var rawValue: UInt8
    static let unwanted = Self(rawValue: 1 << 0)
    static let stopped = Self(rawValue: 1 << 1)
    static let paused = Self(rawValue: 1 << 2)
    static let serverStopped = Self(rawValue: 1 << 3)
    static let serverPaused = Self(rawValue: 1 << 4)
  }

  private var obstacles: Obstacles = .unwanted
  /// The network is out until then, or an end is slow; `.start`: it is not.
  private var outUntil = Instant.start
  /// How long until then, and whether from then on.
  private var turns: [(time: Instant, total: Nanoseconds, isOn: Bool)] = [
    (.start, .zero, false)
  ]

  /// - Parameter time: not earlier than the one before.
  mutating func set(_ obstacle: Obstacles, _ isThere: Bool, at time: Instant) {
    endOutage(by: time)
    if isThere { obstacles.insert(obstacle) } else { obstacles.remove(obstacle) }
    turn(at: time)
  }

  mutating func suffer(until end: Instant, at time: Instant) {
    endOutage(by: time)
    outUntil = max(outUntil, end)
    turn(at: time)
  }

  /// The network heals.
  mutating func heal(at time: Instant) {
    endOutage(by: time)
    outUntil = .start
    turn(at: time)
  }

  private mutating func endOutage(by time: Instant) {
    guard outUntil != .start, outUntil <= time else { return }
    let end = outUntil
    outUntil = .start
    turn(at: end)
  }

  private mutating func turn(at time: Instant) {
    let isOn = obstacles.isEmpty && outUntil == .start
    guard isOn != turns[turns.count - 1].isOn else { return }
    turns.append((time, total(at: time), isOn))
  }

  /// Of all times up to then.
  func total(at time: Instant) -> Nanoseconds {
    guard let turn = turns.last(where: { $0.time <= time }) else { return .zero }
    if turn.isOn { return turn.total + (time - turn.time) }
    // The end of an outage that nothing has happened since.
    let isBack = obstacles.isEmpty && outUntil > turn.time && outUntil < time
    return isBack ? turn.total + (time - outUntil) : turn.total
  }

  func total(from start: Instant, to end: Instant) -> Nanoseconds {
    total(at: end) - total(at: start)
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
  var credentialRequests: UInt64 = 0
  var messages: UInt64 = 0
  var pauses = PauseClock()
  var availability = AvailabilityLog()
  /// Since when it has had no connection and a credential that has ended.
  private(set) var outSince: Instant?
  /// How long it has been so in all, as far as it could have been otherwise.
  private(set) var out = Nanoseconds.zero
  /// Since when it has been trying to get a connection.
  private(set) var tryingSince: Instant?
  /// How long it has tried in all, as far as it could have had one.
  private(set) var trying = Nanoseconds.zero
  /// Since when it could be reached by nobody, and the longest of such times.
  private(set) var lostSince: Instant?
  private var longestLoss = Nanoseconds.zero
  /// Connections that it believes in.
  private var beliefs = 0
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
    availability.set(.unwanted, !wants, at: time)
    self.wants = wants
    noteReach(at: time)
    // Whoever does not want to be connected has nothing to come back to.
    if !wants {
      outSince = nil
      tryingSince = nil
    }
  }

  /// It opens a connection, or asks for what it takes.
  mutating func attempt(at time: Instant) {
    if wants, beliefs == 0, tryingSince == nil { tryingSince = time }
  }

  /// - Returns: since when it was trying, and how long, when that ends now.
  mutating func changeBeliefs(
    by change: Int, at time: Instant
  ) -> (since: Instant, lasted: Nanoseconds)? {
    beliefs += change
    guard beliefs > 0, let since = tryingSince else { return nil }
    tryingSince = nil
    let lasted = availability.total(from: since, to: time)
    if !isSettled { trying = trying + lasted }
    return (since, lasted)
  }

  /// - Returns: how long it was out, when that ends now.
  mutating func changeLive(by change: Int, at time: Instant) -> Nanoseconds? {
    advance(to: time)
    liveLinks += change
    noteReach(at: time)
    if liveLinks > 0 { return comeBack(at: time) }
    if wants, isExpired, outSince == nil { outSince = time }
    return nil
  }

  private mutating func noteReach(at time: Instant) {
    let isLost = wants && liveLinks == 0
    guard isLost != (lostSince != nil) else { return }
    longestLoss = longestLoss(by: time)
    // What begins in the calm is nobody's weather.
    lostSince = isLost && !isSettled ? time : nil
  }

  /// The longest time that it could not be reached, though it could have been, the last one as far
  /// as it has come.
  func longestLoss(by time: Instant) -> Nanoseconds {
    guard let lostSince else { return longestLoss }
    return max(longestLoss, availability.total(from: lostSince, to: time))
  }

  mutating func settle(at time: Instant) {
    advance(to: time)
    if let outSince { out = out + availability.total(from: outSince, to: time) }
    if let tryingSince { trying = trying + availability.total(from: tryingSince, to: time) }
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
    guard let since = outSince else { return nil }
    outSince = nil
    let lasted = availability.total(from: since, to: time)
    if !isSettled { out = out + lasted }
    return lasted
  }
}
