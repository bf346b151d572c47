public import Custody
public import Simulation
public import Timeline

/// Keeps the ledger of an MQTT run by the standard's rules, from what crosses the wire.
///
/// It follows each client identifier's session state as the server is bound to keep it, and the
/// packet identifiers of both directions. What is *owed* is decided here: a publication that the
/// server accepts is owed to a session whose subscription was acknowledged to the device, and that
/// outlives its connection or whose two ends both believe in it. Handshakes are forgiven: what is
/// accepted while SUBSCRIBE, UNSUBSCRIBE or CONNECT is under way is owed only once it was sent.
///
/// The way down has one row for each publication and client identifier, at the first device that
/// has it. Devices that share one take each other's session over; nobody can tell what QoS 2 means
/// between them, so that is not judged.
public struct MQTTWitness: Witness {
  public typealias Message = MQTTMessage

  /// One connection.
  struct LinkView: Sendable, BitwiseCopyable {
    var device: UInt16 = 0
    var identity: UInt16 = 0
    var connect = MQTTMessage(.connect)
    var connectWritten = false
    var connectArrived = false
    var connackWritten = false
    /// CONNACK with success; the server's half, then the client's.
    var accepted = false
    var entered = false
    var enteredAt = Instant.never
    var sessionPresent = false
    var serverOver = false
    var clientOver = false
    /// The server got a DISCONNECT that deletes the will.
    var graceful = false
    var clientDisconnected = false
    var serverDisconnected = false
    var serverInFlight: UInt16 = 0
    var clientInFlight: UInt16 = 0
    var serverReceiveMaximum: UInt16 = .max
  }

  struct Will: Sendable, BitwiseCopyable {
    var publication: UInt16 = 0
    var topic: UInt16 = 0
    var quality: UInt8 = 0
    var delay = Nanoseconds.zero
    var due = Instant.never
  }

  /// The session state of a client identifier, as the server is bound to keep it.
  struct SessionView: Sendable, BitwiseCopyable {
    var exists = false
    var link = MQTTWitness.noLink
    var expiry = Nanoseconds.zero
    var awaySince = Instant.never
    var will = Will()
    var isShared = false
  }

  /// An acknowledged subscription.
  struct Subscription: Sendable, BitwiseCopyable {
    /// Granted quality + 1; 0: none.
    var granted: UInt8 = 0
    /// Since when the device knows; `.never` while it asks for another quality.
    var since = Instant.never
  }

  struct Request: Sendable, BitwiseCopyable {
    var link: LinkID
    var packet: UInt16
    var topic: UInt16
    var quality: UInt8
    var isRemoval: Bool
  }

  struct Publication: Sendable, BitwiseCopyable {
    var number: UInt16
    var sender: NodeID
    var topic: UInt16
    var quality: UInt8
    var isAccepted = false
    /// It may be new to the server a second time, so a second hand-over is nobody's fault.
    var mayRepeat = false
    var upRow: Int32 = -1
    var gotAt = Instant.never
    /// Of a will: when its time came; `.start` of all others.
    var due = Instant.start
    var deadline = Instant.never
  }

  /// What the ledger has no place for, by row.
  struct RowNote: Sendable, BitwiseCopyable {
    var deadline = Instant.never
    var lastTaker = NodeID.server
  }

  /// A message with a packet identifier, from PUBLISH to PUBACK or PUBCOMP.
  struct Flight: Sendable, BitwiseCopyable {
    /// Identity on the way down, device on the way up.
    var owner: UInt16
    var packet: UInt16
    var publication: UInt16
    var quality: UInt8
    /// The sender got PUBREC.
    var isReceived = false
    /// On the way up: the server wrote PUBREC.
    var isAccepted = false
    var link: LinkID
    var row: Int32
  }

  static let noLink = LinkID(.max)
  /// A device that was told of a new session has this long to subscribe anew.
  static let grace = Nanoseconds.seconds(2)

  var server = MQTTServerSettings()
  var settings: [MQTTDeviceSettings] = []
  var identities: [UInt16] = []
  var topics = MQTTTopicTable()

  var links: [LinkView] = []
  var sessions: [SessionView] = []
  /// By identity and filter.
  var subscriptions: [Subscription] = []
  /// What apps want, by device and filter: quality + 1.
  var wishes: [UInt8] = []
  var requests: [Request] = []
  /// Position in `publications` + 1, by number.
  var slots: [UInt16] = []
  var publications: [Publication] = []
  /// Row of the ledger by publication and identity; -1: none.
  var rows: [Int32] = []
  var notes: [RowNote] = []
  var downFlights: [Flight] = []
  var upFlights: [Flight] = []
  var nextWill = Instant.never

  public init() {
    links.reserveCapacity(64)
    requests.reserveCapacity(16)
    publications.reserveCapacity(64)
    rows.reserveCapacity(256)
    notes.reserveCapacity(256)
    downFlights.reserveCapacity(64)
    upFlights.reserveCapacity(64)
  }

