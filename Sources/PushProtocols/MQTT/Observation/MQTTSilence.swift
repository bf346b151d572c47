import Timeline
import Wire

/// The longest time that a server kept a client that it did not hear.
struct MQTTZombie: Hashable {
  enum Proof { case closed, reset, dismissed, sent, answered, captureOver }
  /// The client's last packet before the silence.
  var lastHeard: Moment
  /// When the server still, or only then, acted.
  var until: Moment
  var proof: Proof

  var silence: Nanoseconds { until.time - lastHeard.time }
}

/// Watches the client's silence against its keep-alive (3.1.1: MQTT-3.1.2-24, 5.0: MQTT-3.1.2-22).
///
/// The server must close after one and a half keep-alives. Servers look at a clock that ticks now
/// and then, so a second, or a tenth of the bound if that is more, is not held against them.
struct MQTTSilence {
  /// One and a half keep-alives; zero: no limit.
  private(set) var bound = Nanoseconds.zero
  /// Packets of the client may be missing.
  var isUnjudgeable = false
  private(set) var zombie: MQTTZombie?
  private(set) var lastHeard: Moment?
  /// A packet after too long a silence, with the stream offset behind it: proof once the server's
  /// TCP has it.
  private var suspect: (zombie: MQTTZombie, end: UInt64)?

  mutating func begin(keepAlive: Nanoseconds, at moment: Moment) {
    bound = keepAlive * 3 / 2
    lastHeard = moment
  }

  var tolerated: Nanoseconds { bound + max(.seconds(1), bound / 10) }

  /// A packet came too late, and whether the server has it is not known yet.
  var isSuspicious: Bool { suspect != nil }

  /// What `isTooLong` goes by; `nil` when no silence is.
  var limit: Nanoseconds? { bound > .zero && !isUnjudgeable ? tolerated : nil }

  /// Packets of the client were heard in time, the last one then.
  mutating func catchUp(heard moment: Moment) { lastHeard = moment }

  private func isTooLong(at moment: Moment) -> Bool {
    guard bound > .zero, !isUnjudgeable, let lastHeard else { return false }
    return moment.time - lastHeard.time > tolerated
  }

  /// A packet of the client.
  mutating func heard(at moment: Moment, end: UInt64) {
    if isTooLong(at: moment), let lastHeard {
      suspect = (MQTTZombie(lastHeard: lastHeard, until: moment, proof: .answered), end)
    }
    lastHeard = moment
  }

  /// The server's TCP has the client's bytes below `upTo`: its socket is still there.
  mutating func confirm(upTo: UInt64) {
    guard let (zombie, end) = suspect, end <= upTo else { return }
    suspect = nil
    keep(zombie)
  }

  /// The server did something that shows that it believed in the connection.
  mutating func serverActed(_ proof: MQTTZombie.Proof, at moment: Moment) {
    guard isTooLong(at: moment), let lastHeard else { return }
    // The server's own answer to a packet that came too late proves what that packet suspected.
    keep(MQTTZombie(lastHeard: lastHeard, until: moment, proof: proof))
  }

  mutating func reset() { suspect = nil }

  private mutating func keep(_ found: MQTTZombie) {
    if let zombie, zombie.silence >= found.silence { return }
    zombie = found
  }
}
