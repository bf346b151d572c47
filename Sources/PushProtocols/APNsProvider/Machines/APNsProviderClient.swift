public import Custody
public import Simulation
internal import Timeline

/// A provider: takes pushes from its app, and asks APNs for them on one connection.
///
///     idle --connect--> opening --opened--> handshake --SETTINGS--> connected
///      ^                   |                    |                       |
///      |                   `------ waiting <----+------------- lost ----'
///      `--disconnect, from anywhere
///
/// After GOAWAY the connection drains beside a new one. Connections are dealt with in
/// `APNsProviderClient+Connection`, requests and provider tokens in
/// `APNsProviderClient+Requests`. An outcome that is not known is asked for again: APNs may take a
/// push twice, which is better than not at all.
public struct APNsProviderClient: ClientMachine {
  public typealias Message = APNsProviderMessage

  enum Phase: UInt8, Sendable, BitwiseCopyable {
    /// The app wants no connection.
    case idle
    case opening
    /// SETTINGS are sent, and awaited.
    case handshake
    case connected
    /// Until the next attempt.
    case waiting
  }

  /// A push on its way to APNs.
  struct Outgoing: Sendable, BitwiseCopyable {
    var publication: UInt16
    var topic: UInt16
    /// When it is of no use any more.
    var deadline: Instant
    /// In flight on this connection; `noLink`: waits.
    var link = APNsProviderClient.noLink
    var stream: UInt16 = 0
    var sent = Instant.start
    /// Not before this.
    var notBefore = Instant.start
    /// Requests that came to nothing, in a row.
    var failures: UInt16 = 0
  }

  /// What is known of a device token.
  struct DeviceToken: Sendable, BitwiseCopyable {
    var topic: UInt16
    var registered = Instant.start
    var isDead = false
  }

  static let noLink = LinkID(.max)

  let policy: APNsProviderPolicy
  var settings = APNsProviderClientSettings()
  var node = NodeID(1)

  // What belongs to the connection.
  var phase = Phase.idle
  var wantsConnection = false
  var link = Self.noLink
  /// After its GOAWAY.
  var draining = Self.noLink
  var connectedAt = Instant.start
  var lastIn = Instant.start
  var isPinging = false
  var nextStream: UInt16 = 1
  var streams: UInt16 = 0
  var inFlight: UInt16 = 0
  /// Answers of 500 in a row.
  var errors: UInt8 = 0
  /// Attempts since the last connection that held; what back-off counts.
  var attempts: UInt32 = 0
  /// All attempts of the run; what makes jitter differ.
  var allAttempts: UInt32 = 0
  /// When a sweep is due.
  var sweepAt = Instant.never

  // What belongs to the program.
  var outgoing: [Outgoing] = []
  var deviceTokens: [DeviceToken] = []
  var token = ProviderToken()

  init() { self.init(policy: APNsProviderPolicy()) }

  init(policy: APNsProviderPolicy) {
    self.policy = policy
    outgoing.reserveCapacity(64)
    deviceTokens.reserveCapacity(8)
  }

  enum TimerKind {
    static let retry = TimerID(kind: 0)
    static let handshake = TimerID(kind: 1)
    static let ping = TimerID(kind: 2)
    static let pingTimeout = TimerID(kind: 3)
    static let sweep = TimerID(kind: 4)
    static let drain = TimerID(kind: 5)
    static let tick = TimerID(kind: 6)
  }

  // MARK: - Machine

  public mutating func configure(
    node: NodeID, device: Device, identity: UInt16, scenario: Scenario
  ) {
    self.node = node
    settings = APNsProviderClientSettings(device)
    reset()
  }

  public mutating func reset() {
    allAttempts = 0
    outgoing.removeAll(keepingCapacity: true)
    deviceTokens.removeAll(keepingCapacity: true)
    forgetProgram()
  }

  public mutating func crash() {
    if settings.durable {
      for index in outgoing.indices {
        outgoing[index].link = Self.noLink
        outgoing[index].notBefore = .start
      }
    } else {
      outgoing.removeAll(keepingCapacity: true)
      deviceTokens.removeAll(keepingCapacity: true)
    }
    forgetProgram()
  }

  private mutating func forgetProgram() {
    phase = .idle
    wantsConnection = false
    link = Self.noLink
    draining = Self.noLink
    isPinging = false
    attempts = 0
    inFlight = 0
    errors = 0
    sweepAt = .never
    token = ProviderToken()
  }

