public import Custody
public import Simulation
internal import Timeline

/// A device with its push daemon and its apps, or (with the parameter `provider`) a provider.
///
///     idle --connect--> preparing --credential--> opening --opened--> presenting --> ready
///      ^                    ^                        |                    |            |
///      |                    `------ waiting <--------+--------------------+--- lost ---'
///      `--disconnect, from anywhere
///
/// The daemon keeps one courier connection (`APNsDevice+Connection`, `+KeepAlive`, `+Credential`),
/// stores and hands over what comes (`+Notifications`). Apps register with their services, fetch
/// changes, save their own and carry out commands over short-lived connections (`+Requests`).
/// States and flows are those that independent clients have in common; nothing here is the
/// vendor's code.
public struct APNsDevice: ClientMachine {
  public typealias Message = APNsMessage

  enum Phase: UInt8, Sendable, BitwiseCopyable {
    /// Nobody wants a connection, or this end has given up.
    case idle
    /// Waits for an identity token.
    case preparing
    case opening
    /// Connect (0x07) is sent.
    case presenting
    case ready
    /// Until the next attempt.
    case waiting
  }

  /// An app's topic, and how far the app is with it.
  struct Subscription: Sendable, BitwiseCopyable {
    var topic: UInt16
    var kind: APNsTopicKind
    var isWanted = true
    /// The push token that the service was told, by its own word; 0: none. Durable.
    var registeredToken: UInt16 = 0
    /// The change token of a zone. Durable.
    var cursor: UInt32 = 0
    /// Something may be there to fetch, or a command to ask for.
    var isDue = true
    /// After a "wait" of the service: not before.
    var notBefore = Instant.start
  }

  /// Something on its way up: a provider's push, or a change that an app saved. Durable.
  struct Outgoing: Sendable, BitwiseCopyable {
    var submission: Submission
    var sentHere = false
  }

  /// Acknowledged and not yet stored: only defective machines have any.
  struct Unstored: Sendable, BitwiseCopyable {
    var publication: UInt16
    var topic: UInt16
  }

  static let noLink = LinkID(.max)
  /// After a connection that held this long, back-off begins anew.
  static let stable = Nanoseconds.seconds(10)
  /// It follows so many couriers that send it on before it pauses.
  static let mostRedirects: UInt8 = 3

  /// What it does differently. A provider does nothing differently: its defects are those of
  /// `apns-provider.client`.
  private(set) var policy: APNsDevicePolicy
  private let devicePolicy: APNsDevicePolicy
  var settings = APNsDeviceSettings()
  var node = NodeID(1)
  var identity: UInt16 = 0
  var kinds: [APNsTopicKind] = []

  // The daemon's connection.
  var phase = Phase.idle
  var wantsConnection = false
  var hasGivenUp = false
  var link = Self.noLink
  /// The one that is to take its place with a new identity token, and whether there is to be one.
  var nextLink = Self.noLink
  var isReplacing = false
  var connectedAt = Instant.start
  var attempts: UInt32 = 0
  var allAttempts: UInt32 = 0
  /// Couriers that sent this device on since the last one that let it in.
  var redirects: UInt8 = 0
  var interval = Nanoseconds.zero
  var awaitsKeepAlive = false
  var hasFiltered = false
  /// What the courier's clock is ahead of this device's, as far as it said.
  var clockAhead = Nanoseconds.zero
  var clockBehind = Nanoseconds.zero

  // What survives the program.
  var token: UInt16 = 0
  var subscriptions: [Subscription] = []
  var outgoing: [Outgoing] = []
  var seen: [UInt16] = []

  var credential = Credential()
  var latestID: UInt32 = 0
  var unstored: [Unstored] = []
  /// Fetched, and not stored yet though the change token is: only a defective machine has any.
  var unappliedChanges: [UInt16] = []
  /// Acks that the defective machine sends on its next connection.
  var lateAcks: [APNsMessage] = []
  /// Exchanges with services, by slot.
  var requests: [Request] = []

  public init() { self.init(policy: APNsDevicePolicy()) }

  init(policy: APNsDevicePolicy) {
    self.policy = policy
    devicePolicy = policy
    subscriptions.reserveCapacity(16)
    outgoing.reserveCapacity(32)
    seen.reserveCapacity(64)
    unstored.reserveCapacity(8)
    unappliedChanges.reserveCapacity(8)
    lateAcks.reserveCapacity(16)
    for _ in RequestSlot.allCases { requests.append(Request()) }
  }

