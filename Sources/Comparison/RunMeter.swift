internal import Custody
internal import Oracles
internal import Simulation
internal import Timeline

/// Measures one run from its trace and its ledger.
///
/// Nothing is taken from the machines' own words but what the bench compares anyway: in which
/// connection an end believes.
struct RunMeter {
  /// What is over within this and four round trips is an ordinary end of a connection, not a
  /// zombie: a FIN that takes its time, with one retransmission.
  static let ordinaryEnd = Nanoseconds.seconds(1)
  /// What was still pending when a run was cut counts as never, when it had lasted so long.
  static let patience = Nanoseconds.minutes(10)

  private let radio: RadioModel
  private let threshold: Nanoseconds
  private let faults: [Fault]
  private var devices: [DeviceMeter] = []
  private var links: [LinkMeter] = []
  private var server = PauseClock()
  /// When the calm began; `.never`: it has not yet. Rates are those of the time before.
  private var calmBegan = Instant.never
  /// First hand-overs by publication and the identity that it was for: another device may have
  /// taken it over.
  private var handOvers: [HandOver: Instant] = [:]
  /// Of each device, as the position of the first one that has it.
  private let identities: [Int]
  private var tally = Tally()

  private struct HandOver: Hashable {
    var identity: Int
    var publication: UInt16
    /// The app was done with what it was about.
    var isApplied: Bool
  }

  static func measure(
    _ scenario: Scenario, on bench: any Bench, options: RunOptions, radio: RadioModel
  ) -> Tally {
    var options = options
    options.tracing = true
    options.describing = false
    let summary = bench.run(scenario, options: options)
    var meter = RunMeter(scenario, radio: radio)
    for entry in bench.trace { meter.take(entry) }
    return meter.finished(at: summary.ended, ledger: bench.ledger)
  }

  init(_ scenario: Scenario, radio: RadioModel) {
    self.radio = radio
    threshold = Self.ordinaryEnd + scenario.path.rtt * 4
    faults = scenario.faults
    identities = scenario.devices.map { device in
      scenario.devices.firstIndex { $0.identity == device.identity } ?? 0
    }
    let receivers = scenario.receivers
    for index in scenario.devices.indices {
      devices.append(DeviceMeter(isReceiver: receivers.contains(index)))
    }
    tally.runs = 1
  }

  // MARK: - Reading a trace

  mutating func take(_ entry: TraceEntry) {
    let device = entry.device.isServer ? nil : entry.device.device
    switch entry.what {
    case .action(.connect): if let device { devices[device].want(true, at: entry.time) }
    case .action(.disconnect): if let device { devices[device].want(false, at: entry.time) }
    case .opening(let port): open(entry, port)
    case .believes(let side, let isBelieved): believe(side, isBelieved, entry)
    case .pathLost: losePath(entry)
    case .fault(let position): strike(position, entry)
    case .wrote(.client), .arrived(.client): transmit(entry, messages: 1)
    case .requestedCredential:
      transmit(entry)
      if let device {
        if calmBegan == .never { devices[device].credentialRequests += 1 }
        devices[device].attempt(at: entry.time)
      }
    case .openingAgain, .opened(.client), .retransmitted(.client), .closing(.client, _),
      .credential, .closed(.client, .finished), .closed(.client, .reset), .openFailed(.refused):
      transmit(entry)
    case .credentialExpired: if let device { devices[device].expire(at: entry.time) }
    case .backAfterExpiry:
      if let device, let lasted = devices[device].recover(at: entry.time),
        devices[device].isReceiver
      {
        tally.recoveries.add(lasted)
      }
    case .handedOver, .applied:
      guard let device else { break }
      let key = HandOver(
        identity: identities[device], publication: entry.publication,
        isApplied: entry.what == .applied)
      if handOvers[key] == nil { handOvers[key] = entry.time }
    case .paused(let side):
      pauses(side, entry.device) { $0.pause(at: entry.time) }
      obstruct(side, entry, side == .client ? .paused : .serverPaused, true)
    case .resumed(let side), .died(let side):
      pauses(side, entry.device) { $0.resume(at: entry.time) }
      if entry.what == .died(side) {
        obstruct(side, entry, side == .client ? .stopped : .serverStopped, true)
      }
      obstruct(side, entry, side == .client ? .paused : .serverPaused, false)
    case .launched(let side):
      obstruct(side, entry, side == .client ? .stopped : .serverStopped, false)
    case .calm: endRates(at: entry.time)
    case .action, .wrote, .arrived, .opened, .openFailed, .closed, .closing, .retransmitted,
      .timer, .countedDone, .dropped, .gaveUp, .blamed:
      break
    }
  }

