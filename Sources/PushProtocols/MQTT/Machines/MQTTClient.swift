public import Custody
public import Simulation
internal import Timeline

/// An MQTT 3.1.1 or 5.0 client: what runs on a device.
///
///     idle --connect--> preparing --credential--> opening --opened--> handshake --> connected
///      ^                    ^                        |                    |            |
///      |                    `------ waiting <--------+--------------------+--- lost ---'
///      `--disconnect, from anywhere
///
/// Connections are dealt with in `MQTTClient+Connection`, messages in both directions in
/// `MQTTClient+Delivery`, credentials in `MQTTClient+Credential`. It does no topic aliases, no
/// shared subscriptions and no flow of its own for QoS 0.
public struct MQTTClient: ClientMachine {
  public typealias Message = MQTTMessage

  enum Phase: UInt8, Sendable, BitwiseCopyable {
    /// The app wants no connection, or this end has given up.
    case idle
    /// Waits for a credential.
    case preparing
    case opening
    /// CONNECT is sent.
    case handshake
    case connected
    /// Until the next attempt.
    case waiting
    /// Another connection has the session (5.0): waits for as long as it ever waits.
    case takenOver
  }

  /// A publication on its way up.
  struct Outgoing: Sendable, BitwiseCopyable {
    enum State: UInt8, Sendable, BitwiseCopyable {
      case queued, awaitingPuback, awaitingPubrec, awaitingPubcomp
    }
    var submission: Submission
    var packet: UInt16 = 0
    var state = State.queued
    /// Written on the present connection.
    var sentHere = false
  }

  /// What the app wants to be subscribed to, and how far that is.
  struct Wish: Sendable, BitwiseCopyable {
    enum State: UInt8, Sendable, BitwiseCopyable {
      case needed, requested, granted, removalNeeded, removalRequested
    }
    var topic: UInt16
    var quality: UInt8
    var packet: UInt16 = 0
    var state = State.needed
  }

  /// A QoS 2 message that awaits its PUBREL.
  struct Received: Sendable, BitwiseCopyable {
    var packet: UInt16
    var publication: UInt16
  }

  static let noLink = LinkID(.max)

  let policy: MQTTClientPolicy
  var settings = MQTTDeviceSettings()
  var node = NodeID(1)
  var identity: UInt16 = 0

  // What belongs to the connection.
  var phase = Phase.idle
  var wantsConnection = false
  var hasGivenUp = false
  var link = Self.noLink
  var connectedAt = Instant.start
  var lastIn = Instant.start
  var lastOut = Instant.start
  var keepAlive = Nanoseconds.zero
  var window: UInt16 = 0
  var inFlight: UInt16 = 0
  var isPinging = false
  /// Attempts since the last connection that held; what back-off counts.
  var attempts: UInt32 = 0
  /// All attempts of the run; what makes jitter differ.
  var allAttempts: UInt32 = 0
  var launches: UInt16 = 0

  // What belongs to the session state.
  var outgoing: [Outgoing] = []
  var received: [Received] = []
  var wishes: [Wish] = []
  var nextPacket: UInt16 = 1

  var token = Token()
  /// Acknowledged and not yet given to the app: only the defective machine has any.
  var lateHandOvers: [UInt16] = []

  public init() { self.init(policy: MQTTClientPolicy()) }

  init(policy: MQTTClientPolicy) {
    self.policy = policy
    outgoing.reserveCapacity(32)
    received.reserveCapacity(32)
    wishes.reserveCapacity(8)
    lateHandOvers.reserveCapacity(8)
  }

  enum TimerKind {
    static let retry = TimerID(kind: 0)
    static let handshake = TimerID(kind: 1)
    static let keepAlive = TimerID(kind: 2)
    static let pingTimeout = TimerID(kind: 3)
    static let refresh = TimerID(kind: 4)
    static let credentialTimeout = TimerID(kind: 5)
    static let handOver = TimerID(kind: 6)
  }

  // MARK: - Machine

  public mutating func configure(
    node: NodeID, device: Device, identity: UInt16, scenario: Scenario
  ) {
    self.node = node
    self.identity = identity
    settings = MQTTDeviceSettings(device)
    reset()
  }

  public mutating func reset() {
    launches = 0
    allAttempts = 0
    forgetSession()
    forgetProgram()
  }

  public mutating func crash() {
    if !settings.durable { forgetSession() }
    lateHandOvers.removeAll(keepingCapacity: true)
    let token = token
    forgetProgram()
    if settings.durable {
      self.token = token
      self.token.isAsking = false
      self.token.isReplacing = false
    }
    for index in outgoing.indices { outgoing[index].sentHere = false }
  }

  private mutating func forgetSession() {
    outgoing.removeAll(keepingCapacity: true)
    received.removeAll(keepingCapacity: true)
    wishes.removeAll(keepingCapacity: true)
    lateHandOvers.removeAll(keepingCapacity: true)
    nextPacket = 1
  }

  private mutating func forgetProgram() {
    phase = .idle
    wantsConnection = false
    hasGivenUp = false
    link = Self.noLink
    attempts = 0
    inFlight = 0
    isPinging = false
    token = Token()
  }

  @inline(__always)
  public func believesConnected(on link: LinkID) -> Bool {
    phase == .connected && link == self.link
  }