  public mutating func configure(scenario: Scenario) {
    server = MQTTServerSettings(scenario)
    topics.learn(scenario.topics)
    settings.removeAll(keepingCapacity: true)
    for device in scenario.devices { settings.append(MQTTDeviceSettings(device)) }
    identities.removeAll(keepingCapacity: true)
    sessions.removeAll(keepingCapacity: true)
    for _ in scenario.devices { sessions.append(SessionView()) }
    for (index, device) in scenario.devices.enumerated() {
      let first = scenario.devices.firstIndex { $0.identity == device.identity } ?? index
      identities.append(UInt16(truncatingIfNeeded: first))
      if first != index { sessions[first].isShared = true }
    }
    let count = scenario.devices.count * topics.count
    if subscriptions.count != count {
      subscriptions = Array(repeating: Subscription(), count: count)
      wishes = Array(repeating: 0, count: count)
    }
    reset()
  }

  public mutating func reset() {
    links.removeAll(keepingCapacity: true)
    requests.removeAll(keepingCapacity: true)
    for publication in publications { slots[Int(publication.number)] = 0 }
    publications.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
    notes.removeAll(keepingCapacity: true)
    downFlights.removeAll(keepingCapacity: true)
    upFlights.removeAll(keepingCapacity: true)
    nextWill = .never
    for index in sessions.indices {
      let isShared = sessions[index].isShared
      sessions[index] = SessionView()
      sessions[index].isShared = isShared
    }
    for index in subscriptions.indices { subscriptions[index] = Subscription() }
    for index in wishes.indices { wishes[index] = 0 }
  }

  // MARK: - Seeing

  public mutating func see(
    _ sighting: Sighting<MQTTMessage>, device: NodeID, at now: Instant, ledger: inout Ledger
  ) {
    if nextWill <= now, isServerAtWork(sighting) { publishWills(at: now, &ledger) }
    switch sighting {
    case .wrote(let message, let side, let link, let peerHadClosed):
      reach(link, device)
      if side == .server {
        serverWrote(message, on: link, counts: !peerHadClosed, at: now, &ledger)
      } else {
        clientWrote(message, on: link, counts: !peerHadClosed, at: now, &ledger)
      }
    case .transportAcknowledged(let message, let side, let link):
      guard message.type == .publish else { return }
      reach(link, device)
      let row = side == .client ? downRow(of: message, on: link) : upRow(of: message)
      if row >= 0 { ledger.deliveries[row].facts.insert(.transportAcknowledged) }
    case .got(let message, let side, let link):
      reach(link, device)
      if side == .server {
        serverGot(message, on: link, at: now, &ledger)
      } else {
        clientGot(message, on: link, at: now, &ledger)
      }
    case .handedOver(let publication):
      noteHandOver(of: publication, to: device, at: now, &ledger)
    case .applied:
      break  // What an app does with a message is none of MQTT's business.
    case .countedDone(let publication, let receiver, _):
      let row = row(of: publication, receiver: receiver)
      if row >= 0 { mark(row, .countedDone, step: .countedDone, at: now, &ledger) }
    case .dropped(let publication, let receiver, let reason, let side):
      // Only a full queue of a limited server is taken at its word.
      guard side == .server, !receiver.isServer, reason == .queueFull, server.queueLimit > 0
      else { return }
      guard let slot = slot(of: publication), receiver.device < identities.count else { return }
      // It may be dropped before it was ever accepted.
      let row = row(
        slot: slot, identity: Int(identities[receiver.device]),
        quality: publications[slot].quality, at: now, &ledger)
      mark(row, .released, step: .released, at: now, &ledger)
    case .action(let action, let reached):
      if reached {
        note(action, of: device, at: now, &ledger)
      } else if case .unsubscribe(let topic) = action, Int(topic) < topics.count {
        // A program that is started later is not told of the wish any more.
        wishes[device.device &* topics.count &+ Int(topic)] = 0
      }
    case .opened(let link):
      reach(link, device)
    case .linkOver(let link, let side):
      reach(link, device)
      if side == .server {
        endAtServer(link, at: now, &ledger)
      } else {
        endAtClient(link)
      }
    case .clientDied:
      noteDeath(of: device, at: now, &ledger)
    case .serverDied(let wiped, let behindSince):
      noteServerDeath(wiped: wiped, behindSince: behindSince, at: now, &ledger)
    case .gaveUp:
      break  // What it still holds stays held.
    }
  }

  /// A will is owed once the server does something after its time: one that sleeps can't publish,
  /// one that dies has lost it, and ends its connections first.
  @inline(__always)
  private func isServerAtWork(_ sighting: Sighting<MQTTMessage>) -> Bool {
    switch sighting {
    case .wrote(_, let side, _, _), .got(_, let side, _), .dropped(_, _, _, let side):
      side == .server
    case .action, .transportAcknowledged, .handedOver, .applied, .countedDone, .linkOver, .opened,
      .clientDied, .serverDied, .gaveUp:
      false
    }
  }

  public var nextObligation: Instant { nextWill }

  public mutating func finish(at now: Instant, ledger: inout Ledger) {
    if nextWill <= now { publishWills(at: now, &ledger) }
    for identity in sessions.indices where isExpired(identity, at: now) {
      release(identity, as: .expired, at: now, &ledger)
    }
    for row in ledger.deliveries.indices {
      let facts = ledger.deliveries[row].facts
      if !facts.contains(.sent), notes[row].deadline <= now {
        ledger.deliveries[row].facts.insert(.expired)
      }
    }
  }

