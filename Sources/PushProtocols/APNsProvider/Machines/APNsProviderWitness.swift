public import Custody
public import Simulation
public import Timeline

/// Keeps the ledger of a run of the provider API, from what crosses the wire.
///
/// Each push that an app submits has one row, on its way up. A 200 that is written on a connection
/// which its provider has not closed accepts it; 410 rejects it. Everything else leaves it with the
/// provider, which has to ask again: also where nobody knows whether APNs has it, for APNs compares
/// no apns-ids and a push that comes twice is allowed.
public struct APNsProviderWitness: Witness {
  public typealias Message = APNsProviderMessage

  /// One connection.
  struct LinkView: Sendable, BitwiseCopyable {
    var device: UInt16 = 0
    var clientGreeted = false
    var serverGreeted = false
    /// Of the last GOAWAY, as written and as the provider got it.
    var goAway = UInt16.max
    var goAwayGot = UInt16.max
    var highest: UInt16 = 0
    var open: UInt16 = 0
    var streams: UInt32 = .max
    /// Of the last provider token, and when one followed another.
    var issued: UInt32 = 0
    var updated = Instant.never
  }

  /// What is known of a provider.
  struct ProviderView: Sendable, BitwiseCopyable {
    var durable = false
    /// The provider token in use, and when it was first seen.
    var issued: UInt32 = 0
    var issuedSince = Instant.start
  }

  struct Publication: Sendable, BitwiseCopyable {
    var row: Int32
    var topic: UInt16
    var deadline: Instant
  }

  /// A request that is not answered.
  struct Flight: Sendable, BitwiseCopyable {
    var link: LinkID
    var stream: UInt16
    var publication: UInt16
    var topic: UInt16
  }

  /// A device token as a provider knows it.
  struct DeviceToken: Sendable, BitwiseCopyable {
    var device: UInt16
    var topic: UInt16
    var registered = Instant.start
    var isDead = false
  }

  var links: [LinkView] = []
  var providers: [ProviderView] = []
  var slots: [Int16] = []
  var publications: [Publication] = []
  var flights: [Flight] = []
  var tokens: [DeviceToken] = []

  public init() {
    links.reserveCapacity(64)
    publications.reserveCapacity(64)
    flights.reserveCapacity(64)
    tokens.reserveCapacity(8)
  }

  public mutating func configure(scenario: Scenario) {
    providers.removeAll(keepingCapacity: true)
    for device in scenario.devices {
      var view = ProviderView()
      view.durable = APNsProviderClientSettings(device).durable
      providers.append(view)
    }
    reset()
  }

  public mutating func reset() {
    links.removeAll(keepingCapacity: true)
    for index in providers.indices {
      let old = providers[index]
      providers[index] = ProviderView()
      providers[index].durable = old.durable
    }
    for index in slots.indices { slots[index] = -1 }
    publications.removeAll(keepingCapacity: true)
    flights.removeAll(keepingCapacity: true)
    tokens.removeAll(keepingCapacity: true)
  }

  // MARK: - Seeing

  public mutating func see(
    _ sighting: Sighting<APNsProviderMessage>, device: NodeID, at now: Instant,
    ledger: inout Ledger
  ) {
    switch sighting {
    case .action(let action, let reached):
      note(action, of: device, reached: reached, at: now, &ledger)
    case .wrote(let message, let side, let link, let peerHadClosed):
      reach(link, device)
      if side == .client {
        clientWrote(message, on: link, at: now, &ledger)
      } else {
        serverWrote(message, on: link, counts: !peerHadClosed, at: now, &ledger)
      }
    case .transportAcknowledged(let message, let side, _):
      guard side == .client, message.type == .request else { return }
      if let row = row(of: message.publication) {
        ledger.deliveries[row].facts.insert(.transportAcknowledged)
      }
    case .got(let message, let side, let link):
      reach(link, device)
      if side == .client {
        clientGot(message, on: link, at: now, &ledger)
      } else if message.type == .request, let row = row(of: message.publication) {
        ledger.deliveries[row].mark(.received, step: .received, at: now)
      }
    case .countedDone(let publication, let receiver, _):
      guard receiver.isServer, let row = row(of: publication) else { return }
      ledger.deliveries[row].mark(.countedDone, step: .countedDone, at: now)
    case .dropped(let publication, let receiver, let reason, _):
      guard receiver.isServer else { return }
      excuse(publication, reason, of: device, at: now, &ledger)
    case .opened(let link):
      reach(link, device)
    case .linkOver(let link, let side):
      reach(link, device)
      if side == .client { flights.removeAll { $0.link == link } }
    case .clientDied: noteDeath(of: device, at: now, &ledger)
    case .handedOver, .applied, .serverDied, .gaveUp:
      break  // Nothing is handed over here, and what APNs has accepted it keeps.
    }
  }

