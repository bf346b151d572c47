public import Timeline

/// How long a device's radio stays on: a model, not a measurement.
///
/// Each transmission and each reception keeps it on for the tail; tails that overlap are one. The
/// time that the transmission itself takes, the promotion to the active state (some 0.3 s) and
/// TCP's own acknowledgements, which fall into the tail, are left out. So the figure tells how
/// often a device is woken and how well its traffic is bunched, which is what costs energy; it is
/// no forecast for a device.
public struct RadioModel: Hashable, Sendable {
  /// An assumption: network operators set the inactivity timer of LTE to about 10 s. (Huang et al.,
  /// MobiSys 2012, measured 11.6 s in one network; 3G and Wi-Fi differ.)
  public static let lteTail = Nanoseconds.seconds(10)

  public var tail: Nanoseconds

  public init(tail: Nanoseconds = lteTail) { self.tail = tail }
}

/// The time that a radio was on, from the times of what it sent and received.
struct RadioClock: Hashable, Sendable {
  private var total = Nanoseconds.zero
  private var from = Instant.start
  private var until = Instant.start

  /// - Parameter time: not earlier than the one before.
  mutating func touch(at time: Instant, _ model: RadioModel) {
    if time > until {
      total = total + (until - from)
      from = time
    }
    until = max(until, time + model.tail)
  }

  /// The radio's time on up to then.
  func total(until end: Instant) -> Nanoseconds {
    total + (min(until, end) - from)
  }
}