  // MARK: - Tables

  @inline(__always)
  private mutating func reach(_ link: LinkID, _ device: NodeID) {
    let index = Int(link.index)
    while links.count <= index { links.append(LinkView()) }
    // A write asks whether somebody else has the array; this is called at every sighting.
    guard !device.isServer, Int(links[index].device) != device.device else { return }
    links[index].device = UInt16(truncatingIfNeeded: device.device)
    links[index].identity = identities[device.device]
  }

  @inline(__always)
  func slot(of publication: UInt16) -> Int? {
    guard Int(publication) < slots.count, slots[Int(publication)] != 0 else { return nil }
    return Int(slots[Int(publication)]) &- 1
  }

  /// The publication's place, made if there is none.
  mutating func slot(
    for publication: UInt16, sender: NodeID, topic: UInt16, quality: UInt8
  ) -> Int {
    if let slot = slot(of: publication) { return slot }
    while slots.count <= Int(publication) { slots.append(0) }
    publications.append(
      Publication(number: publication, sender: sender, topic: topic, quality: quality))
    for _ in sessions.indices { rows.append(-1) }
    slots[Int(publication)] = UInt16(truncatingIfNeeded: publications.count)
    return publications.count &- 1
  }

  /// The row of a way down, made if there is none.
  mutating func row(
    slot: Int, identity: Int, quality: UInt8, at now: Instant, _ ledger: inout Ledger
  ) -> Int {
    let place = slot &* sessions.count &+ identity
    if rows[place] >= 0 { return Int(rows[place]) }
    let publication = publications[slot]
    var row = DeliveryRow(
      publication: publication.number, sender: publication.sender,
      receiver: NodeID(device: identity), quality: quality, at: now)
    if publication.mayRepeat { row.facts.insert(.repeatAllowed) }
    if publication.isAccepted { row.facts.insert(.accepted) }
    if isUnjudged(publication, identity) { row.facts.formUnion([.released, .repeatAllowed]) }
    rows[place] = Int32(truncatingIfNeeded: ledger.deliveries.count)
    ledger.deliveries.append(row)
    notes.append(RowNote(deadline: publication.deadline))
    return ledger.deliveries.count &- 1
  }

  /// QoS 2 to or from devices that share an identifier.
  private func isUnjudged(_ publication: Publication, _ identity: Int) -> Bool {
    guard publication.quality == 2 else { return false }
    guard publication.sender.device < identities.count else { return false }
    if sessions[identity].isShared { return true }
    return !publication.sender.isServer
      && sessions[Int(identities[publication.sender.device])].isShared
  }

  func row(of publication: UInt16, receiver: NodeID) -> Int {
    guard let slot = slot(of: publication) else { return -1 }
    if receiver.isServer { return Int(publications[slot].upRow) }
    guard receiver.device < identities.count else { return -1 }
    return Int(rows[slot &* sessions.count &+ Int(identities[receiver.device])])
  }

  private func downRow(of message: MQTTMessage, on link: LinkID) -> Int {
    guard let slot = slot(of: message.publication) else { return -1 }
    return Int(rows[slot &* sessions.count &+ Int(links[Int(link.index)].identity)])
  }

  private func upRow(of message: MQTTMessage) -> Int {
    guard let slot = slot(of: message.publication) else { return -1 }
    return Int(publications[slot].upRow)
  }

  @inline(__always)
  func mark(
    _ row: Int, _ facts: DeliveryFacts, step: DeliveryStep, at now: Instant,
    _ ledger: inout Ledger
  ) {
    ledger.deliveries[row].mark(facts, step: step, at: now)
  }

  func flight(_ packet: UInt16, owner: UInt16, in flights: [Flight]) -> Int? {
    var index = flights.count
    while index > 0 {
      index &-= 1
      if flights[index].packet == packet, flights[index].owner == owner { return index }
    }
    return nil
  }

  func remove(_ index: Int, from flights: inout [Flight]) {
    flights[index] = flights[flights.count &- 1]
    flights.removeLast()
  }

  func removeAll(of owner: UInt16, from flights: inout [Flight]) {
    var index = flights.count
    while index > 0 {
      index &-= 1
      if flights[index].owner == owner { remove(index, from: &flights) }
    }
  }
}

extension DeliveryRow {
  /// PUBLISH on its way down. What was sent with a packet identifier is an obligation, whatever led
  /// to it.
  @inline(__always)
  mutating func markPublish(_ message: MQTTMessage, at now: Instant) {
    if message.quality > 0 {
      facts.insert(.owed)
      quality = max(quality, message.quality)
    }
    // A retained message is sent again for every subscribe (MQTT-3.3.1-9), at whatever quality.
    if message.flags.contains(.retain) { facts.insert(.repeatAllowed) }
    // A copy with QoS 0 says nothing about the delivery that is owed.
    if message.quality == 0, quality > 0 { return }
    markSent(at: now)
  }
}