  /// Something that is in the way of a device, or, at the server, of all of them.
  private mutating func obstruct(
    _ side: Side, _ entry: TraceEntry, _ obstacle: AvailabilityLog.Obstacles, _ isThere: Bool
  ) {
    for index in devices.indices where side == .server || entry.device == NodeID(device: index) {
      devices[index].availability.set(obstacle, isThere, at: entry.time)
    }
  }

  /// The network is out, or an end is slow, as long as a fault says.
  private mutating func strike(_ position: Int, _ entry: TraceEntry) {
    guard position < faults.count else { return }
    let length: Nanoseconds
    switch faults[position].kind {
    case .lose(_, let time), .refuse(let time), .slow(_, _, let time): length = time
    case .delay, .pause, .clockJump, .cut, .halfOpen, .reset, .forgetMapping,
      .changeNetwork, .restartServer, .killClient, .resubmit, .expireCredential, .slowRefresh,
      .refuseRefresh, .staleRefresh, .loseRefresh, .throttleRefresh:
      return
    }
    for index in devices.indices
    where entry.device == NodeID(device: index) || entry.device.isServer {
      devices[index].availability.suffer(until: entry.time + length, at: entry.time)
    }
  }

  private mutating func pauses(
    _ side: Side, _ node: NodeID, _ change: (inout PauseClock) -> Void
  ) {
    if side == .server {
      change(&server)
    } else if !node.isServer {
      change(&devices[node.device].pauses)
    }
  }

  private mutating func transmit(_ entry: TraceEntry, messages: UInt64 = 0) {
    guard calmBegan == .never, !entry.device.isServer else { return }
    devices[entry.device.device].radio.touch(at: entry.time, radio)
    devices[entry.device.device].messages += messages
  }

  private mutating func open(_ entry: TraceEntry, _ port: Port) {
    guard let link = entry.link, !entry.device.isServer else { return }
    let device = entry.device.device
    while links.count <= Int(link.index) {
      links.append(LinkMeter(device: device, opened: entry.time, isStanding: port.isStanding))
    }
    transmit(entry)
    if port.isStanding { devices[device].attempt(at: entry.time) }
    guard calmBegan == .never else { return }
    if port.isStanding { devices[device].connects += 1 } else { devices[device].requests += 1 }
  }

  // MARK: - Beliefs

  private mutating func believe(_ side: Side, _ isBelieved: Bool, _ entry: TraceEntry) {
    guard let link = entry.link, Int(link.index) < links.count else { return }
    let index = Int(link.index)
    let wasLive = links[index].isLive
    let paused = pausedTotal(of: side, links[index].device, at: entry.time)
    let isMeasured = devices[links[index].device].isReceiver
    if side == .client, links[index].client.isHeld != isBelieved {
      countConnection(of: links[index].device, isBelieved ? 1 : -1, at: entry.time)
    }
    if isBelieved {
      if side == .client, !links[index].hadClient {
        links[index].hadClient = true
        if calmBegan == .never, isMeasured {
          tally.handshakes.add(entry.time - links[index].opened)
        }
      }
      links[index][side] = Belief(isHeld: true, since: entry.time, pausedThen: paused)
    } else {
      if let lasted = links[index].deception(of: side, until: entry.time, paused: paused),
        lasted > threshold, isMeasured
      {
        if side == .client { tally.clientZombies.add(lasted) }
        if side == .server { tally.serverZombies.add(lasted) }
      }
      links[index][side].isHeld = false
      if links[index].deadSince == .never { die(index, at: entry.time) }
    }
    noteLife(of: index, wasLive, at: entry.time)
  }

  private mutating func countConnection(of device: Int, _ change: Int, at time: Instant) {
    guard let attempt = devices[device].changeBeliefs(by: change, at: time),
      attempt.since < calmBegan, devices[device].isReceiver
    else { return }
    tally.connections.add(attempt.lasted)
  }

  private mutating func losePath(_ entry: TraceEntry) {
    guard let link = entry.link, Int(link.index) < links.count else { return }
    let index = Int(link.index)
    guard links[index].deadSince == .never else { return }
    let wasLive = links[index].isLive
    die(index, at: entry.time)
    noteLife(of: index, wasLive, at: entry.time)
  }

  /// From now on whoever believes in it is deceived.
  private mutating func die(_ index: Int, at time: Instant) {
    links[index].deadSince = time
    for side in Side.allCases where links[index][side].isHeld {
      links[index][side].since = time
      links[index][side].pausedThen = pausedTotal(of: side, links[index].device, at: time)
    }
  }

  private mutating func noteLife(of index: Int, _ wasLive: Bool, at time: Instant) {
    guard links[index].isLive != wasLive else { return }
    let change = wasLive ? -1 : 1
    let device = links[index].device
    if let lasted = devices[device].changeLive(by: change, at: time), devices[device].isReceiver {
      tally.recoveries.add(lasted)
    }
  }

