public import Custody
public import Simulation
internal import Timeline

/// All that devices talk to: the courier, the front that providers push to, the service of apps
/// (registrations, CloudKit's zones) and the MDM server.
///
/// The courier stores one notification for each app and device (or as many as the scenario says),
/// the newest, delivers what it stores
/// when the device has sent its filter, and sends again on the next connection what was not
/// acknowledged. A 200 to a provider means "accepted". Connections are in `APNsServer+Courier`, the
/// store in `+Store`, the services in `+Services` and `+Management`.
///
/// How the real courier behaves inside is not public; this one keeps to what independent clients
/// have seen of it.
public struct APNsServer: ServerMachine {
  public typealias Message = APNsMessage

  /// One connection of any port.
  struct Connection: Sendable, BitwiseCopyable {
    enum State: UInt8, Sendable, BitwiseCopyable {
      case over, fresh
      /// Connect response is sent, no filter yet.
      case presented
      case online
    }
    var state = State.over
    var port = Port.push
    var identity: UInt16 = 0
    var interval = Nanoseconds.zero
    var lastIn = Instant.start
    /// Of the identity token that it was opened with.
    var credential = Instant.never
    /// The filter, as bits.
    var wanted: UInt64 = 0
    var unacked: UInt16 = 0
    /// A catch-up is under way.
    var isFetching = false
  }

  /// What is known of a device. Durable but for the connection.
  struct DeviceBook: Sendable, BitwiseCopyable {
    /// The current push token; 0: none was issued.
    var token: UInt16 = 0
    var link = APNsServer.noLink
    /// Identity tokens that end at or before are taken back.
    var revokedUpTo = Instant.start
    var fetches: UInt16 = 0
    var fetchWindow = Instant.start
    var connects: UInt16 = 0
    /// Connects that were sent to another courier since the last one that was let in.
    var redirects: UInt16 = 0
    /// Connects refused in a row, and when it was refused last. Not durable.
    var refusals: UInt16 = 0
    var refusedAt = Instant.start
    /// When it last asked the MDM server for a command.
    var askedAt = Instant.start
  }

  /// A notification that is not acknowledged. Durable.
  struct Entry: Sendable, BitwiseCopyable {
    var publication: UInt16
    var identity: UInt16
    var topic: UInt16
    var quality: UInt8
    var deadline: Instant
    /// The connection that it was written to and is not acknowledged on; `noLink`: it is stored.
    /// The push token that it was addressed to.
    var token: UInt16 = 0
    var link = APNsServer.noLink
    var id: UInt32 = 0
    var wasStored = false
  }

  /// A change in a zone. Durable.
  struct Change: Sendable, BitwiseCopyable {
    var topic: UInt16
    var publication: UInt16
    /// The device that saved it; it needs no news of it.
    var author: UInt16
    /// Another device's fetch was under way.
    var isSkipped = false
  }

  /// A command that waits for its result. Durable.
  struct Command: Sendable, BitwiseCopyable {
    var publication: UInt16
    var topic: UInt16
    var identity: UInt16
    var wasNotNow = false
    var isSilent = false
  }

  static let noLink = LinkID(.max)

  let policy: APNsServerPolicy
  var settings = APNsServerSettings()
  var kinds: [APNsTopicKind] = []

  var connections: [Connection] = []
  var devices: [DeviceBook] = []
  /// The push token that a service was told, by device and topic; 0: no registration. Durable.
  var registrations: [UInt16] = []
  var entries: [Entry] = []
  var changes: [Change] = []
  var commands: [Command] = []
  var nextToken: UInt16 = 1
  var nextID: UInt32 = 1

  public init() { self.init(policy: APNsServerPolicy()) }

  init(policy: APNsServerPolicy) {
    self.policy = policy
    connections.reserveCapacity(64)
    devices.reserveCapacity(16)
    registrations.reserveCapacity(64)
    entries.reserveCapacity(64)
    changes.reserveCapacity(64)
    commands.reserveCapacity(32)
  }

  enum TimerKind {
    static let handshake: UInt8 = 0
    static let silence: UInt8 = 1
    /// Its subject is a device, not a connection.
    static let repush: UInt8 = 2
    static let credential: UInt8 = 3
  }

  // MARK: - Machine

  public mutating func configure(scenario: Scenario) {
    settings = APNsServerSettings(scenario)
    kinds.removeAll(keepingCapacity: true)
    for topic in scenario.topics { kinds.append(APNsTopicKind(topic)) }
    reset()
  }

  public mutating func reset() {
    wipe()
    nextToken = 1
    nextID = 1
  }

  public mutating func wipe() {
    connections.removeAll(keepingCapacity: true)
    devices.removeAll(keepingCapacity: true)
    registrations.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    changes.removeAll(keepingCapacity: true)
    commands.removeAll(keepingCapacity: true)
  }

  public mutating func crash() {
    for index in connections.indices { connections[index].state = .over }
    for index in devices.indices {
      devices[index].link = Self.noLink
      devices[index].refusals = 0
    }
    // What was to be tried once has been tried.
    entries.removeAll { $0.quality == 0 }
    for index in entries.indices { entries[index].link = Self.noLink }
    if policy.dropsStoreOnRestart { entries.removeAll(keepingCapacity: true) }
    if policy.losesRegistrations {
      for index in registrations.indices { registrations[index] = 0 }
    }
  }

