internal import Custody
internal import Simulation
internal import Timeline

extension APNsProviderClient {
  /// How long a connection must have held for the next loss to count as the first.
  private static let stable = Nanoseconds.seconds(10)
  /// More answers of 500 in a row than this are the connection's fault.
  private static let mostErrors: UInt8 = 3

  // MARK: - Opening

  mutating func open(into effects: inout Effects<APNsProviderMessage>) {
    phase = .opening
    allAttempts &+= 1
    effects.append(.open(.push))
    guard policy.reconnectsPerWaiter, allAttempts > 1 else { return }
    for _ in 1..<max(1, min(outgoing.count, 40)) { effects.append(.open(.push)) }
  }

  mutating func begin(
    on link: LinkID, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    guard phase == .opening else {
      effects.append(.close(link))  // Not wanted any more.
      return
    }
    self.link = link
    phase = .handshake
    nextStream = 1
    inFlight = 0
    errors = 0
    isPinging = false
    effects.send(APNsProviderMessage(.settings), on: link)
    effects.setTimer(TimerKind.handshake, after: settings.connectTimeout)
  }

  /// SETTINGS of APNs.
  mutating func enter(
    _ message: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    guard link == self.link, phase == .handshake else { return }  // Later ones change nothing here.
    phase = .connected
    connectedAt = clock.now
    streams = min(settings.maximumStreams, UInt16(clamping: message.value))
    effects.cancelTimer(TimerKind.handshake)
    if !policy.neverPings { effects.setTimer(TimerKind.ping, after: settings.pingInterval) }
    sweep(at: clock, into: &effects)
  }

  // MARK: - Keeping it

  /// PING after a silence.
  mutating func lookAfter(at clock: Clock, into effects: inout Effects<APNsProviderMessage>) {
    guard phase == .connected else { return }
    let due = lastIn + settings.pingInterval
    if due > clock.now {
      effects.setTimer(TimerKind.ping, after: due - clock.now)
      return
    }
    if !isPinging || policy.ignoresMissingPong {
      isPinging = true
      effects.send(APNsProviderMessage(.ping), on: link)
      effects.setTimer(TimerKind.pingTimeout, after: settings.pingTimeout)
    }
    effects.setTimer(TimerKind.ping, after: settings.pingInterval)
  }

  /// An answer of 500 may be the fault of a connection that was silent for too long.
  mutating func noteError(at clock: Clock, into effects: inout Effects<APNsProviderMessage>) -> Bool
  {
    if errors < .max { errors &+= 1 }
    guard errors >= Self.mostErrors, !policy.keepsWedgedConnection else { return false }
    leave(link, at: clock, into: &effects)
    return true
  }

  // MARK: - GOAWAY

  /// What is above its last stream was not processed; what is not may be answered yet.
  mutating func takeGoAway(
    _ message: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    if link == self.link, phase == .handshake {
      if !policy.waitsForSettings { leave(link, at: clock, into: &effects) }
      return
    }
    var kept = 0
    for index in outgoing.indices {
      var entry = outgoing[index]
      if entry.link == link, entry.stream > message.stream {
        if policy.forgetsRefusedByGoAway { continue }
        entry.link = Self.noLink
      }
      outgoing[kept] = entry
      kept &+= 1
    }
    outgoing.removeLast(outgoing.count &- kept)
    guard link == self.link, !policy.writesAfterGoAway else {
      countInFlight()
      sweep(at: clock, into: &effects)
      return
    }
    if draining != Self.noLink {
      effects.append(.close(draining))
      requeue(from: draining, at: clock)
    }
    draining = link
    let wasStable = clock.now - connectedAt >= Self.stable
    forgetConnection(into: &effects)
    if wasStable { attempts = 0 }
    if hasOpenRequests(on: draining) {
      effects.setTimer(TimerKind.drain, after: settings.drainTimeout)
    } else {
      effects.append(.close(draining))
      draining = Self.noLink
    }
    if wasStable, wantsConnection {
      open(into: &effects)
    } else {
      scheduleRetry(at: clock, into: &effects)
    }
  }

  func hasOpenRequests(on link: LinkID) -> Bool {
    for entry in outgoing where entry.link == link { return true }
    return false
  }

  /// The older connection is over, or its time is.
  mutating func endDraining(at clock: Clock, into effects: inout Effects<APNsProviderMessage>) {
    requeue(from: draining, at: clock)
    draining = Self.noLink
    effects.cancelTimer(TimerKind.drain)
    sweep(at: clock, into: &effects)
  }

  // MARK: - Ending

  /// The connection is over, not by this end.
  mutating func lose(at clock: Clock, into effects: inout Effects<APNsProviderMessage>) {
    if policy.forgetsToReconnect, phase == .handshake {
      link = Self.noLink
      effects.cancelTimer(TimerKind.handshake)
      return
    }
    if phase == .connected, clock.now - connectedAt >= Self.stable { attempts = 0 }
    let old = link
    forgetConnection(into: &effects)
    requeue(from: old, at: clock)
    scheduleRetry(at: clock, into: &effects)
  }

  /// This end has enough of a connection.
  mutating func leave(
    _ link: LinkID, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    effects.append(.close(link))
    if link == draining {
      endDraining(at: clock, into: &effects)
    } else {
      lose(at: clock, into: &effects)
    }
  }

  /// The app wants to be offline.
  mutating func rest(at clock: Clock, into effects: inout Effects<APNsProviderMessage>) {
    if link != Self.noLink { effects.append(.close(link)) }
    if draining != Self.noLink { effects.append(.close(draining)) }
    let (old, older) = (link, draining)
    forgetConnection(into: &effects)
    draining = Self.noLink
    requeue(from: old, at: clock)
    requeue(from: older, at: clock)
    effects.cancelTimers(TimerKind.retry, TimerKind.drain, TimerKind.sweep)
    sweepAt = .never
    phase = .idle
    attempts = 0
  }

  private mutating func forgetConnection(into effects: inout Effects<APNsProviderMessage>) {
    link = Self.noLink
    isPinging = false
    inFlight = 0
    effects.cancelTimers(TimerKind.handshake, TimerKind.ping, TimerKind.pingTimeout)
  }

  /// Nobody knows what became of the requests on a connection: they are asked for again.
  private mutating func requeue(from link: LinkID, at clock: Clock) {
    guard link != Self.noLink else { return }
    if policy.losesWaitersAtClose {
      outgoing.removeAll { $0.link == link }
    }
    for index in outgoing.indices where outgoing[index].link == link {
      outgoing[index].link = Self.noLink
    }
    countInFlight()
  }

  mutating func countInFlight() {
    var count: UInt16 = 0
    for entry in outgoing where entry.link == link && link != Self.noLink { count &+= 1 }
    inFlight = count
  }

  // MARK: - Back-off

  mutating func scheduleRetry(
    at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    guard wantsConnection else {
      phase = .idle
      return
    }
    phase = .waiting
    effects.setTimer(TimerKind.retry, after: pause(after: attempts))
    attempts &+= 1
  }

  func pause(after failures: UInt32) -> Nanoseconds {
    let backOff = BackOff(
      minimum: settings.backOffMinimum, maximum: settings.backOffMaximum,
      jitter: (settings.jitterPercent, 100))
    return backOff.pause(after: failures, of: node, attempt: allAttempts)
  }
}
