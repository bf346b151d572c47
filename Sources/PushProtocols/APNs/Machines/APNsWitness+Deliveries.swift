internal import Custody
internal import Simulation
internal import Timeline

extension APNsWitness {
  // MARK: - The server

  mutating func serverWrote(
    _ message: APNsMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    checkServer(message, on: link, at: now, &ledger)
    let device = Int(links[Int(link.index)].device)
    switch message.what {
    case .connectResponse:
      guard message.letsIn else {
        if devices[device].token == 0 { devices[device].token = links[Int(link.index)].tokenBefore }
        return
      }
      links[Int(link.index)].responded = true
      links[Int(link.index)].token = message.token
      devices[device].token = message.token
      devices[device].link = link
    case .notification:
      fly(message, on: link, to: device, at: now, &ledger)
    case .registered:
      // Services keep the newest: a request that was long under way says nothing new.
      let index = place(device, Int(message.topic))
      registrations[index].atServer = max(registrations[index].atServer, message.token)
    case .pushAnswer:
      accept(message.publication, author: .max, at: now, &ledger)
    case .saved:
      accept(message.publication, author: device, at: now, &ledger)
    case .connect, .filter, .ack, .keepAlive, .keepAliveResponse, .noStorage, .setState, .register,
      .fetch, .changes, .save, .idle, .command, .result, .push:
      break
    }
  }

  private mutating func fly(
    _ message: APNsMessage, on link: LinkID, to device: Int, at now: Instant,
    _ ledger: inout Ledger
  ) {
    guard let slot = slot(of: message.publication) else { return }
    let row = row(slot: slot, device: device, at: now, &ledger)
    ledger.deliveries[row].markSent(at: now)
    flights.append(Flight(link: link, id: message.id, row: Int32(truncatingIfNeeded: row)))
  }

  /// The server took responsibility: from now on somebody may be owed it.
  private mutating func accept(
    _ publication: UInt16, author: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    guard let slot = slot(of: publication) else { return }
    publications[slot].gotPlace = 0
    guard publications[slot].acceptedAt == .never else {
      extend(slot, at: now, &ledger)
      return
    }
    publications[slot].acceptedAt = now
    let upRow = Int(publications[slot].upRow)
    if upRow >= 0 { ledger.deliveries[upRow].mark(.accepted, step: .accepted, at: now) }
    let entry = publications[slot]
    guard entry.quality > 0, Int(entry.topic) < kinds.count else { return }
    let kind = kinds[Int(entry.topic)]
    for device in settings.indices where device != author && !settings[device].isProvider {
      let registration = registrations[place(device, Int(entry.topic))]
      let token = devices[device].token
      let isCurrent =
        token != 0 && registration.atServer == token && registration.known == token
      guard registration.isWanted, kind == .sync ? registration.wasEverKnown : isCurrent else {
        notePlace(slot, device, at: now, &ledger)
        continue
      }
      let row = row(slot: slot, device: device, at: now, &ledger)
      ledger.deliveries[row].markAccepted(at: now)
      if kind != .push { ledger.deliveries[row].facts.insert(.promisesApplication) }
      notes[row].pushIsOwed = isCurrent
      notes[row].wasStored = !isOnline(device, topic: entry.topic)
      if kind == .push, entry.expiry != .forever { notes[row].deadline = now + entry.expiry }
    }
  }

  /// A provider that had no answer sent it again: it lives anew, and is newer than what came in
  /// between.
  private mutating func extend(_ slot: Int, at now: Instant, _ ledger: inout Ledger) {
    for device in settings.indices {
      let row = Int(rows[slot &* settings.count &+ device])
      guard row >= 0 else {
        notePlace(slot, device, at: now, &ledger)
        continue
      }
      acceptances &+= 1
      notes[row].lastPlace = acceptances
      if !isOnline(device, topic: publications[slot].topic) { notes[row].wasStored = true }
      if notes[row].deadline != .never {
        notes[row].deadline = now + publications[slot].expiry
      }
    }
  }

  /// Nothing is owed to the device, but if the service knows a token of it, what it pushes may take
  /// the place of something older that is.
  private mutating func notePlace(
    _ slot: Int, _ device: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    let isKnown = rows[slot &* settings.count &+ device] >= 0
    let topic = Int(publications[slot].topic)
    guard topic < kinds.count, publications[slot].sender.device != device,
      !settings[device].isProvider, isKnown || registrations[place(device, topic)].atServer != 0
    else { return }
    let row = row(slot: slot, device: device, at: now, &ledger)
    ledger.deliveries[row].facts.insert(.accepted)
  }