  @inline(__always)
  public func believesConnected(on link: LinkID) -> Bool {
    guard Int(link.index) < connections.count else { return false }
    let connection = connections[Int(link.index)]
    guard connection.port.isStanding else { return false }
    return connection.state == .presented || connection.state == .online
  }

  public func holds(publication: UInt16, for receiver: NodeID) -> Bool {
    for entry in entries
    where entry.publication == publication && NodeID(device: Int(entry.identity)) == receiver {
      return true
    }
    for command in commands
    where command.publication == publication && NodeID(device: Int(command.identity)) == receiver {
      return true
    }
    return false
  }

  /// Bits: 0–1 state of the connection, 2–3 unacknowledged on it (none, one, more), 4–5 stored for
  /// the device, 6–7 commands that wait for it.
  @inline(__always)  // Else the whole machine is copied for the call, twice an event.
  public func abstractState(on link: LinkID?) -> UInt16 {
    guard let link, Int(link.index) < connections.count else { return 0 }
    let connection = connections[Int(link.index)]
    var state = UInt16(connection.state.rawValue)
    state |= min(2, connection.unacked) << 2
    var stored: UInt16 = 0
    for entry in entries where entry.identity == connection.identity && entry.link == Self.noLink {
      stored &+= 1
    }
    state |= min(2, stored) << 4
    var waiting: UInt16 = 0
    for command in commands where command.identity == connection.identity { waiting &+= 1 }
    return state | min(2, waiting) << 6
  }

  public mutating func receive(
    _ input: Input<APNsMessage>, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    switch input {
    case .message(let message, let link):
      guard Int(link.index) < connections.count, connections[Int(link.index)].state != .over else {
        return  // The rest of what the peer sent before this end closed: nobody reads it.
      }
      connections[Int(link.index)].lastIn = clock.now
      take(message, on: link, at: clock, into: &effects)
    case .timer(let timer):
      fire(timer, at: clock, into: &effects)
    case .opened(let link, let port):
      accept(link, port, at: clock, into: &effects)
    case .closed(let link, _):
      end(link, at: clock, into: &effects)
    case .revoked(let identity, let upTo):
      revoke(identity, upTo: upTo, at: clock, into: &effects)
    case .launched:
      for index in devices.indices { scheduleRepush(index, into: &effects) }
    case .action, .openFailed, .credential:
      preconditionFailure("not for a server")
    }
  }

  private mutating func take(
    _ message: APNsMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    switch message.what {
    case .connect:
      takeConnect(message, on: link, at: clock, into: &effects)
    case .filter:
      takeFilter(message, on: link, at: clock, into: &effects)
    case .ack:
      takeAck(message, on: link, at: clock, into: &effects)
    case .keepAlive:
      takeKeepAlive(message, on: link, into: &effects)
    case .setState:
      break  // Power saving; nothing here depends on it.
    case .push:
      submit(message, author: .max, on: link, answer: .pushAnswer, at: clock, into: &effects)
    case .save:
      submit(
        message, author: message.identity, on: link, answer: .saved, at: clock, into: &effects)
    case .register:
      takeRegistration(message, on: link, at: clock, into: &effects)
    case .fetch:
      takeFetch(message, on: link, at: clock, into: &effects)
    case .idle, .result:
      takeManagement(message, on: link, at: clock, into: &effects)
    case .connectResponse, .notification, .keepAliveResponse, .noStorage, .registered, .changes,
      .saved, .command, .pushAnswer:
      effects.append(.blame(rule: APNsConduct.wrongDirection.rawValue, link))
      close(link, at: clock, into: &effects)
    }
  }

  private mutating func fire(
    _ timer: TimerID, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    if timer.kind == TimerKind.repush {
      repush(Int(timer.subject), at: clock, into: &effects)
      return
    }
    let link = LinkID(timer.subject)
    let connection = connections[Int(link.index)]
    switch timer.kind {
    case TimerKind.handshake:
      if connection.state == .fresh || connection.state == .presented {
        close(link, at: clock, into: &effects)
      }
    case TimerKind.credential:
      close(link, at: clock, into: &effects)
    case TimerKind.silence:
      guard connection.state == .presented || connection.state == .online else { return }
      let over = connection.lastIn + settings.silenceLimit(connection.interval)
      if over <= clock.now {
        close(link, at: clock, into: &effects)
      } else {
        effects.setTimer(timer, after: over - clock.now)
      }
    default:
      break
    }
  }

  // MARK: - Tables

  /// The device's place, made if it is new.
  mutating func book(_ identity: UInt16) -> Int {
    while devices.count <= Int(identity) {
      devices.append(DeviceBook())
      for _ in kinds { registrations.append(0) }
    }
    return Int(identity)
  }

  @inline(__always)
  func registration(_ identity: Int, _ topic: Int) -> UInt16 {
    registrations[identity &* kinds.count &+ topic]
  }

  @inline(__always)
  mutating func setRegistration(_ identity: Int, _ topic: Int, _ token: UInt16) {
    registrations[identity &* kinds.count &+ topic] = token
  }
}
