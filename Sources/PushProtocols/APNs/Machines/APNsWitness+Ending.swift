public import Custody
internal import Simulation
public import Timeline

extension APNsWitness {
  mutating func endAtServer(_ link: LinkID) {
    guard !links[Int(link.index)].serverOver else { return }
    links[Int(link.index)].serverOver = true
    guard links[Int(link.index)].isCourier else { return }
    // What was not acknowledged on it, or was about to be written to it, is stored from now on.
    let device = Int(links[Int(link.index)].device)
    for slot in publications.indices {
      let row = Int(rows[slot &* settings.count &+ device])
      if row >= 0 { notes[row].wasStored = true }
    }
  }

  mutating func noteServerDeath(wiped: Bool, _ ledger: inout Ledger) {
    for index in links.indices { endAtServer(LinkID(UInt16(index))) }
    guard wiped else { return }
    for row in ledger.deliveries.indices where !ledger.deliveries[row].receiver.isServer {
      if ledger.deliveries[row].facts.isDisjoint(with: .acknowledged)
        || ledger.deliveries[row].facts.contains(.promisesApplication)
      {
        ledger.deliveries[row].facts.insert(.released)
      }
    }
    for index in devices.indices { devices[index].token = 0 }
    for index in registrations.indices {
      registrations[index].atServer = 0
      registrations[index].wasEverKnown = false
    }
  }

  public mutating func finish(at now: Instant, ledger: inout Ledger) {
    for row in ledger.deliveries.indices where !ledger.deliveries[row].receiver.isServer {
      settle(row, at: now, &ledger)
    }
    for device in settings.indices {
      ledger.devices[device].deaf = isOutOfTune(device, since: now)
    }
  }

  private mutating func settle(_ row: Int, at now: Instant, _ ledger: inout Ledger) {
    let facts = ledger.deliveries[row].facts
    if notes[row].isClaimed, ledger.calmReached {
      ledger.deliveries[row].facts.insert(.countedDone)
    }
    guard !facts.contains(.acknowledged) else { return }
    // On a good network the first half of the calm is enough for whoever wants to be there: what
    // ends later has been waited for in vain.
    let end = ledger.calmReached ? max(Instant.start, now - calm / 2) : now
    if notes[row].deadline <= end { ledger.deliveries[row].facts.insert(.expired) }
    if notes[row].wasStored, hasNewer(row, ledger) {
      ledger.deliveries[row].facts.insert(.superseded)
    }
    // The app has what the push was to announce, or no push was due in the first place.
    if facts.contains(.promisesApplication),
      facts.contains(.applied) || (!notes[row].pushIsOwed && !facts.contains(.sent))
    {
      ledger.deliveries[row].facts.insert(.superseded)
    }
  }

  /// Few notifications (one, unless the scenario says otherwise) are stored for each app of a
  /// device: newer ones took this one's place.
  private func hasNewer(_ row: Int, _ ledger: borrowing Ledger) -> Bool {
    let this = ledger.deliveries[row]
    var newer = 0
    for other in ledger.deliveries.indices
    where other != row && notes[other].topic == notes[row].topic {
      let candidate = ledger.deliveries[other]
      if candidate.receiver == this.receiver,
        !candidate.facts.isDisjoint(with: [.accepted, .sent]),
        notes[other].lastPlace > notes[row].firstPlace
      {
        newer += 1
      }
    }
    for publication in publications
    where publication.topic == notes[row].topic && publication.number != this.publication
      && publication.gotPlace > notes[row].firstPlace
    {
      newer += 1
    }
    return newer >= server.storedPerApp
  }

  /// Both ends are content, and something that the device wants would not be sent to it.
  ///
  /// - Parameter now: it has had the time to come in tune; `.never`: whether or not.
  func isOutOfTune(_ device: Int, since now: Instant) -> Bool {
    guard !settings[device].isProvider, !isShared[device] else { return false }
    let link = devices[device].link
    guard link != Self.noLink else { return false }
    let view = links[Int(link.index)]
    guard view.entered, !view.serverOver, !view.clientOver else { return false }
    let settings = settings[device]
    let grace = settings.requestTimeout + settings.backOffMaximum * 5 / 4 + .seconds(5)
    guard view.enteredAt + grace <= now else { return false }
    for topic in kinds.indices where registrations[place(device, topic)].isWanted {
      if !view.hasFilter || view.wanted >> UInt64(min(63, topic)) & 1 == 0 { return true }
      if registrations[place(device, topic)].atServer != view.token { return true }
    }
    return false
  }
}
