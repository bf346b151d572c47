public import Custody
public import Simulation
internal import Timeline

/// An MQTT 3.1.1 and 5.0 broker.
///
/// A connection is *fresh* until its CONNECT, then *served* until it ends; a session state is
/// *live* while a connection serves it, *away* afterwards, and gone when it expires. What a session
/// still has to deliver hangs in one list, oldest first: what is in flight, then what waits. The
/// lists of all sessions share one pool, so that a run allocates nothing.
///
/// Connecting is in `MQTTBroker+Sessions`, the way down in `MQTTBroker+Delivery`, the way up and
/// subscriptions in `MQTTBroker+Routing`. It does no shared subscriptions and no topic aliases.
public struct MQTTBroker: ServerMachine {
  public typealias Message = MQTTMessage

  /// What is known of a connection.
  struct Connection: Sendable, BitwiseCopyable {
    enum Phase: UInt8, Sendable, BitwiseCopyable { case over, fresh, served }
    var phase = Phase.over
    var identity: UInt16 = 0
  }

  struct Will: Sendable, BitwiseCopyable {
    var publication: UInt16 = 0
    var topic: UInt16 = 0
    var quality: UInt8 = 0
    var delay = Nanoseconds.zero
    /// When it is published unless the device comes back; `.never` while it is connected.
    var due = Instant.never
    var exists: Bool { publication != 0 }
  }

  /// The session state of one client identifier, at the position of its number.
  struct Session: Sendable, BitwiseCopyable {
    var exists = false
    /// The client has sent something since the session began, so it knows of it. A session whose
    /// CONNACK may have been lost is begun anew, or the client would never learn that the one
    /// before it is gone. DISCONNECT is no sign: it need not wait for CONNACK (MQTT §3.1.4).
    var isKnown = false
    var isVersion5 = false
    var link = MQTTBroker.noLink
    var expiry = Nanoseconds.zero
    /// Since when it is away; `.never` while it is live.
    var awaySince = Instant.never
    var connectedAt = Instant.start
    /// Packets that may be in flight, and that are.
    var window: UInt16 = 0
    var inFlight: UInt16 = 0
    var nextPacket: UInt16 = 1
    /// First entry of the list, first that was not written on this connection, last; -1: none.
    var head: Int32 = -1
    var cursor: Int32 = -1
    var tail: Int32 = -1
    var count: UInt32 = 0
    var subscriptions: UInt16 = 0
    var keepAlive = Nanoseconds.zero
    var lastIn = Instant.start
    var will = Will()
    var hasCredential = false
    var credential = Instant.never
  }

  /// One message that a session still has to deliver.
  struct Entry: Sendable, BitwiseCopyable {
    enum State: UInt8, Sendable, BitwiseCopyable {
      case queued, awaitingPuback, awaitingPubrec, awaitingPubcomp
    }
    var next: Int32 = -1
    var publication: UInt16
    var topic: UInt16
    var packet: UInt16 = 0
    var quality: UInt8
    var state = State.queued
    var retain = false
    /// PUBREL went out on this connection.
    var releasedHere = false
    var enqueuedAt: Instant
    var expires: Instant
  }

  /// A QoS 2 message of a client that awaits its PUBREL.
  struct Awaited: Sendable, BitwiseCopyable {
    var identity: UInt16
    var packet: UInt16
    var publication: UInt16
    var since: Instant
  }

  struct Retained: Sendable, BitwiseCopyable {
    var publication: UInt16 = 0
    var quality: UInt8 = 0
    var expires = Instant.never
  }

  static let noLink = LinkID(.max)

  let policy: MQTTBrokerPolicy
  var settings = MQTTServerSettings()
  var topics = MQTTTopicTable()
  /// Number of the client identifier, by device.
  var identities: [UInt16] = []