  private func pausedTotal(of side: Side, _ device: Int, at time: Instant) -> Nanoseconds {
    side == .server ? server.total(at: time) : devices[device].pauses.total(at: time)
  }

  // MARK: - Ending

  private mutating func endRates(at time: Instant) {
    calmBegan = time
    for index in devices.indices {
      devices[index].availability.heal(at: time)
      devices[index].settle(at: time)
      guard devices[index].isReceiver else { continue }
      // The calm brings every subscriber back.
      devices[index].availability.set(.unwanted, false, at: time)
      tally.wanted = tally.wanted + devices[index].wanted
      tally.reachable = tally.reachable + devices[index].reachable
      tally.radioOn = tally.radioOn + devices[index].radio.total(until: time)
      tally.connects += devices[index].connects
      tally.requests += devices[index].requests
      tally.credentialRequests += devices[index].credentialRequests
      tally.outAfterExpiry = tally.outAfterExpiry + devices[index].out
      tally.connecting = tally.connecting + devices[index].trying
      tally.expiries += devices[index].expiries
      tally.messages += devices[index].messages
    }
  }

  mutating func finished(at end: Instant, ledger: borrowing Ledger) -> Tally {
    finish(at: end, ledger: ledger)
    judge(ledger)
    return tally
  }

  private mutating func finish(at end: Instant, ledger: borrowing Ledger) {
    let isCut = ledger.inconclusive != nil
    if isCut { tally.cutRuns = 1 }
    if calmBegan == .never { endRates(at: end) }
    /// Whether what began then and never ended had its chance.
    func isNever(_ since: Instant) -> Bool {
      isCut ? end - since >= Self.patience : since < calmBegan
    }
    for link in links where devices[link.device].isReceiver {
      if link.isStanding, !link.hadClient, link.opened < calmBegan, !isCut {
        tally.failedHandshakes += 1
      }
      guard link.deadSince != .never else { continue }
      if link.client.isHeld, isNever(link.client.since) { tally.clientNeverNoticed += 1 }
      if link.server.isHeld, isNever(link.server.since) { tally.serverNeverNoticed += 1 }
    }
    for device in devices where device.isReceiver {
      if let since = device.outSince, isNever(since) { tally.neverRecovered += 1 }
      if let since = device.tryingSince, isNever(since) { tally.neverConnected += 1 }
      if device.wanted > .zero {
        tally.longestLosses.add(device.longestLoss(by: end))
      }
    }
    count(ledger.deliveries, isCut: isCut)
  }

  private mutating func count(_ rows: [DeliveryRow], isCut: Bool) {
    for row in rows where row.isDue && row.acceptedAt < calmBegan {
      tally.deliveries += 1
      // Where something is only announced, it counts when the app is done with that.
      let key = HandOver(
        identity: identities[row.receiver.device], publication: row.publication,
        isApplied: row.facts.contains(.promisesApplication))
      if let time = handOvers[key] {
        let availability = devices[row.receiver.device].availability
        tally.syncs.add(availability.total(from: row.acceptedAt, to: time))
      }
      if row.isCountedInVain { tally.countedInVain += 1 }
      guard !isCut, !row.isOver else { continue }
      if handOvers[key] == nil { tally.neverSynced += 1 }
      if let layer = DeliveryLayer.all.firstIndex(where: { $0.holds(row) }) {
        tally.stayed[layer] += 1
      }
    }
  }

  private mutating func judge(_ ledger: borrowing Ledger) {
    var violations: [Violation] = []
    OracleCatalog.judge(ledger, into: &violations)
    for violation in violations { tally.violations[Int(violation.signature.oracle)] += 1 }
    if !violations.isEmpty { tally.runsWithFindings = 1 }
  }
}

extension DeliveryRow {
  /// On its way to a device that has a right to it, with a promise.
  fileprivate var isDue: Bool {
    !receiver.isServer && facts.isSuperset(of: [.accepted, .owed])
      && (quality > 0 || facts.contains(.promisesApplication))
  }

  /// Somebody was told that it was delivered, and no receiver ever said that it has it. That it
  /// expired excuses the rest of the world, and does not make it true.
  fileprivate var isCountedInVain: Bool {
    facts.contains(.countedDone)
      && facts.isDisjoint(with: [.acknowledged, .superseded, .rejected, .released, .applied])
  }

  /// Nothing is owed any more. What was only announced is still owed when the announcement expired
  /// or was superseded.
  fileprivate var isOver: Bool {
    facts.contains(.promisesApplication)
      ? !facts.isDisjoint(with: [.applied, .released, .rejected])
      : !facts.isDisjoint(with: .excused)
  }
}
