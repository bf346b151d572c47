internal import Custody
internal import Simulation
internal import Timeline

// A new identity token takes a new connection: it is shown in connect (0x07) only. The old
// connection stays until the courier has taken the new one; then the courier ends it: a connect
// takes the place of an older connection with the same push token.
extension APNsDevice {
  mutating func replaceConnection(into effects: inout Effects<APNsMessage>) {
    guard phase == .ready, !isReplacing, !settings.isProvider else { return }
    isReplacing = true
    allAttempts &+= 1
    effects.append(.open(.push))
  }

  /// What comes on the new connection.
  mutating func takeOnReplacement(
    _ message: APNsMessage, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard message.what == .connectResponse else {
      effects.append(.blame(rule: APNsConduct.connectResponseFirst.rawValue, nextLink))
      failReplacement(at: clock, into: &effects)
      return
    }
    if message.flags.contains(.redirect) {
      guard mayFollow() else {
        failReplacement(at: clock, into: &effects)
        return
      }
      dropReplacement(into: &effects)
      replaceConnection(into: &effects)
      return
    }
    guard message.status == APNsStatus.ok.rawValue else {
      let isRefused = message.status == APNsStatus.refused.rawValue
      failReplacement(at: clock, into: &effects)
      // Another one, before the old one ends.
      if isRefused { failCredential(after: .zero, at: clock, into: &effects) }
      return
    }
    effects.append(.close(link))
    effects.cancelTimers(TimerKind.retry, TimerKind.keepAliveTimeout)
    link = nextLink
    nextLink = Self.noLink
    isReplacing = false
    enter(message, at: clock, into: &effects)
  }

  /// The old connection is as good as it was: tries again later.
  mutating func failReplacement(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard isReplacing else { return }
    dropReplacement(into: &effects)
    effects.cancelTimer(TimerKind.handshake)
    effects.setTimer(TimerKind.retry, after: pause(after: attempts))
    attempts &+= 1
  }

  mutating func dropReplacement(into effects: inout Effects<APNsMessage>) {
    isReplacing = false
    guard nextLink != Self.noLink else { return }
    effects.append(.close(nextLink))
    nextLink = Self.noLink
  }

  /// The old connection is over.
  ///
  /// - Returns: whether there is a new one to wait for instead of a pause.
  mutating func takesReplacement(into effects: inout Effects<APNsMessage>) -> Bool {
    guard isReplacing else { return false }
    isReplacing = false
    phase = nextLink == Self.noLink ? .opening : .presenting
    link = nextLink
    nextLink = Self.noLink
    if phase == .presenting, !policy.waitsForConnectResponse {
      effects.setTimer(TimerKind.handshake, after: settings.connectTimeout)
    }
    return true
  }
}
