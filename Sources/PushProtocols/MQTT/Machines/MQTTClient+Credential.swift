internal import Custody
internal import Simulation
internal import Timeline

extension MQTTClient {
  /// What the device has to show, and what it does about the next one.
  struct Token: Sendable, BitwiseCopyable {
    /// By the token service's wall clock; `.start` without one.
    var expires = Instant.start
    /// Not shown to a server yet: worth trying whatever the own clock says.
    var isFresh = false
    var isAsking = false
    /// Sent in an AUTH that is not answered yet.
    var isReplacing = false
    var askedAt = Instant.start
    /// After an answer that brought nothing: no request before this.
    var notBefore = Instant.start
    /// Answers, and credentials that the server did not take, in a row.
    var failures: UInt32 = 0
  }

  /// The least time between two refreshes of a credential that works.
  private static let leastInterval = Nanoseconds.seconds(15)

  func needsCredential(at clock: Clock) -> Bool {
    guard settings.usesCredential else { return false }
    if token.expires == .start { return true }
    if policy.neverRefreshesCredential || policy.refreshesTooLate { return false }
    return !token.isFresh && token.expires <= clock.wall
  }

  /// The server did not take it.
  mutating func discardCredential(at clock: Clock) {
    if policy.neverRefreshesCredential || policy.refreshesTooLate { return }
    if !policy.refreshesWithoutPause {
      token.notBefore = clock.now + pause(after: token.failures &+ 1)
      token.failures &+= 1
    }
    token.expires = .start
    token.isFresh = false
  }

  /// Asks, or waits for the time when asking is allowed again.
  mutating func askInTime(at clock: Clock, into effects: inout Effects<MQTTMessage>) {
    if token.notBefore > clock.now {
      effects.setTimer(TimerKind.refresh, after: token.notBefore - clock.now)
    } else {
      ask(at: clock, into: &effects)
    }
  }

  mutating func ask(at clock: Clock, into effects: inout Effects<MQTTMessage>) {
    guard !token.isAsking else { return }
    token.isAsking = true
    token.askedAt = clock.now
    effects.append(.requestCredential)
    effects.setTimer(TimerKind.credentialTimeout, after: settings.credentialTimeout)
  }

  mutating func take(
    _ answer: CredentialAnswer, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    switch answer {
    case .issued(let expires):
      token.isAsking = false
      token.notBefore = .start
      token.expires = expires
      token.isFresh = true
      effects.cancelTimer(TimerKind.credentialTimeout)
      scheduleRefresh(at: clock, into: &effects)
      use(at: clock, into: &effects)
    case .refused:
      // An answer to a request that was given up is no news.
      if token.isAsking { failCredential(after: .zero, at: clock, into: &effects) }
    case .throttled(let retryAfter):
      // The device may have slept over the answer: the time counts from the question.
      let left = token.askedAt + retryAfter - clock.now
      if token.isAsking { failCredential(after: left, at: clock, into: &effects) }
    }
  }

  mutating func scheduleRefresh(
    at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    if policy.neverRefreshesCredential { return }
    if policy.refreshesTooLate {
      effects.setTimer(TimerKind.refresh, after: settings.credentialLifetime * 3)
      return
    }
    // The own clock may be wrong, so nothing is asked more often than is good for the service.
    let left = min(token.expires - clock.wall, settings.credentialLifetime)
    let wish = max(Self.leastInterval, left - settings.refreshBefore, left / 2)
    effects.setTimer(TimerKind.refresh, after: max(wish, token.notBefore - clock.now))
  }

  /// A new credential is there.
  private mutating func use(at clock: Clock, into effects: inout Effects<MQTTMessage>) {
    switch phase {
    case .preparing:
      open(into: &effects)
    case .connected:
      if settings.version5 {
        token.isReplacing = true
        token.isFresh = false
        send(.auth(.reauthenticate, credential: token.expires), at: clock, into: &effects)
      } else {
        // 3.1.1 shows a credential in CONNECT only.
        effects.send(.disconnect(.normalDisconnection), on: link)
        drop(into: &effects)
        start(at: clock, into: &effects)
      }
    case .idle, .opening, .handshake, .waiting, .takenOver:
      break  // The next CONNECT takes it.
    }
  }

  /// The token service brought nothing: asks again, later and later.
  mutating func failCredential(
    after least: Nanoseconds, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    token.isAsking = false
    effects.cancelTimer(TimerKind.credentialTimeout)
    if policy.refreshesWithoutPause {
      ask(at: clock, into: &effects)
      return
    }
    let wait = max(least, pause(after: token.failures &+ 2))
    token.failures &+= 1
    token.notBefore = clock.now + wait
    effects.setTimer(TimerKind.refresh, after: wait)
  }

  mutating func takeAuth(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    guard settings.version5, settings.usesCredential else {
      breakOff(.wrongDirection, at: clock, into: &effects)
      return
    }
    if message.reason == MQTTReasonCode.continueAuthentication.rawValue {
      send(
        .auth(.continueAuthentication, credential: token.expires), at: clock, into: &effects)
    } else {
      token.isReplacing = false
    }
  }
}