  public func holds(publication: UInt16, for receiver: NodeID) -> Bool {
    guard receiver.isServer else { return false }
    for entry in outgoing
    where entry.submission.publication == publication && entry.state != .awaitingPubcomp {
      return true
    }
    return false
  }

  /// Bits: 0–2 phase, 3–4 outgoing (none, one, more), 5 something awaits PUBREL, 6 PINGRESP is
  /// awaited, 7–8 credential (at rest, asked for, being replaced on the connection).
  @inline(__always)  // Else the whole machine is copied for the call, twice an event.
  public func abstractState(on link: LinkID?) -> UInt16 {
    var state = UInt16(phase.rawValue)
    state |= UInt16(truncatingIfNeeded: min(2, outgoing.count)) << 3
    if !received.isEmpty { state |= 1 << 5 }
    if isPinging { state |= 1 << 6 }
    if token.isAsking { state |= 1 << 7 } else if token.isReplacing { state |= 2 << 7 }
    return state
  }

  public mutating func receive(
    _ input: Input<MQTTMessage>, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    switch input {
    case .message(let message, let link):
      // The rest of what the peer sent before this end closed: nobody reads it.
      guard link == self.link else { return }
      lastIn = clock.now
      take(message, at: clock, into: &effects)
    case .timer(let timer):
      fire(timer, at: clock, into: &effects)
    case .action(let action):
      act(action, at: clock, into: &effects)
    case .opened(let link, _):
      begin(on: link, at: clock, into: &effects)
    case .openFailed:
      guard phase == .opening else { return }  // The app has disconnected meanwhile.
      if policy.givesUpAfterNetworkError {
        giveUp(.tooManyAttempts, into: &effects)
      } else {
        scheduleRetry(into: &effects)
      }
    case .closed(let link, let cause):
      guard link == self.link else { return }  // Closed by this end already.
      lose(cause, at: clock, into: &effects)
    case .credential(let answer):
      take(answer, at: clock, into: &effects)
    case .launched:
      launches &+= 1
      // A program that lost its session state does not know which identifiers the server still
      // connects with an unfinished QoS 2 exchange, so it begins somewhere else.
      if !settings.durable || launches == 1 { nextPacket = 1 &+ (launches &- 1) &* 997 }
    case .revoked:
      preconditionFailure("a device is told of a revocation")
    }
  }

  private mutating func take(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    if phase == .handshake {
      takeInHandshake(message, at: clock, into: &effects)
      return
    }
    switch message.type {
    case .publish: takePublish(message, at: clock, into: &effects)
    case .puback: takePuback(message, at: clock, into: &effects)
    case .pubrec: takePubrec(message, at: clock, into: &effects)
    case .pubrel: takePubrel(message, at: clock, into: &effects)
    case .pubcomp: takePubcomp(message, at: clock, into: &effects)
    case .suback, .unsuback: takeSubscriptionAnswer(message)
    case .pingresp:
      isPinging = false
      effects.cancelTimer(TimerKind.pingTimeout)
    case .disconnect: takeDisconnect(message, at: clock, into: &effects)
    case .auth: takeAuth(message, at: clock, into: &effects)
    case .connack: breakOff(.secondConnack, at: clock, into: &effects)
    case .connect, .subscribe, .unsubscribe, .pingreq:
      breakOff(.wrongDirection, at: clock, into: &effects)
    }
  }

  private mutating func fire(
    _ timer: TimerID, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    switch timer {
    case TimerKind.retry:
      if phase == .waiting || phase == .takenOver { start(at: clock, into: &effects) }
    case TimerKind.handshake:
      if phase == .handshake { abandon(into: &effects) }
    case TimerKind.keepAlive:
      keepConnectionAlive(at: clock, into: &effects)
    case TimerKind.pingTimeout:
      if isPinging, phase == .connected, !policy.ignoresMissingPingResponse {
        abandon(at: clock, into: &effects)
      }
    case TimerKind.refresh:
      if wantsConnection, !hasGivenUp { ask(at: clock, into: &effects) }
    case TimerKind.credentialTimeout:
      if token.isAsking { failCredential(after: .zero, at: clock, into: &effects) }
    case TimerKind.handOver:
      for publication in lateHandOvers { effects.append(.handOver(publication: publication)) }
      lateHandOvers.removeAll(keepingCapacity: true)
    default: preconditionFailure("no timer \(timer.kind)")
    }
  }

  private mutating func act(
    _ action: Action, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    switch action {
    case .connect:
      wantsConnection = true
      if phase == .idle || phase == .takenOver {
        // The one defect stays given up until its program is started again.
        if hasGivenUp, policy.givesUpAfterNetworkError { return }
        hasGivenUp = false
        attempts = 0
        start(at: clock, into: &effects)
      }
    case .disconnect:
      wantsConnection = false
      leave(into: &effects)
    case .subscribe(let topic, let quality):
      wish(for: topic, quality: quality, at: clock, into: &effects)
    case .unsubscribe(let topic):
      endWish(for: topic, at: clock, into: &effects)
    case .submit(let submission):
      submit(submission, at: clock, into: &effects)
    case .sleep, .wake, .kill, .launch:
      preconditionFailure("the simulation does this itself: \(action)")
    }
  }
}