  var connections: [Connection] = []
  var sessions: [Session] = []
  var entries: [Entry] = []
  var freeEntry: Int32 = -1
  /// Granted quality + 1 by session and filter, 0 for none.
  var granted: [UInt8] = []
  var awaited: [Awaited] = []
  var retained: [Retained] = []
  /// Credentials that end by then were taken back, by identity.
  var revokedUpTo: [Instant] = []

  public init() { self.init(policy: MQTTBrokerPolicy()) }

  init(policy: MQTTBrokerPolicy) {
    self.policy = policy
    connections.reserveCapacity(64)
    entries.reserveCapacity(128)
    awaited.reserveCapacity(32)
  }

  /// By session; by connection where there is no session yet.
  enum TimerKind {
    static let connect: UInt8 = 0
    static let keepAlive: UInt8 = 1
    static let sessionExpiry: UInt8 = 2
    static let will: UInt8 = 3
    static let credential: UInt8 = 4
  }

  // MARK: - Machine

  public mutating func configure(scenario: Scenario) {
    settings = MQTTServerSettings(scenario)
    topics.learn(scenario.topics)
    identities.removeAll(keepingCapacity: true)
    for (index, device) in scenario.devices.enumerated() {
      let first = scenario.devices.firstIndex { $0.identity == device.identity } ?? index
      identities.append(UInt16(truncatingIfNeeded: first))
    }
    let count = scenario.devices.count
    if sessions.count != count || retained.count != topics.count {
      sessions = Array(repeating: Session(), count: count)
      granted = Array(repeating: 0, count: count * topics.count)
      retained = Array(repeating: Retained(), count: topics.count)
      revokedUpTo = Array(repeating: .start, count: count)
    }
    reset()
  }

  public mutating func reset() {
    wipe()
    for index in revokedUpTo.indices { revokedUpTo[index] = .start }
  }

  public mutating func wipe() {
    connections.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    freeEntry = -1
    awaited.removeAll(keepingCapacity: true)
    for index in sessions.indices { sessions[index] = Session() }
    for index in granted.indices { granted[index] = 0 }
    for index in retained.indices { retained[index] = Retained() }
  }

  /// Keeps what the sessions that outlive a connection hold. Wills are not stored: a server that
  /// stops is no case of MQTT-3.1.2-8.
  public mutating func crash() {
    guard settings.persistent else {
      wipe()
      return
    }
    connections.removeAll(keepingCapacity: true)
    for identity in sessions.indices where sessions[identity].exists {
      sessions[identity].will = Will()
      sessions[identity].hasCredential = false
      if sessions[identity].expiry == .zero {
        discardList(of: identity)
        forget(identity)
        continue
      }
      if policy.dropsQueueOnRestart { discardList(of: identity) }
      if sessions[identity].link != Self.noLink { suspend(identity) }
    }
  }

  @inline(__always)
  public func believesConnected(on link: LinkID) -> Bool {
    let index = Int(link.index)
    return index < connections.count && connections[index].phase == .served
  }

  public func holds(publication: UInt16, for receiver: NodeID) -> Bool {
    guard !receiver.isServer, receiver.device < identities.count else { return false }
    var index = sessions[Int(identities[receiver.device])].head
    while index >= 0 {
      let entry = entries[Int(index)]
      if entry.publication == publication { return true }
      index = entry.next
    }
    for session in sessions
    where session.will.publication == publication && session.will.due != .never {
      return true
    }
    return false
  }