  public mutating func finish(at now: Instant, ledger: inout Ledger) {
    for publication in publications {
      let facts = ledger.deliveries[Int(publication.row)].facts
      if publication.deadline <= now, !facts.contains(.accepted) {
        ledger.deliveries[Int(publication.row)].facts.insert(.expired)
      }
    }
  }

  // MARK: - Apps and programs

  private mutating func note(
    _ action: Action, of device: NodeID, reached: Bool, at now: Instant, _ ledger: inout Ledger
  ) {
    let index = device.device
    guard index < providers.count else { return }
    switch action {
    case .subscribe(let topic, _):
      guard reached else { return }
      let at = token(of: index, topic)
      tokens[at].registered = now
      tokens[at].isDead = false
    case .submit(let submission):
      if reached { submit(submission, by: device, at: now, &ledger) }
    case .connect, .disconnect, .launch, .unsubscribe, .sleep, .wake, .kill: break
    }
  }

  private mutating func submit(
    _ submission: Submission, by device: NodeID, at now: Instant, _ ledger: inout Ledger
  ) {
    guard row(of: submission.publication) == nil else { return }
    var row = DeliveryRow(
      publication: submission.publication, sender: device, receiver: .server, quality: 1, at: now)
    row.facts = .owed
    while slots.count <= Int(submission.publication) { slots.append(-1) }
    slots[Int(submission.publication)] = Int16(truncatingIfNeeded: publications.count)
    publications.append(
      Publication(
        row: Int32(truncatingIfNeeded: ledger.deliveries.count), topic: submission.topic,
        deadline: submission.expiry == .forever ? .never : now + submission.expiry))
    ledger.deliveries.append(row)
  }

  private mutating func noteDeath(of device: NodeID, at now: Instant, _ ledger: inout Ledger) {
    let index = device.device
    guard index < providers.count else { return }
    // The next program makes a token of its own.
    providers[index].issued = 0
    if providers[index].durable { return }
    for token in tokens.indices where Int(tokens[token].device) == index {
      tokens[token].isDead = false
      tokens[token].registered = .start
    }
    for row in ledger.deliveries.indices
    where ledger.deliveries[row].sender == device
      && ledger.deliveries[row].facts.isDisjoint(with: [.accepted, .countedDone])
    {
      ledger.deliveries[row].mark(.released, step: .released, at: now)
    }
  }

  /// What the provider gives up, if it may.
  private func excuse(
    _ publication: UInt16, _ reason: DropReason, of device: NodeID, at now: Instant,
    _ ledger: inout Ledger
  ) {
    guard let row = row(of: publication) else { return }
    let known = publications[Int(slots[Int(publication)])]
    switch reason {
    case .messageExpired:
      if known.deadline <= now {
        ledger.deliveries[row].mark(.expired, step: .expired, at: now)
      }
    case .rejected:
      for token in tokens
      where Int(token.device) == device.device && token.topic == known.topic && token.isDead {
        ledger.deliveries[row].mark(.rejected, step: .rejected, at: now)
      }
    case .sessionExpired, .sessionReplaced, .queueFull, .superseded, .tooLarge:
      break  // No reasons of this protocol.
    }
  }

  // MARK: - Tables

  mutating func reach(_ link: LinkID, _ device: NodeID) {
    let index = Int(link.index)
    while links.count <= index { links.append(LinkView()) }
    if !device.isServer { links[index].device = UInt16(truncatingIfNeeded: device.device) }
  }

  func row(of publication: UInt16) -> Int? {
    guard Int(publication) < slots.count, slots[Int(publication)] >= 0 else { return nil }
    return Int(publications[Int(slots[Int(publication)])].row)
  }

  /// The place of a device token, made if there is none.
  mutating func token(of device: Int, _ topic: UInt16) -> Int {
    for index in tokens.indices
    where Int(tokens[index].device) == device && tokens[index].topic == topic {
      return index
    }
    tokens.append(DeviceToken(device: UInt16(truncatingIfNeeded: device), topic: topic))
    return tokens.count &- 1
  }

  func blame(
    _ rule: APNsProviderConduct, _ side: Side, device: Int, _ ledger: inout Ledger
  ) {
    ledger.blame(rule.rawValue, side, device: device)
  }
}
