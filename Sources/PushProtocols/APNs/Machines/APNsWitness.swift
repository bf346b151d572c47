public import Custody
public import Simulation
public import Timeline

/// Keeps the ledger of an APNs run, from what crosses the wire and what apps get.
///
/// A publication has one row for each device that is owed it, and one for its way up. What is owed:
///
/// - a push: to a device whose app wants the topic and knows that it is registered for it, under
///   the push token that the courier last gave the device. It ends with the device's ack, its
///   expiry, or a newer one of the same app when it had to be stored (one for each app);
/// - a change in a zone: to every device that ever registered for the zone, but the one that saved
///   it. The push that announces it may get lost by the rules; the change itself may not
///   (`promisesApplication`);
/// - a command: to every device that is enrolled when it is queued, until it is carried out or
///   fails.
///
/// What a service counts as delivered on a 200 is compared with what devices acknowledged only
/// after the calm: before, it is merely early.
public struct APNsWitness: Witness {
  public typealias Message = APNsMessage

  struct LinkView: Sendable, BitwiseCopyable {
    var device: UInt16 = 0
    var enteredAt = Instant.never
    var isCourier = false
    var token: UInt16 = 0
    /// The token that the device had before the connect on this connection was got.
    var tokenBefore: UInt16 = 0
    /// Connect response with success: written, and read.
    var responded = false
    var entered = false
    var hasFilter = false
    /// The filter, as the server got it.
    var wanted: UInt64 = 0
    var keepAlives: UInt16 = 0
    /// Requests that the server got and has not answered.
    var requests: UInt16 = 0
    var serverOver = false
    var clientOver = false
  }

  struct Publication: Sendable, BitwiseCopyable {
    var number: UInt16
    var sender: NodeID
    var topic: UInt16
    var quality: UInt8
    var expiry: Nanoseconds
    var acceptedAt = Instant.never
    /// Its place among all acceptances when the server last got it; 0: it never did, or has
    /// answered since. A server that dies before it answers may have stored it all the same.
    var gotPlace: UInt32 = 0
    var upRow: Int32 = -1
  }

  /// What the ledger has no place for, by row.
  struct RowNote: Sendable, BitwiseCopyable {
    var topic: UInt16
    /// For what the server has answered.
    var deadline = Instant.never
    /// For what the server has got, answered or not: it may be sent until then.
    var latest = Instant.start
    /// The courier had to store it at some time, so that a newer one may take its place.
    var wasStored = false
    /// A push was due, too.
    var pushIsOwed = false
    /// The sender's books say that it is done.
    var isClaimed = false
    /// The place among all acceptances of the run when the server first and last took
    /// responsibility: a push that is sent again is older and newer than what came in between.
    var firstPlace: UInt32 = 0
    var lastPlace: UInt32 = 0
  }

  /// A notification on a connection.
  struct Flight: Sendable, BitwiseCopyable {
    var link: LinkID
    var id: UInt32
    var row: Int32
    var isAcknowledged = false
  }

  struct DeviceView: Sendable, BitwiseCopyable {
    /// The token that the courier last gave it; 0: none, lost with the courier's store, or the
    /// courier got a connect and has not said what it made of it.
    var token: UInt16 = 0
    var link = LinkID(.max)
    var fetches: UInt16 = 0
    var fetchWindow = Instant.start
  }

  /// By device and topic.
  struct RegistrationView: Sendable, BitwiseCopyable {
    var isWanted = false
    /// The token that the service has, and the one of which the device knows that the service has
    /// it.
    var atServer: UInt16 = 0
    var known: UInt16 = 0
    var wasEverKnown = false
  }

  static let noLink = LinkID(.max)
  /// More fetches than this in a minute are a storm.
  static let fetchBudget: UInt16 = 90

  var server = APNsServerSettings()
  var calm = Nanoseconds.zero
  var settings: [APNsDeviceSettings] = []
  var identities: [UInt16] = []
  var isShared: [Bool] = []
  var kinds: [APNsTopicKind] = []

  var links: [LinkView] = []
  var devices: [DeviceView] = []
  var registrations: [RegistrationView] = []
  var slots: [UInt16] = []
  var publications: [Publication] = []
  /// Row of the ledger by publication and device; -1: none.
  var rows: [Int32] = []
  var notes: [RowNote] = []
  var flights: [Flight] = []
  var acceptances: UInt32 = 0

  public init() {
    links.reserveCapacity(64)
    publications.reserveCapacity(64)
    rows.reserveCapacity(256)
    notes.reserveCapacity(256)
    flights.reserveCapacity(64)
  }

  public mutating func configure(scenario: Scenario) {
    server = APNsServerSettings(scenario)
    calm = APNsModel.calm(for: scenario)
    kinds.removeAll(keepingCapacity: true)
    for topic in scenario.topics { kinds.append(APNsTopicKind(topic)) }
    settings.removeAll(keepingCapacity: true)
    identities.removeAll(keepingCapacity: true)
    isShared.removeAll(keepingCapacity: true)
    for (index, device) in scenario.devices.enumerated() {
      settings.append(APNsDeviceSettings(device))
      let first = scenario.devices.firstIndex { $0.identity == device.identity } ?? index
      identities.append(UInt16(truncatingIfNeeded: first))
      isShared.append(first != index)
      if first != index { isShared[first] = true }
    }
    reset()
  }

