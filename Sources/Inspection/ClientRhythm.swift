import Timeline
import Wire

/// When a client of which nothing can be read spoke, and whether it has stopped.
struct ClientRhythm {
  /// Who has paused for so long and gone on, so often, speaks regularly. A login is a burst.
  private static let regular = (pause: Nanoseconds.seconds(1), count: 3)
  /// A shorter silence at the end proves nothing.
  private static let shortestSilence = Nanoseconds.seconds(10)

  /// When it spoke last.
  private(set) var lastHeard: Moment?
  private(set) var longestPause = Nanoseconds.zero
  /// How often it paused for long and went on.
  private(set) var pauses = 0

  mutating func hear(at moment: Moment) {
    if let last = lastHeard, moment.time > last.time {
      longestPause = max(longestPause, moment.time - last.time)
      if moment.time - last.time >= Self.regular.pause { pauses += 1 }
    }
    lastHeard = moment
  }

  /// How long it has been silent, and since when; `nil` when it never spoke regularly, or that is
  /// not long for it.
  func silence(until now: Instant) -> (length: Nanoseconds, since: Moment)? {
    guard pauses >= Self.regular.count, let lastHeard, now > lastHeard.time else { return nil }
    let length = now - lastHeard.time
    guard length >= Self.shortestSilence, length.count > longestPause.count &* 2 else {
      return nil
    }
    return (length, lastHeard)
  }
}