  enum TimerKind {
    static let retry = TimerID(kind: 0)
    static let handshake = TimerID(kind: 1)
    static let keepAlive = TimerID(kind: 2)
    static let keepAliveTimeout = TimerID(kind: 3)
    static let refresh = TimerID(kind: 4)
    static let credentialTimeout = TimerID(kind: 5)
    static let store = TimerID(kind: 6)
    static let unlock = TimerID(kind: 7)
    static let fetch = TimerID(kind: 2, subject: 1)
    static let prefetch = TimerID(kind: 3, subject: 1)
    static func requestTimeout(_ slot: RequestSlot) -> TimerID {
      TimerID(kind: 0, subject: 2 + UInt16(slot.rawValue))
    }
    static func requestRetry(_ slot: RequestSlot) -> TimerID {
      TimerID(kind: 1, subject: 2 + UInt16(slot.rawValue))
    }
  }

  // MARK: - Machine

  public mutating func configure(
    node: NodeID, device: Device, identity: UInt16, scenario: Scenario
  ) {
    self.node = node
    self.identity = identity
    settings = APNsDeviceSettings(device)
    policy = settings.isProvider ? APNsDevicePolicy() : devicePolicy
    kinds.removeAll(keepingCapacity: true)
    for topic in scenario.topics { kinds.append(APNsTopicKind(topic)) }
    reset()
  }

  public mutating func reset() {
    allAttempts = 0
    token = 0
    subscriptions.removeAll(keepingCapacity: true)
    outgoing.removeAll(keepingCapacity: true)
    seen.removeAll(keepingCapacity: true)
    forgetProgram()
  }

  public mutating func crash() {
    forgetProgram()
    for index in outgoing.indices { outgoing[index].sentHere = false }
    for index in subscriptions.indices {
      // The apps are told again which of them are there.
      subscriptions[index].isWanted = false
      subscriptions[index].isDue = false
      subscriptions[index].notBefore = .start
    }
  }

  private mutating func forgetProgram() {
    phase = .idle
    wantsConnection = false
    hasGivenUp = false
    link = Self.noLink
    nextLink = Self.noLink
    isReplacing = false
    attempts = 0
    redirects = 0
    interval = settings.keepAlive
    awaitsKeepAlive = false
    hasFiltered = false
    clockAhead = .zero
    clockBehind = .zero
    credential = Credential()
    latestID = 0
    unstored.removeAll(keepingCapacity: true)
    unappliedChanges.removeAll(keepingCapacity: true)
    lateAcks.removeAll(keepingCapacity: true)
    for index in requests.indices { requests[index] = Request() }
  }

  @inline(__always)
  public func believesConnected(on link: LinkID) -> Bool {
    phase == .ready && link == self.link
  }

  public func holds(publication: UInt16, for receiver: NodeID) -> Bool {
    guard receiver.isServer else { return false }
    for entry in outgoing where entry.submission.publication == publication { return true }
    return false
  }

  /// Bits: 0–2 phase, 3 keep-alive awaited, 4 identity token asked for, 5 without push token,
  /// 6–7 exchange with the service (none, under way, pausing), 8 with the MDM server,
  /// 9 something is on its way up.
  @inline(__always)  // Else the whole machine is copied for the call, twice an event.
  public func abstractState(on link: LinkID?) -> UInt16 {
    var state = UInt16(phase.rawValue)
    if awaitsKeepAlive { state |= 1 << 3 }
    if credential.isAsking { state |= 1 << 4 }
    if token == 0 { state |= 1 << 5 }
    switch requests[0].state {
    case .idle: break
    case .opening, .asked: state |= 1 << 6
    case .pausing: state |= 2 << 6
    }
    if requests[1].state != .idle { state |= 1 << 8 }
    if !outgoing.isEmpty { state |= 1 << 9 }
    return state
  }

  public mutating func receive(
    _ input: Input<APNsMessage>, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    switch input {
    case .message(let message, let link):
      if link == self.link {
        take(message, at: clock, into: &effects)
      } else if link == nextLink {
        takeOnReplacement(message, at: clock, into: &effects)
      } else if let slot = slot(of: link) {
        takeAnswer(message, in: slot, at: clock, into: &effects)
      }
    // Else the rest of what the peer sent before this end closed: nobody reads it.
    case .timer(let timer):
      fire(timer, at: clock, into: &effects)
    case .action(let action):
      act(action, at: clock, into: &effects)
    case .opened(let link, let port):
      if port.isStanding {
        begin(on: link, at: clock, into: &effects)
      } else {
        beginRequest(on: link, port, at: clock, into: &effects)
      }
    case .openFailed(_, let port):
      if let slot = RequestSlot(port) {
        failRequest(in: slot, at: clock, into: &effects)
      } else if phase == .opening {
        failNetwork(into: &effects)
      } else {
        failReplacement(at: clock, into: &effects)
      }
    case .closed(let link, let cause):
      if link == self.link {
        lose(cause, at: clock, into: &effects)
      } else if link == nextLink {
        failReplacement(at: clock, into: &effects)
      } else if let slot = slot(of: link) {
        failRequest(in: slot, at: clock, into: &effects)
      }
    case .credential(let answer):
      take(answer, at: clock, into: &effects)
    case .launched:
      if settings.fetchInterval != .forever, !settings.isProvider {
        effects.setTimer(TimerKind.fetch, after: settings.fetchInterval)
        if settings.prefetchInterval != .forever {
          effects.setTimer(TimerKind.prefetch, after: settings.prefetchInterval)
        }
      }
      if settings.lockedUntil > clock.now - .start {
        effects.setTimer(TimerKind.unlock, after: settings.lockedUntil - (clock.now - .start))
      }
    case .revoked:
      preconditionFailure("only a server is told of revocations")
    }
  }