  public mutating func reset() {
    links.removeAll(keepingCapacity: true)
    for publication in publications { slots[Int(publication.number)] = 0 }
    publications.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
    notes.removeAll(keepingCapacity: true)
    flights.removeAll(keepingCapacity: true)
    acceptances = 0
    devices.removeAll(keepingCapacity: true)
    registrations.removeAll(keepingCapacity: true)
    for _ in settings {
      devices.append(DeviceView())
      for _ in kinds { registrations.append(RegistrationView()) }
    }
  }

  // MARK: - Seeing

  public mutating func see(
    _ sighting: Sighting<APNsMessage>, device: NodeID, at now: Instant, ledger: inout Ledger
  ) {
    switch sighting {
    case .wrote(let message, let side, let link, let peerHadClosed):
      reach(link, device)
      if side == .server {
        serverWrote(message, on: link, at: now, &ledger)
      } else {
        clientWrote(message, on: link, counts: !peerHadClosed, at: now, &ledger)
      }
    case .got(let message, let side, let link):
      reach(link, device)
      if side == .server {
        serverGot(message, on: link, at: now, &ledger)
      } else {
        clientGot(message, on: link, at: now, &ledger)
      }
    case .transportAcknowledged(let message, let side, let link):
      guard message.what == .notification, side == .client else { return }
      reach(link, device)
      let row = row(of: message.publication, receiver: device)
      if row >= 0 { ledger.deliveries[row].facts.insert(.transportAcknowledged) }
    case .handedOver(let publication):
      noteHandOver(of: publication, to: device, at: now, &ledger)
    case .applied(let publication):
      noteApplication(of: publication, on: device, at: now, &ledger)
    case .countedDone(let publication, let receiver, _):
      let row = row(of: publication, receiver: receiver)
      if row >= 0 { noteClaim(row, &ledger) }
    case .action(let action, let reached):
      note(action, of: device, reached: reached, at: now, &ledger)
    case .opened(let link):
      reach(link, device)
    case .linkOver(let link, let side):
      reach(link, device)
      if side == .server { endAtServer(link) } else { links[Int(link.index)].clientOver = true }
    case .serverDied(let wiped, _):
      noteServerDeath(wiped: wiped, &ledger)
    case .dropped, .clientDied, .gaveUp:
      break  // Nobody is taken at his word; what a device's program keeps, it keeps.
    }
  }

  /// Something that both ends believe to be settled is not: the calm has to wait for it.
  public var nextObligation: Instant {
    for device in settings.indices where isOutOfTune(device, since: .never) { return .start }
    return .never
  }

  // MARK: - Tables

  @inline(__always)
  private mutating func reach(_ link: LinkID, _ device: NodeID) {
    let index = Int(link.index)
    while links.count <= index { links.append(LinkView()) }
    guard !device.isServer, Int(links[index].device) != device.device else { return }
    links[index].device = UInt16(truncatingIfNeeded: device.device)
  }

  @inline(__always)
  func place(_ device: Int, _ topic: Int) -> Int { device &* kinds.count &+ topic }

  @inline(__always)
  func slot(of publication: UInt16) -> Int? {
    guard Int(publication) < slots.count, slots[Int(publication)] != 0 else { return nil }
    return Int(slots[Int(publication)]) &- 1
  }

  mutating func slot(
    for publication: UInt16, sender: NodeID, topic: UInt16, quality: UInt8, expiry: Nanoseconds
  ) -> Int {
    if let slot = slot(of: publication) { return slot }
    while slots.count <= Int(publication) { slots.append(0) }
    publications.append(
      Publication(
        number: publication, sender: sender, topic: topic, quality: quality, expiry: expiry))
    for _ in settings { rows.append(-1) }
    slots[Int(publication)] = UInt16(truncatingIfNeeded: publications.count)
    return publications.count &- 1
  }

  /// The row of a way down, made if there is none.
  mutating func row(
    slot: Int, device: Int, at now: Instant, _ ledger: inout Ledger
  ) -> Int {
    let place = slot &* settings.count &+ device
    if rows[place] >= 0 { return Int(rows[place]) }
    let publication = publications[slot]
    var row = DeliveryRow(
      publication: publication.number, sender: publication.sender,
      receiver: NodeID(device: device), quality: publication.quality, at: now)
    // Two devices under one identity take each other's token away; a device is one thing.
    if isShared[device] { row.facts.formUnion([.released, .repeatAllowed]) }
    rows[place] = Int32(truncatingIfNeeded: ledger.deliveries.count)
    ledger.deliveries.append(row)
    acceptances &+= 1
    notes.append(
      RowNote(topic: publication.topic, firstPlace: acceptances, lastPlace: acceptances))
    return ledger.deliveries.count &- 1
  }

  func row(of publication: UInt16, receiver: NodeID) -> Int {
    guard let slot = slot(of: publication) else { return -1 }
    if receiver.isServer { return Int(publications[slot].upRow) }
    guard receiver.device < settings.count else { return -1 }
    return Int(rows[slot &* settings.count &+ receiver.device])
  }
}
