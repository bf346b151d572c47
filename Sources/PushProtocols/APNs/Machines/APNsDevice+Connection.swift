internal import Custody
internal import Simulation
internal import Timeline

extension APNsDevice {
  // MARK: - Connecting

  mutating func start(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard wantsConnection, !hasGivenUp else {
      phase = .idle
      return
    }
    if needsCredential(at: clock) {
      phase = .preparing
      askInTime(at: clock, into: &effects)
    } else {
      open(into: &effects)
    }
  }

  mutating func open(into effects: inout Effects<APNsMessage>) {
    phase = .opening
    allAttempts &+= 1
    effects.append(.open(settings.isProvider ? .provider : .push))
  }

  mutating func begin(
    on link: LinkID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    if phase == .ready, isReplacing, nextLink == Self.noLink {
      nextLink = link
      present(on: link, at: clock, into: &effects)
      return
    }
    guard phase == .opening else {
      effects.append(.close(link))  // Nobody wants it any more.
      return
    }
    self.link = link
    if settings.isProvider {
      enterAsProvider(at: clock, into: &effects)
      return
    }
    phase = .presenting
    present(on: link, at: clock, into: &effects)
  }

  private mutating func present(
    on link: LinkID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    var connect = APNsMessage(.connect)
    connect.identity = identity
    connect.token = token
    connect.first = settings.usesCredential ? credential.expires.nanoseconds : .max
    connect.second = (clock.wall + clockAhead - clockBehind).nanoseconds
    credential.wasFresh = credential.isFresh
    credential.isFresh = false
    effects.send(connect, on: link)
    if !policy.waitsForConnectResponse {
      effects.setTimer(TimerKind.handshake, after: settings.connectTimeout)
    }
  }

  mutating func take(
    _ message: APNsMessage, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    switch message.what {
    case .connectResponse:
      guard phase == .presenting else {
        breakOff(.unaskedConnectResponse, at: clock, into: &effects)
        return
      }
      takeResponse(message, at: clock, into: &effects)
    case .notification:
      guard phase == .ready else {
        breakOff(.connectResponseFirst, at: clock, into: &effects)
        return
      }
      takeNotification(message, at: clock, into: &effects)
    case .keepAliveResponse:
      takeKeepAliveResponse(at: clock, into: &effects)
    case .pushAnswer:
      takePushAnswer(message, into: &effects)
    case .noStorage, .ack:
      break  // Nothing to do about it: there is nothing stored, and this device sends no 0x0A.
    case .connect, .filter, .keepAlive, .setState, .register, .registered, .fetch, .changes, .save,
      .saved, .idle, .command, .result, .push:
      breakOff(.wrongDirection, at: clock, into: &effects)
    }
  }

  private mutating func takeResponse(
    _ message: APNsMessage, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    switch APNsStatus(rawValue: message.status) {
    case .ok where message.flags.contains(.redirect):
      follow(at: clock, into: &effects)
    case .ok:
      enter(message, at: clock, into: &effects)
    case .badNonce where !(policy.keepsFirstServerTime && clockAhead + clockBehind != .zero):
      let server = Instant(nanoseconds: message.first)
      clockAhead = server > clock.wall ? server - clock.wall : .zero
      clockBehind = server < clock.wall ? clock.wall - server : .zero
      abandon(at: clock, into: &effects)
    case .refused:
      // It may be about either token. One that has never been shown before is not the likely one.
      let isOld = settings.usesCredential && !credential.wasFresh
      if isOld || policy.keepsRefusedToken || token == 0 {
        replaceCredential(at: clock, into: &effects)
      } else {
        token = 0
        abandon(at: clock, into: &effects)
      }
    case .triedTooOften:
      abandon(at: clock, comingBackAfter: Nanoseconds(message.first), into: &effects)
    default:
      abandon(at: clock, into: &effects)
    }
  }

  /// - Returns: whether to ask the other courier at once. After some of them it is as after a
  ///   connect that failed: they may send this device in a circle.
  mutating func mayFollow() -> Bool {
    redirects &+= 1
    if redirects <= Self.mostRedirects { return true }
    redirects = 0
    return false
  }

  private mutating func follow(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard mayFollow() else {
      abandon(at: clock, into: &effects)
      return
    }
    breakAway(into: &effects)
    start(at: clock, into: &effects)
  }