  /// Bits: 0–1 phase of the connection (none, over, fresh, served), 2–3 in flight (none, one,
  /// more), 4–5 waiting (none, one, more), 6 a PUBCOMP is awaited, 7 a PUBREL is, 8 a will waits
  /// for its time.
  @inline(__always)  // Else the whole machine is copied for the call, twice an event.
  public func abstractState(on link: LinkID?) -> UInt16 {
    guard let link, Int(link.index) < connections.count else { return 0 }
    let connection = connections[Int(link.index)]
    var state = UInt16(connection.phase.rawValue) &+ 1
    let identity = Int(connection.identity)
    // Field by field: this is asked twice an event, and a session is large.
    guard connection.phase != .fresh, sessions[identity].exists else { return state }
    let inFlight = sessions[identity].inFlight
    let count = sessions[identity].count
    let head = sessions[identity].head
    let waiting = count &- min(count, UInt32(inFlight))
    state |= min(2, inFlight) << 2
    state |= UInt16(truncatingIfNeeded: min(2, waiting)) << 4
    if head >= 0, entries[Int(head)].state == .awaitingPubcomp { state |= 1 << 6 }
    for entry in awaited where entry.identity == connection.identity {
      state |= 1 << 7
      break
    }
    if sessions[identity].will.due != .never { state |= 1 << 8 }
    return state
  }

  public mutating func receive(
    _ input: Input<MQTTMessage>, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    switch input {
    case .message(let message, let link):
      take(message, on: link, at: clock, into: &effects)
    case .timer(let timer):
      fire(timer, at: clock, into: &effects)
    case .opened(let link, _):
      while connections.count <= Int(link.index) { connections.append(Connection()) }
      connections[Int(link.index)] = Connection(phase: .fresh)
      effects.setTimer(
        TimerID(kind: TimerKind.connect, subject: link.index), after: settings.connectTimeout)
    case .closed(let link, _):
      end(link, at: clock, into: &effects)
    case .launched:
      launch(at: clock, into: &effects)
    case .revoked(let identity, let upTo):
      revoke(identity, upTo: upTo, at: clock, into: &effects)
    case .action, .openFailed, .credential:
      preconditionFailure("a server is given \(input)")
    }
  }

  private mutating func take(
    _ message: MQTTMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    guard Int(link.index) < connections.count else { return }
    let connection = connections[Int(link.index)]
    switch connection.phase {
    case .over:
      return  // The rest of what the peer sent before this end closed: nobody reads it.
    case .fresh:
      if message.type == .connect {
        connect(message, on: link, at: clock, into: &effects)
      } else {
        effects.append(.blame(rule: MQTTConduct.connectFirst.rawValue, link))
        close(link, into: &effects)
      }
      return
    case .served:
      break
    }
    let identity = Int(connection.identity)
    sessions[identity].lastIn = clock.now
    if message.type != .disconnect { sessions[identity].isKnown = true }
    switch message.type {
    case .publish: takePublish(message, of: identity, at: clock, into: &effects)
    case .puback, .pubcomp: settle(message, of: identity, at: clock, into: &effects)
    case .pubrec: takePubrec(message, of: identity, at: clock, into: &effects)
    case .pubrel: takePubrel(message, of: identity, into: &effects)
    case .subscribe: subscribe(message, of: identity, at: clock, into: &effects)
    case .unsubscribe: unsubscribe(message, of: identity, into: &effects)
    case .pingreq: effects.send(MQTTMessage(.pingresp), on: link)
    case .disconnect: takeDisconnect(message, of: identity, at: clock, into: &effects)
    case .auth: reauthenticate(message, of: identity, at: clock, into: &effects)
    case .connect: breakOff(identity, .secondConnect, at: clock, into: &effects)
    case .connack, .suback, .unsuback, .pingresp:
      breakOff(identity, .wrongDirection, at: clock, into: &effects)
    }
  }

  private mutating func fire(
    _ timer: TimerID, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let subject = Int(timer.subject)
    switch timer.kind {
    case TimerKind.connect:
      if subject < connections.count, connections[subject].phase == .fresh {
        close(LinkID(timer.subject), into: &effects)
      }
    case TimerKind.keepAlive: checkKeepAlive(of: subject, at: clock, into: &effects)
    case TimerKind.sessionExpiry: _ = expireIfDue(subject, at: clock, into: &effects)
    case TimerKind.will: publishWillIfDue(of: subject, at: clock, into: &effects)
    case TimerKind.credential: checkCredential(of: subject, at: clock, into: &effects)
    default: preconditionFailure("no timer \(timer.kind)")
    }
  }
}