  private mutating func act(
    _ action: Action, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    switch action {
    case .connect:
      guard !wantsConnection else { return }
      wantsConnection = true
      hasGivenUp = false
      if phase == .idle { start(at: clock, into: &effects) }
      askServices(at: clock, into: &effects)
    case .disconnect:
      wantsConnection = false
      leave(into: &effects)
    case .subscribe(let topic, _):
      want(topic, at: clock, into: &effects)
    case .unsubscribe(let topic):
      for index in subscriptions.indices where subscriptions[index].topic == topic {
        subscriptions[index].isWanted = false
      }
      tellFilter(into: &effects)
    case .submit(let submission):
      if policy.losesSavesWhileOffline, phase != .ready { return }
      outgoing.append(Outgoing(submission: submission))
      if settings.isProvider {
        push(into: &effects)
      } else {
        askServices(at: clock, into: &effects)
      }
    case .sleep, .wake, .kill, .launch:
      preconditionFailure("the simulation does it")
    }
  }

  private mutating func fire(
    _ timer: TimerID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    switch timer {
    case TimerKind.retry:
      if phase == .waiting { start(at: clock, into: &effects) }
      if phase == .ready { replaceConnection(into: &effects) }
    case TimerKind.handshake:
      if phase == .presenting { abandon(at: clock, into: &effects) }
      if phase == .ready { failReplacement(at: clock, into: &effects) }
    case TimerKind.keepAlive:
      keepAlive(at: clock, into: &effects)
    case TimerKind.keepAliveTimeout:
      missKeepAlive(at: clock, into: &effects)
    case TimerKind.refresh:
      refresh(at: clock, into: &effects)
    case TimerKind.credentialTimeout:
      if credential.isAsking { failCredential(after: .zero, at: clock, into: &effects) }
    case TimerKind.store:
      storeLate(at: clock, into: &effects)
    case TimerKind.unlock:
      unlock(at: clock, into: &effects)
    case TimerKind.fetch:
      effects.setTimer(TimerKind.fetch, after: settings.fetchInterval)
      if !policy.fetchesOnlyOnPush { fetchAll(at: clock, into: &effects) }
    case TimerKind.prefetch:
      effects.setTimer(TimerKind.prefetch, after: settings.prefetchInterval)
      openIfNeeded(.prefetch, at: clock, into: &effects)
    default:
      for slot in RequestSlot.allCases {
        if timer == TimerKind.requestTimeout(slot) {
          failRequest(in: slot, at: clock, into: &effects)
        } else if timer == TimerKind.requestRetry(slot) {
          retryRequest(in: slot, at: clock, into: &effects)
        }
      }
    }
  }

  // MARK: - Topics

  private mutating func want(
    _ topic: UInt16, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard !settings.isProvider, Int(topic) < kinds.count else { return }
    if let index = subscriptions.firstIndex(where: { $0.topic == topic }) {
      subscriptions[index].isWanted = true
      subscriptions[index].isDue = true
    } else {
      subscriptions.append(Subscription(topic: topic, kind: kinds[Int(topic)]))
    }
    tellFilter(into: &effects)
    askServices(at: clock, into: &effects)
  }

  /// What the apps want, as bits; a scenario has few topics, those from 64 on share the last bit.
  var wanted: UInt64 {
    var bits: UInt64 = 0
    for entry in subscriptions where entry.isWanted { bits |= 1 << UInt64(min(63, entry.topic)) }
    return bits
  }

  mutating func tellFilter(into effects: inout Effects<APNsMessage>) {
    guard phase == .ready, !settings.isProvider else { return }
    if hasFiltered, policy.keepsFirstFilter { return }
    hasFiltered = true
    var filter = APNsMessage(.filter)
    filter.identity = identity
    filter.token = token
    filter.first = wanted
    effects.send(filter, on: link)
  }
}
