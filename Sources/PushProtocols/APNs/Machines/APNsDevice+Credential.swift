internal import Custody
internal import Simulation
internal import Timeline

extension APNsDevice {
  /// The identity token that the token service issues against the device's key, and what the device
  /// does about the next one.
  struct Credential: Sendable, BitwiseCopyable {
    /// By the token service's wall clock; `.start` without one.
    var expires = Instant.start
    /// Not shown to a courier yet.
    var isFresh = false
    /// It was shown for the first time on the present attempt.
    var wasFresh = false
    var isAsking = false
    var askedAt = Instant.start
    /// After an answer that brought nothing: no request before this.
    var notBefore = Instant.start
    var failures: UInt32 = 0
    /// Only with `failsHardOnExpiry`: the courier refused it, and the retry loop goes on.
    var hasFailedHard = false
  }

  /// The least time between two refreshes of a token that works.
  private static let leastInterval = Nanoseconds.seconds(15)

  /// Between two rounds of the retry loop of `failsHardOnExpiry`. How long it really is nobody has
  /// published; launchd starts what failed no sooner than this.
  static let loopPause = Nanoseconds.seconds(10)

  func needsCredential(at clock: Clock) -> Bool {
    guard settings.usesCredential else { return false }
    if credential.expires == .start { return true }
    if policy.neverRefreshesCredential || policy.failsHardOnExpiry { return false }
    return !credential.isFresh && credential.expires <= clock.wall + clockAhead - clockBehind
  }

  /// The courier did not take it: asks for another, for the first time at once, and comes back when
  /// that is there.
  mutating func replaceCredential(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard settings.usesCredential, !policy.neverRefreshesCredential else {
      abandon(at: clock, into: &effects)
      return
    }
    if policy.failsHardOnExpiry {
      // The loop does not wait for the answer, and shows what it has.
      credential.hasFailedHard = true
      abandon(at: clock, into: &effects)
      ask(at: clock, into: &effects)
      return
    }
    if !policy.refreshesWithoutPause {
      let failures = credential.failures
      if failures > 0 { credential.notBefore = clock.now + pause(after: failures &- 1) }
      credential.failures &+= 1
    }
    credential.expires = .start
    credential.isFresh = false
    breakAway(into: &effects)
    start(at: clock, into: &effects)
  }

  /// Asks, or waits for the time when asking is allowed again.
  mutating func askInTime(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    if credential.notBefore > clock.now {
      effects.setTimer(TimerKind.refresh, after: credential.notBefore - clock.now)
    } else {
      ask(at: clock, into: &effects)
    }
  }

  mutating func refresh(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard wantsConnection, settings.usesCredential else { return }
    ask(at: clock, into: &effects)
  }

  private mutating func ask(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard !credential.isAsking else { return }
    credential.isAsking = true
    credential.askedAt = clock.now
    effects.append(.requestCredential)
    effects.setTimer(TimerKind.credentialTimeout, after: settings.credentialTimeout)
  }

  mutating func take(
    _ answer: CredentialAnswer, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    switch answer {
    case .issued(let expires):
      credential.isAsking = false
      credential.notBefore = .start
      credential.expires = expires
      credential.isFresh = true
      effects.cancelTimer(TimerKind.credentialTimeout)
      scheduleRefresh(at: clock, into: &effects)
      use(into: &effects)
    case .refused:
      // An answer to a request that was given up is no news.
      if credential.isAsking { failCredential(after: .zero, at: clock, into: &effects) }
    case .throttled(let retryAfter):
      // The device may have slept over the answer: the time counts from the question.
      let left = credential.askedAt + retryAfter - clock.now
      if credential.isAsking { failCredential(after: left, at: clock, into: &effects) }
    }
  }

  private mutating func scheduleRefresh(
    at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    if policy.neverRefreshesCredential || policy.failsHardOnExpiry { return }
    // The own clock may be wrong, so nothing is asked more often than is good for the service.
    let wall = clock.wall + clockAhead - clockBehind
    let left = min(credential.expires - wall, settings.credentialLifetime)
    let wish = max(Self.leastInterval, left - settings.refreshBefore, left / 2)
    effects.setTimer(TimerKind.refresh, after: wish)
  }

  /// A new token is there.
  private mutating func use(into effects: inout Effects<APNsMessage>) {
    switch phase {
    case .preparing:
      open(into: &effects)
    case .ready:
      replaceConnection(into: &effects)
    case .idle, .opening, .presenting, .waiting:
      break  // The next connect takes it.
    }
  }

  /// The token service brought nothing.
  mutating func failCredential(
    after least: Nanoseconds, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    credential.isAsking = false
    effects.cancelTimer(TimerKind.credentialTimeout)
    // The next round of the loop asks again.
    if credential.hasFailedHard { return }
    if policy.refreshesWithoutPause {
      ask(at: clock, into: &effects)
      return
    }
    let wait = max(least, pause(after: credential.failures &+ 2))
    credential.failures &+= 1
    credential.notBefore = clock.now + wait
    effects.setTimer(TimerKind.refresh, after: wait)
  }
}