  mutating func enter(
    _ response: APNsMessage, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    phase = .ready
    connectedAt = clock.now
    awaitsKeepAlive = false
    credential.failures = 0
    redirects = 0
    credential.hasFailedHard = false
    if response.token != 0, response.token != token {
      if policy.hidesTokenChange, token == 0 {
        // The apps' services go on with what they were told once.
        for index in subscriptions.indices where subscriptions[index].registeredToken != 0 {
          subscriptions[index].registeredToken = response.token
        }
      }
      token = response.token
    }
    effects.cancelTimer(TimerKind.handshake)
    effects.send(APNsMessage(.setState), on: link)
    if !policy.filtersOnce || allAttempts == 1 {
      hasFiltered = false
      tellFilter(into: &effects)
    }
    sendLateAcks(into: &effects)
    effects.setTimer(TimerKind.keepAlive, after: interval)
    if !policy.fetchesOnlyOnPush { fetchAll(at: clock, into: &effects) }
    askServices(at: clock, into: &effects)
  }

  // MARK: - Ending

  /// The connection is over, not by this end.
  mutating func lose(
    _ cause: CloseCause, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    noteStability(at: clock)
    forgetConnection(into: &effects)
    if policy.givesUpAfterNetworkError, cause == .timedOut || cause == .aborted {
      giveUp(.tooManyAttempts, into: &effects)
    } else {
      scheduleRetry(into: &effects)
    }
  }

  mutating func failNetwork(into effects: inout Effects<APNsMessage>) {
    if policy.givesUpAfterNetworkError {
      giveUp(.tooManyAttempts, into: &effects)
    } else {
      scheduleRetry(into: &effects)
    }
  }

  /// This end doubts the connection: closes it and tries again later.
  ///
  /// - Parameter least: the peer asks to be left in peace for so long.
  mutating func abandon(
    at clock: Clock, comingBackAfter least: Nanoseconds = .zero,
    into effects: inout Effects<APNsMessage>
  ) {
    noteStability(at: clock)
    breakAway(into: &effects)
    scheduleRetry(after: least, into: &effects)
  }

  /// Closes the connection; what comes then is the caller's business.
  mutating func breakAway(into effects: inout Effects<APNsMessage>) {
    effects.append(.close(link))
    forgetConnection(into: &effects)
  }

  /// The peer broke a rule.
  mutating func breakOff(
    _ rule: APNsConduct, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    effects.append(.blame(rule: rule.rawValue, link))
    abandon(at: clock, into: &effects)
  }

  /// Somebody switched the network off.
  mutating func leave(into effects: inout Effects<APNsMessage>) {
    if phase == .presenting || phase == .ready { breakAway(into: &effects) }
    dropReplacement(into: &effects)
    for slot in RequestSlot.allCases { closeRequest(in: slot, into: &effects) }
    effects.cancelTimers(TimerKind.retry, TimerKind.refresh)
    phase = .idle
    attempts = 0
  }

  mutating func giveUp(_ reason: GiveUpReason, into effects: inout Effects<APNsMessage>) {
    dropReplacement(into: &effects)
    phase = .idle
    hasGivenUp = true
    effects.append(.giveUp(reason))
  }

  private mutating func forgetConnection(into effects: inout Effects<APNsMessage>) {
    link = Self.noLink
    awaitsKeepAlive = false
    effects.cancelTimers(TimerKind.handshake, TimerKind.keepAlive, TimerKind.keepAliveTimeout)
    if settings.isProvider {
      for index in outgoing.indices { outgoing[index].sentHere = false }
    }
  }

  private mutating func noteStability(at clock: Clock) {
    if phase == .ready, clock.now - connectedAt >= Self.stable { attempts = 0 }
  }

  // MARK: - Back-off

  mutating func scheduleRetry(
    after least: Nanoseconds = .zero, into effects: inout Effects<APNsMessage>
  ) {
    guard wantsConnection else {
      phase = .idle
      return
    }
    if takesReplacement(into: &effects) { return }
    phase = .waiting
    var wait = max(least, pause(after: attempts))
    if policy.retriesWithoutPause { wait = .milliseconds(100) }
    // The published description: the device tries again and again, whatever it is told.
    if credential.hasFailedHard { wait = Self.loopPause }
    attempts &+= 1
    effects.setTimer(TimerKind.retry, after: wait)
  }

  func pause(after attempts: UInt32) -> Nanoseconds {
    let backOff = BackOff(
      minimum: settings.backOffMinimum, maximum: settings.backOffMaximum,
      jitter: (1, 5))
    return backOff.pause(after: attempts, of: node, attempt: allAttempts)
  }
}