  /// The courier has a connection of the device on which it may send the topic.
  private func isOnline(_ device: Int, topic: UInt16) -> Bool {
    let link = devices[device].link
    guard link != Self.noLink else { return false }
    let view = links[Int(link.index)]
    return !view.serverOver && view.hasFilter && view.wanted >> UInt64(min(63, topic)) & 1 == 1
  }

  mutating func serverGot(
    _ message: APNsMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    switch message.what {
    case .filter:
      links[Int(link.index)].hasFilter = true
      links[Int(link.index)].wanted = message.first
    case .ack:
      guard let index = flight(message.id, on: link) else { return }
      ledger.deliveries[Int(flights[index].row)].mark(.settled, step: .settled, at: now)
      flights[index] = flights[flights.count &- 1]
      flights.removeLast()
    case .keepAlive:
      links[Int(link.index)].keepAlives &+= 1
    case .push, .save:
      let row = row(of: message.publication, receiver: .server)
      if row >= 0 { ledger.deliveries[row].mark(.received, step: .received, at: now) }
      if let slot = slot(of: message.publication) {
        acceptances &+= 1
        publications[slot].gotPlace = acceptances
        let latest = now + publications[slot].expiry
        for device in settings.indices {
          let row = Int(rows[slot &* settings.count &+ device])
          if row >= 0 { notes[row].latest = max(notes[row].latest, latest) }
        }
      }
      links[Int(link.index)].requests &+= 1
    case .register, .fetch, .idle, .result:
      links[Int(link.index)].requests &+= 1
    case .connect:
      // A courier that dies before it answers may have given a new token all the same.
      let device = Int(links[Int(link.index)].device)
      links[Int(link.index)].tokenBefore = devices[device].token
      devices[device].token = 0
    case .connectResponse, .notification, .keepAliveResponse, .noStorage, .setState, .registered,
      .changes, .saved, .command, .pushAnswer:
      break
    }
  }

  // MARK: - The device

  mutating func clientWrote(
    _ message: APNsMessage, on link: LinkID, counts: Bool, at now: Instant,
    _ ledger: inout Ledger
  ) {
    checkClient(message, on: link, &ledger)
    let device = Int(links[Int(link.index)].device)
    switch message.what {
    case .connect:
      links[Int(link.index)].isCourier = true
    case .ack:
      guard counts, let index = flight(message.id, on: link) else { return }
      flights[index].isAcknowledged = true
      let row = Int(flights[index].row)
      if message.status == APNsStatus.ok.rawValue {
        ledger.deliveries[row].mark(.acknowledged, step: .acknowledged, at: now)
      } else {
        ledger.deliveries[row].mark(.rejected, step: .rejected, at: now)
      }
    case .push, .save:
      let row = row(of: message.publication, receiver: .server)
      if row >= 0 { ledger.deliveries[row].markSent(at: now) }
    case .fetch:
      countFetch(of: device, at: now, &ledger)
    case .result:
      guard message.status == APNsStatus.failed.rawValue else { return }
      let row = row(of: message.publication, receiver: NodeID(device: device))
      if row >= 0 { ledger.deliveries[row].mark(.rejected, step: .rejected, at: now) }
    case .connectResponse, .filter, .notification, .keepAlive, .keepAliveResponse, .noStorage,
      .setState, .register, .registered, .changes, .saved, .idle, .command, .pushAnswer:
      break
    }
  }

  mutating func clientGot(
    _ message: APNsMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let device = Int(links[Int(link.index)].device)
    switch message.what {
    case .connectResponse:
      if message.letsIn {
        links[Int(link.index)].entered = true
        links[Int(link.index)].enteredAt = now
      }
    case .notification:
      let row = row(of: message.publication, receiver: NodeID(device: device))
      if row >= 0 { ledger.deliveries[row].mark(.received, step: .received, at: now) }
    case .registered:
      let index = place(device, Int(message.topic))
      registrations[index].known = max(registrations[index].known, message.token)
      registrations[place(device, Int(message.topic))].wasEverKnown = true
    case .pushAnswer, .saved:
      let row = row(of: message.publication, receiver: .server)
      if row >= 0 { ledger.deliveries[row].mark(.settled, step: .settled, at: now) }
    case .connect, .filter, .ack, .keepAlive, .keepAliveResponse, .noStorage, .setState, .register,
      .fetch, .changes, .save, .idle, .command, .result, .push:
      break
    }
  }

