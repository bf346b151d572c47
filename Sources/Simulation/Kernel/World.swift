public import BasicContainers
public import Custody
public import Timeline

/// A run in progress: machines joined by TCP, faults, one clock.
///
/// Only this file's `run` is called from outside. Everything is `@inlinable` so that the loop is
/// specialised for the machines of a protocol in the protocol's own module; without it each event
/// costs an allocation and sixteen times the instructions.
@frozen
public struct World<Model: PushModel, Client: ClientMachine, Server: ServerMachine>: ~Copyable
where Client.Message == Model.Message, Server.Message == Model.Message {
  public typealias Message = Model.Message

  @usableFromInline let clientPrototype: Client
  @usableFromInline var clients = UniqueArray<Client>()
  @usableFromInline var server: Server
  @usableFromInline var watcher = Model.Watcher()
  @usableFromInline var effects = Effects<Message>()
  @usableFromInline var queue = EventQueue<Message>()
  @usableFromInline var links = UniqueArray<Link>(minimumCapacity: 64)
  @usableFromInline var serverNode = Node()
  @usableFromInline var deviceNodes = UniqueArray<Node>()
  @usableFromInline var devices = UniqueArray<DeviceState>()
  @usableFromInline var losses: [LossWindow] = []
  /// What apps want to be subscribed to, told again to a program that starts again.
  @usableFromInline var subscriptions: [(device: NodeID, topic: UInt16, quality: UInt8)] = []
  /// Messages written so far by device, side and kind: what message anchors count.
  @usableFromInline var written = UniqueArray<UInt16>()
  @usableFromInline var armed: [ArmedFault] = []
  @usableFromInline var connectTimes: [Instant] = []
  @usableFromInline var refreshTimes: [Instant] = []

  // Read once for all runs with the same devices.
  @usableFromInline var scenario: Scenario
  @usableFromInline var configured = false
  @usableFromInline var identities: [UInt16] = []
  @usableFromInline var bounds: [NoticeBounds] = []
  @usableFromInline var lifetimes: [Nanoseconds] = []
  @usableFromInline var calmLength = Nanoseconds.zero
  @usableFromInline var path = PathSettings()
  @usableFromInline var oneWay = Nanoseconds.zero
  @usableFromInline var hasCredentials = false

  @usableFromInline var now = Instant.start
  @usableFromInline var nextStep = 0
  @usableFromInline var disturbedUntil = Instant.start
  @usableFromInline var inCalm = false
  @usableFromInline var calmBegan = Instant.start
  @usableFromInline var hasMessageAnchors = false
  /// Kinds of messages that some fault is anchored at, as bits by sender; bit 0: any.
  @usableFromInline var anchoredKinds: (client: UInt32, server: UInt32) = (0, 0)
  @usableFromInline var hasStateAnchors = false
  @usableFromInline var tracing = false
  @usableFromInline var describing = false
  @usableFromInline var slack = Nanoseconds.zero
  @usableFromInline var extraPublications: UInt16 = 0
  @usableFromInline var record = RunRecord()
  /// The first `edgeCount` become `record.edges` at the end: appending to an array asks each time
  /// who else has it.
  @usableFromInline var edges = UniqueArray<UInt32>(repeating: 0, count: 1024)
  @usableFromInline var edgeCount = 0

  /// A fault that has not struck yet.
  @frozen
  @usableFromInline
  struct ArmedFault: BitwiseCopyable {
    @usableFromInline var fault: Fault
    @usableFromInline var position: UInt8
    @usableFromInline var seen: UInt16 = 0

    @inlinable init(fault: Fault, position: UInt8) {
      self.fault = fault
      self.position = position
    }
  }

  @inlinable
  public init(_: Model.Type, client: Client, server: Server) {
    clientPrototype = client
    self.server = server
    scenario = Scenario(model: Model.name, client: "", server: "")
  }

  /// Wall clocks begin here, so that skew in both directions has room.
  @inlinable static var wallEpoch: Nanoseconds { .hours(24 * 365) }

  @inlinable
  public mutating func run(_ scenario: Scenario, options: RunOptions) -> RunSummary {
    begin(scenario, options)
    var summary = RunSummary()
    var end = options.calm ? Instant.never : options.until
    var stepTime = timeOfNextStep()
    while true {
      let next = min(stepTime, queue.nextTime)
      if !inCalm, options.calm, next > disturbedUntil, stepTime == .never {
        beginCalm()
        summary.calmBegan = now
        calmBegan = now
        end = now + calmLength
        continue
      }
      if next > end || next == .never { break }
      // Asked where nothing is going on: whatever is under way comes within a second.
      if inCalm, next - now > .seconds(1), hasSettled(since: summary.calmBegan, until: next) {
        end = now
        break
      }
      now = max(now, next)
      if stepTime == next {
        // A step goes before events of the same instant: it was there first.
        let step = self.scenario.steps[nextStep]
        nextStep &+= 1
        stepTime = timeOfNextStep()
        record.mix(UInt64(step.node.index) << 8 | 1)
        perform(step)
      } else {
        handle(queue.pop())
      }
      record.events &+= 1
      if record.events >= options.eventLimit {
        record.ledger.inconclusive = .eventLimit
        break
      }
    }
    if end != .never, record.ledger.inconclusive == nil { now = max(now, end) }
    finish(calm: options.calm)
    summary.events = record.events
    summary.messages = record.messages
    summary.links = UInt16(truncatingIfNeeded: links.count)
    summary.ended = now
    summary.traceHash = record.hash
    summary.faultsStruck = record.faultsStruck
    return summary
  }

  @inlinable @inline(__always)
  func timeOfNextStep() -> Instant {
    nextStep < scenario.steps.count ? scenario.steps[nextStep].time : .never
  }

  // MARK: - Beginning and end

  @inlinable
  mutating func begin(_ scenario: Scenario, _ options: RunOptions) {
    if !configured || scenario.devices != self.scenario.devices
      || scenario.topics != self.scenario.topics || scenario.path != self.scenario.path
      || scenario.serverParameters != self.scenario.serverParameters
    {
      configure(scenario)
    }
    self.scenario = scenario
    tracing = options.tracing
    describing = options.describing
    record.clear()
    edgeCount = 0
    queue.clear()
    links.removeAll(keepingCapacity: true)
    losses.removeAll(keepingCapacity: true)
    subscriptions.removeAll(keepingCapacity: true)
    now = .start
    nextStep = 0
    inCalm = false
    slack = .zero
    extraPublications = 0
    serverNode.reset()
    server.reset()
    watcher.reset()
    for index in devices.indices {
      devices[index] = DeviceState()
      deviceNodes[index].reset()
      clients[index].reset()
      record.ledger.devices.append(DeviceRow(node: NodeID(device: index)))
      if lifetimes[index] != .forever { devices[index].credentialExpires = .start }
    }
    for index in written.indices { written[index] = 0 }
    resetBudgets()
    armFaults()
    disturbedUntil = scenario.steps.last.map { max($0.time, disturbedUntil) } ?? disturbedUntil
    deliver(.launched, to: .server, device: .server, link: nil)
    for index in devices.indices {
      deliver(.launched, to: .client, device: NodeID(device: index), link: nil)
    }
  }

  @inlinable
  mutating func configure(_ scenario: Scenario) {
    // A search changes one device at a time: the others keep what they have read.
    let isNewGround =
      !configured || scenario.topics != self.scenario.topics || scenario.path != self.scenario.path
      || scenario.serverParameters != self.scenario.serverParameters
    configured = true
    path = scenario.path
    oneWay = scenario.path.rtt / 2
    calmLength = Model.calm(for: scenario)
    server.configure(scenario: scenario)
    watcher.configure(scenario: scenario)
    let count = scenario.devices.count
    let known = isNewGround ? 0 : min(self.scenario.devices.count, count)
    for (index, device) in scenario.devices.enumerated() {
      let identity = UInt16(
        truncatingIfNeeded: scenario.devices.firstIndex { $0.identity == device.identity } ?? index)
      if index < known, identity == identities[index], device == self.scenario.devices[index] {
        continue
      }
      introduce(device, at: index, identity: identity, in: scenario)
    }
    identities.removeLast(identities.count - count)
    bounds.removeLast(bounds.count - count)
    readLifetimes(scenario)
    hasCredentials = lifetimes.contains { $0 != .forever }
    clients.removeLast(clients.count - count)
    deviceNodes.removeLast(deviceNodes.count - count)
    if devices.count != count {
      devices = UniqueArray(repeating: DeviceState(), count: count)
      written = UniqueArray(repeating: 0, count: count * 64)
    }
  }

  /// What is issued to one identity lives equally long on all its devices: what is taken back is
  /// known by when it ends.
  @inlinable
  mutating func readLifetimes(_ scenario: Scenario) {
    lifetimes.removeAll(keepingCapacity: true)
    for device in scenario.devices { lifetimes.append(Model.credentialLifetime(of: device)) }
    for index in lifetimes.indices where lifetimes[index] != .forever {
      for other in lifetimes.indices where identities[other] == identities[index] {
        lifetimes[index] = min(lifetimes[index], lifetimes[other])
      }
    }
  }

  @inlinable
  mutating func introduce(
    _ device: Device, at index: Int, identity: UInt16, in scenario: Scenario
  ) {
    if clients.count <= index {
      clients.append(clientPrototype)
      deviceNodes.append(Node())
      identities.append(0)
      bounds.append(NoticeBounds(client: .forever, server: .forever))
    }
    identities[index] = identity
    bounds[index] = Model.noticeBounds(of: device, in: scenario)
    clients[index].configure(
      node: NodeID(device: index), device: device, identity: identity, scenario: scenario)
  }

  @inlinable
  mutating func finish(calm: Bool) {
    record.ledger.calmReached = calm && record.ledger.inconclusive == nil
    for index in links.indices { settleBelief(LinkID(UInt16(index)), final: true) }
    watcher.finish(at: now, ledger: &record.ledger)
    for index in record.ledger.deliveries.indices {
      let row = record.ledger.deliveries[index]
      let held =
        row.receiver.isServer
        ? clients[row.sender.device].holds(publication: row.publication, for: .server)
        : server.holds(publication: row.publication, for: row.receiver)
      if held { record.ledger.deliveries[index].facts.insert(.held) }
    }
    for index in devices.indices { finishRow(of: index) }
    Self.copy(edgeCount, edges, to: &record)
  }

  @inlinable
  static func copy(
    _ count: Int, _ edges: borrowing UniqueArray<UInt32>, to record: inout RunRecord
  ) {
    unsafe edges.span.extracting(0..<count).withUnsafeBufferPointer {
      unsafe record.edges.append(contentsOf: $0)
    }
  }

  @inlinable
  mutating func finishRow(of index: Int) {
    let device = devices[index]
    record.ledger.devices[index].wantsConnection = device.wants
    for position in links.indices where links[position].device == NodeID(device: index) {
      if links[position].clientBelieves { record.ledger.devices[index].clientBelieves = true }
      if links[position].serverBelieves { record.ledger.devices[index].serverBelieves = true }
    }
    let row = record.ledger.devices[index]
    // Whoever is connected is not locked out, be it that the server does not mind; nor who can't
    // notice by its protocol that it isn't.
    let isUnaware = row.clientBelieves && bounds[index].client == .forever
    let recent = device.expiredAt != .never && now - device.expiredAt < calmLength / 2
    if (row.clientBelieves && row.serverBelieves) || isUnaware || recent {
      record.ledger.devices[index].backAfterExpiry = true
    }
    if device.wants, !device.isRefusedForGood, !(row.clientBelieves && row.serverBelieves) {
      let since = max(device.lastTogether, calmBegan)
      if record.ledger.calmReached, now - since > calmLength / 2 {
        record.ledger.devices[index].offlineFor = now - since
      }
    }
    record.ledger.devices[index].jointState =
      UInt32(device.clientState) << 16 | UInt32(device.serverState)
  }

  // MARK: - Clocks

  // What only reads is inlined by force: a call from a mutating function borrows a copy of the
  // world.

  @inlinable @inline(__always)
  func trueWall() -> Instant { now + Self.wallEpoch }

  @inlinable @inline(__always)
  func wall(of side: Side, device: Int = 0) -> Instant {
    let forward = side == .server ? serverNode.skewForward : deviceNodes[device].skewForward
    let backward = side == .server ? serverNode.skewBackward : deviceNodes[device].skewBackward
    return trueWall() + forward - backward
  }
}

/// What a run leaves behind. Not generic, so that the neutral layers read it at full speed.
@frozen
public struct RunRecord: Sendable {
  public var ledger = Ledger()
  public var edges: [UInt32] = []
  public var faultContexts: [FaultEncounter] = []
  public var trace: [TraceEntry] = []
  public var events: UInt32 = 0
  public var messages: UInt32 = 0
  public var faultsStruck: UInt64 = 0
  public var hash: UInt64 = 0

  @inlinable public init() {
    edges.reserveCapacity(1024)
    ledger.deliveries.reserveCapacity(256)
  }

  @inlinable mutating func clear() {
    ledger.clear()
    edges.removeAll(keepingCapacity: true)
    faultContexts.removeAll(keepingCapacity: true)
    if !trace.isEmpty { trace.removeAll() }
    events = 0
    messages = 0
    faultsStruck = 0
    hash = 0x9e37_79b9_7f4a_7c15
  }

  /// Takes what happened into the trace hash.
  @inlinable mutating func mix(_ value: UInt64) {
    hash = (hash ^ value) &* 0xff51_afd7_ed55_8ccd
    hash ^= hash >> 32
  }
}