  @inline(__always)
  public func believesConnected(on link: LinkID) -> Bool {
    // A pool that waits for SETTINGS and nothing else counts the connection as its own.
    link == self.link
      && (phase == .connected || policy.waitsForSettings && phase == .handshake)
  }

  public func holds(publication: UInt16, for receiver: NodeID) -> Bool {
    guard receiver.isServer else { return false }
    for entry in outgoing where entry.publication == publication { return true }
    return false
  }

  /// Bits: 0–2 phase, 3–4 open requests (none, one, more), 5 something waits, 6 PING is not
  /// answered, 7 an older connection drains.
  @inline(__always)
  public func abstractState(on link: LinkID?) -> UInt16 {
    var state = UInt16(phase.rawValue)
    state |= UInt16(truncatingIfNeeded: min(2, inFlight)) << 3
    if outgoing.count > Int(inFlight) { state |= 1 << 5 }
    if isPinging { state |= 1 << 6 }
    if draining != Self.noLink { state |= 1 << 7 }
    return state
  }

  public mutating func receive(
    _ input: Input<APNsProviderMessage>, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    switch input {
    case .message(let message, let link):
      take(message, on: link, at: clock, into: &effects)
    case .timer(let timer): fire(timer, at: clock, into: &effects)
    case .action(let action): act(action, at: clock, into: &effects)
    case .opened(let link, _): begin(on: link, at: clock, into: &effects)
    case .openFailed:
      guard phase == .opening else { return }  // Another attempt has come through meanwhile.
      scheduleRetry(at: clock, into: &effects)
    case .closed(let link, _):
      if link == draining {
        endDraining(at: clock, into: &effects)
      } else if link == self.link {
        lose(at: clock, into: &effects)
      }
    case .launched:
      if policy.ageStopsInSleep { effects.setTimer(TimerKind.tick, after: .seconds(60)) }
    case .credential, .revoked:
      preconditionFailure("a provider makes its tokens itself")
    }
  }

  private mutating func take(
    _ message: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    // What the peer sent before this end closed: nobody reads it.
    guard link == self.link || link == draining else { return }
    if link == self.link { lastIn = clock.now }
    switch message.type {
    case .settings: enter(message, on: link, at: clock, into: &effects)
    case .answer: takeAnswer(message, on: link, at: clock, into: &effects)
    case .goAway: takeGoAway(message, on: link, at: clock, into: &effects)
    case .pong:
      if link == self.link {
        isPinging = false
        effects.cancelTimer(TimerKind.pingTimeout)
      }
    case .ping:
      effects.send(APNsProviderMessage(.pong), on: link)
    case .request, .reset:
      effects.append(.blame(rule: APNsProviderConduct.wrongDirection.rawValue, link))
      leave(link, at: clock, into: &effects)
    }
  }

  private mutating func fire(
    _ timer: TimerID, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    switch timer {
    case TimerKind.retry:
      if phase == .waiting { open(into: &effects) }
    case TimerKind.handshake:
      if phase == .handshake, !policy.waitsForSettings {
        leave(link, at: clock, into: &effects)
      }
    case TimerKind.ping: lookAfter(at: clock, into: &effects)
    case TimerKind.pingTimeout:
      if isPinging, phase == .connected, !policy.ignoresMissingPong {
        leave(link, at: clock, into: &effects)
      }
    case TimerKind.sweep:
      sweepAt = .never
      sweep(at: clock, into: &effects)
    case TimerKind.drain:
      if draining != Self.noLink {
        effects.append(.close(draining))
        endDraining(at: clock, into: &effects)
      }
    case TimerKind.tick:
      token.awakeAge = token.awakeAge + .seconds(60)
      effects.setTimer(TimerKind.tick, after: .seconds(60))
    default: preconditionFailure("no timer \(timer.kind)")
    }
  }

  private mutating func act(
    _ action: Action, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    switch action {
    case .connect:
      wantsConnection = true
      if phase == .idle {
        attempts = 0
        open(into: &effects)
      }
    case .disconnect:
      wantsConnection = false
      rest(at: clock, into: &effects)
    case .subscribe(let topic, _): register(topic, at: clock)
    case .unsubscribe: break  // That an app is gone APNs learns from the device, not from here.
    case .submit(let submission): submit(submission, at: clock, into: &effects)
    case .sleep, .wake, .kill, .launch:
      preconditionFailure("the simulation does this itself: \(action)")
    }
  }
}