  /// What a service counts as delivered on a 200 is merely early; a command that is shown as done
  /// and was not carried out is a lie at once.
  mutating func noteClaim(_ row: Int, _ ledger: inout Ledger) {
    notes[row].isClaimed = true
    let delivery = ledger.deliveries[row]
    guard kinds[Int(notes[row].topic)] == .mdm, !delivery.receiver.isServer,
      delivery.facts.isDisjoint(with: [.applied, .released])
    else { return }
    ledger.blame(
      APNsConduct.successWithoutResult.rawValue, .server, device: delivery.receiver.device)
  }

  private mutating func countFetch(of device: Int, at now: Instant, _ ledger: inout Ledger) {
    if devices[device].fetchWindow <= now {
      devices[device].fetchWindow = now + .minutes(1)
      devices[device].fetches = 0
    }
    devices[device].fetches &+= 1
    if devices[device].fetches > Self.fetchBudget, ledger.devices[device].storm == .none {
      ledger.devices[device].storm = .messages
    }
  }

  func flight(_ id: UInt32, on link: LinkID) -> Int? {
    var index = flights.count
    while index > 0 {
      index &-= 1
      if flights[index].id == id, flights[index].link == link { return index }
    }
    return nil
  }

  // MARK: - Apps

  mutating func note(
    _ action: Action, of device: NodeID, reached: Bool, at now: Instant, _ ledger: inout Ledger
  ) {
    switch action {
    case .subscribe(let topic, _):
      guard reached, Int(topic) < kinds.count, !settings[device.device].isProvider else { return }
      registrations[place(device.device, Int(topic))].isWanted = true
    case .unsubscribe(let topic):
      guard Int(topic) < kinds.count else { return }
      let index = place(device.device, Int(topic))
      registrations[index].isWanted = false
      release(topic, of: device.device, at: now, &ledger)
    case .submit(let submission):
      if reached { submit(submission, of: device, at: now, &ledger) }
    case .connect, .disconnect, .sleep, .wake, .kill, .launch:
      break
    }
  }

  /// The app is gone: nobody waits for what was on its way.
  private mutating func release(
    _ topic: UInt16, of device: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    for slot in publications.indices where publications[slot].topic == topic {
      let row = Int(rows[slot &* settings.count &+ device])
      if row >= 0 { ledger.deliveries[row].facts.insert(.released) }
    }
  }

  private mutating func submit(
    _ submission: Submission, of device: NodeID, at now: Instant, _ ledger: inout Ledger
  ) {
    let known = slot(of: submission.publication)
    let slot = slot(
      for: submission.publication, sender: device, topic: submission.topic,
      quality: submission.quality, expiry: submission.expiry)
    guard submission.quality > 0, known == nil else { return }
    var row = DeliveryRow(
      publication: submission.publication, sender: device, receiver: .server,
      quality: submission.quality, at: now)
    row.facts = .owed
    publications[slot].upRow = Int32(truncatingIfNeeded: ledger.deliveries.count)
    ledger.deliveries.append(row)
    notes.append(RowNote(topic: submission.topic))
  }

  /// An app may fetch a change before the one who saved it knows that it is accepted.
  mutating func noteApplication(
    of publication: UInt16, on device: NodeID, at now: Instant, _ ledger: inout Ledger
  ) {
    guard let slot = slot(of: publication), device.device < settings.count else { return }
    let row = row(slot: slot, device: device.device, at: now, &ledger)
    ledger.deliveries[row].mark(.applied, step: .applied, at: now)
  }

  mutating func noteHandOver(
    of publication: UInt16, to device: NodeID, at now: Instant, _ ledger: inout Ledger
  ) {
    let row = row(of: publication, receiver: device)
    guard row >= 0 else { return }
    ledger.deliveries[row].mark(.handedOver, step: .handedOver, at: now)
    // Signs may come as often as they like: the app only looks.
    if kinds[Int(notes[row].topic)] == .push, ledger.deliveries[row].handOvers < 255 {
      ledger.deliveries[row].handOvers &+= 1
    }
  }
}
