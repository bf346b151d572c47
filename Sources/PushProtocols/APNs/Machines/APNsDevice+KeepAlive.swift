internal import Simulation
internal import Timeline

extension APNsDevice {
  /// The interval is over: asks whether the connection still works.
  mutating func keepAlive(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard phase == .ready else { return }
    if awaitsKeepAlive, !policy.ignoresMissingKeepAlive { return }
    awaitsKeepAlive = true
    var message = APNsMessage(.keepAlive)
    message.first = interval.count
    effects.send(message, on: link)
    if policy.ignoresMissingKeepAlive {
      effects.setTimer(TimerKind.keepAlive, after: interval)
    } else if !policy.stopsKeepAliveAfterMiss {
      effects.setTimer(TimerKind.keepAliveTimeout, after: settings.keepAliveTimeout)
    }
  }

  mutating func takeKeepAliveResponse(
    at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard awaitsKeepAlive else {
      breakOff(.unaskedKeepAliveResponse, at: clock, into: &effects)
      return
    }
    awaitsKeepAlive = false
    effects.cancelTimer(TimerKind.keepAliveTimeout)
    if settings.keepAliveGrowth > 0 {
      let grown = interval + Nanoseconds(interval.count / 100 &* settings.keepAliveGrowth)
      interval = min(grown, settings.keepAliveMaximum)
    }
    effects.setTimer(TimerKind.keepAlive, after: interval)
  }

  /// The path forgot the connection, or the courier did: back to the first interval, which is
  /// shorter than what the path seems to allow.
  mutating func missKeepAlive(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard phase == .ready, awaitsKeepAlive else { return }
    interval = settings.keepAlive
    abandon(at: clock, into: &effects)
  }
}
