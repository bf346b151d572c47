internal import Custody
internal import Simulation
internal import Timeline

// What crosses the wire, message by message.
extension MQTTWitness {
  // MARK: - The server

  mutating func serverWrote(
    _ message: MQTTMessage, on link: LinkID, counts: Bool, at now: Instant,
    _ ledger: inout Ledger
  ) {
    checkServer(message, on: link, at: now, &ledger)
    switch message.type {
    case .publish:
      send(message, on: link, at: now, &ledger)
    case .puback, .pubrec:
      if counts { answerPublish(message, on: link, at: now, &ledger) }
    case .connack:
      takeConnack(message, on: link, at: now, &ledger)
    case .disconnect:
      links[Int(link.index)].serverDisconnected = true
    case .connect, .pubrel, .pubcomp, .subscribe, .suback, .unsubscribe, .unsuback, .pingreq,
      .pingresp, .auth:
      break  // They change nothing before they arrive.
    }
  }

  /// PUBLISH on its way down.
  private mutating func send(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let identity = Int(links[Int(link.index)].identity)
    let slot = slot(
      for: message.publication, sender: .server, topic: message.topic, quality: message.quality)
    let row = row(slot: slot, identity: identity, quality: message.quality, at: now, &ledger)
    if message.quality > 0 { fly(message, on: link, row: row, at: now, &ledger) }
    ledger.deliveries[row].markPublish(message, at: now)
  }

  private mutating func fly(
    _ message: MQTTMessage, on link: LinkID, row: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    let owner = links[Int(link.index)].identity
    let flight = Flight(
      owner: owner, packet: message.packet, publication: message.publication,
      quality: message.quality, link: link, row: Int32(truncatingIfNeeded: row))
    if let index = self.flight(message.packet, owner: owner, in: downFlights) {
      downFlights[index] = flight
    } else {
      downFlights.append(flight)
    }
  }

  /// PUBACK or PUBREC on its way down: the server takes a publication over, or refuses it.
  private mutating func answerPublish(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let device = links[Int(link.index)].device
    var publication = message.publication
    if let index = flight(message.packet, owner: device, in: upFlights) {
      publication = upFlights[index].publication
      upFlights[index].isAccepted = !message.isFailure
    }
    guard let slot = slot(of: publication) else { return }
    let row = Int(publications[slot].upRow)
    if message.isFailure {
      if row >= 0 { mark(row, .rejected, step: .rejected, at: now, &ledger) }
      return
    }
    if row >= 0 {
      mark(
        row, [.accepted, .handedOver, .acknowledged], step: .acknowledged, at: now, &ledger)
    }
    accept(slot, at: now, &ledger)
  }

  /// From now on the server is responsible.
  mutating func accept(_ slot: Int, at now: Instant, _ ledger: inout Ledger) {
    publications[slot].isAccepted = true
    let publication = publications[slot]
    for identity in sessions.indices {
      let place = slot &* sessions.count &+ identity
      let quality = owedQuality(
        identity, topic: Int(publication.topic), quality: publication.quality,
        got: publication.gotAt, at: now)
      guard let quality, quality > 0 else {
        if rows[place] >= 0 { ledger.deliveries[Int(rows[place])].facts.insert(.accepted) }
        continue
      }
      let row = row(slot: slot, identity: identity, quality: quality, at: now, &ledger)
      ledger.deliveries[row].markAccepted(at: now)
      notes[row].deadline = publication.deadline
    }
  }

  mutating func serverGot(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    switch message.type {
    case .publish:
      let slot = slot(
        for: message.publication, sender: NodeID(device: Int(view.device)), topic: message.topic,
        quality: message.quality)
      // QoS 2 is new only once, however often it comes.
      if publications[slot].quality < 2 || publications[slot].gotAt == .never {
        publications[slot].gotAt = now
      }
      if message.expiry != .forever {
        extend(slot, until: now + message.expiry, at: now, &ledger)
      }
      let row = Int(publications[slot].upRow)
      if row >= 0 { mark(row, .received, step: .received, at: now, &ledger) }
    case .puback, .pubrec, .pubcomp:
      settleDown(message, on: link, at: now, &ledger)
    case .unsubscribe:
      releaseUnsent(message, identity: Int(view.identity), at: now, &ledger)
    case .disconnect:
      takeDisconnect(message, on: link)
    case .connect:
      links[Int(link.index)].connectArrived = true
    case .connack, .pubrel, .subscribe, .suback, .unsuback, .pingreq, .pingresp, .auth:
      break  // The server's answer is what counts.
    }
  }

  /// A message that comes again lives longer, as far as it was not sent on.
  private mutating func extend(
    _ slot: Int, until deadline: Instant, at now: Instant, _ ledger: inout Ledger
  ) {
    publications[slot].deadline = deadline
    for identity in sessions.indices {
      let row = Int(rows[slot &* sessions.count &+ identity])
      guard row >= 0 else { continue }
      if notes[row].deadline <= now, !ledger.deliveries[row].facts.contains(.sent) {
        mark(row, .expired, step: .expired, at: now, &ledger)
      }
      notes[row].deadline = deadline
    }
  }

  /// MQTT-3.10.4-3: whether what waits already is still delivered is the server's choice.
  private mutating func releaseUnsent(
    _ message: MQTTMessage, identity: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    for slot in publications.indices
    where topics.matches(filter: Int(message.topic), topic: Int(publications[slot].topic)) {
      let row = Int(rows[slot &* sessions.count &+ identity])
      if row >= 0, !ledger.deliveries[row].facts.contains(.sent) {
        mark(row, .released, step: .released, at: now, &ledger)
      }
    }
  }

  private mutating func settleDown(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    if message.type != .pubrec || message.isFailure, view.serverInFlight > 0 {
      links[Int(link.index)].serverInFlight &-= 1
    }
    guard let index = flight(message.packet, owner: view.identity, in: downFlights) else { return }
    let row = Int(downFlights[index].row)
    if message.type != .pubcomp { mark(row, .settled, step: .settled, at: now, &ledger) }
    if message.type == .pubrec, !message.isFailure {
      downFlights[index].isReceived = true
    } else {
      remove(index, from: &downFlights)
    }
  }

  // MARK: - The client

  mutating func clientWrote(
    _ message: MQTTMessage, on link: LinkID, counts: Bool, at now: Instant,
    _ ledger: inout Ledger
  ) {
    checkClient(message, on: link, &ledger)
    let view = links[Int(link.index)]
    switch message.type {
    case .connect:
      links[Int(link.index)].connect = message
      links[Int(link.index)].connectWritten = true
      if message.flags.contains(.cleanStart) { abandonUpFlights(of: view.device, &ledger) }
    case .publish:
      launch(message, on: link, at: now, &ledger)
    case .puback, .pubrec:
      // What came on this connection: an identifier may be another message's in a later session.
      guard counts, let index = flight(message.packet, owner: view.identity, in: downFlights),
        downFlights[index].link == link
      else { return }
      mark(
        Int(downFlights[index].row), .acknowledged, step: .acknowledged, at: now, &ledger)
    case .subscribe:
      request(message, on: link, isRemoval: false)
    case .unsubscribe:
      request(message, on: link, isRemoval: true)
    case .disconnect:
      links[Int(link.index)].clientDisconnected = true
    case .connack, .pubrel, .pubcomp, .suback, .unsuback, .pingreq, .pingresp, .auth:
      break  // They change nothing before they arrive.
    }
  }

  /// PUBLISH on its way up.
  private mutating func launch(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let device = links[Int(link.index)].device
    let slot = slot(
      for: message.publication, sender: NodeID(device: Int(device)), topic: message.topic,
      quality: message.quality)
    let row = Int(publications[slot].upRow)
    if row >= 0 { ledger.deliveries[row].markSent(at: now) }
    guard message.quality > 0 else { return }
    let flight = Flight(
      owner: device, packet: message.packet, publication: message.publication,
      quality: message.quality, link: link, row: Int32(truncatingIfNeeded: row))
    if let index = self.flight(message.packet, owner: device, in: upFlights) {
      let isAccepted = upFlights[index].isAccepted
      upFlights[index] = flight
      upFlights[index].isAccepted = isAccepted
    } else {
      upFlights.append(flight)
    }
  }

  mutating func clientGot(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    switch message.type {
    case .publish:
      let row = row(of: message.publication, receiver: NodeID(device: Int(view.identity)))
      if row >= 0 { mark(row, .received, step: .received, at: now, &ledger) }
    case .connack:
      enter(message, on: link, at: now, &ledger)
    case .puback, .pubrec, .pubcomp:
      settleUp(message, on: link, at: now, &ledger)
    case .suback, .unsuback:
      answer(message, on: link, at: now)
    case .connect, .pubrel, .subscribe, .unsubscribe, .pingreq, .pingresp, .disconnect, .auth:
      break  // The client's answer is what counts.
    }
  }

  private mutating func settleUp(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    if message.type != .pubrec || message.isFailure, view.clientInFlight > 0 {
      links[Int(link.index)].clientInFlight &-= 1
    }
    guard let index = flight(message.packet, owner: view.device, in: upFlights) else { return }
    let row = Int(upFlights[index].row)
    if row >= 0, message.type != .pubcomp {
      mark(row, .settled, step: .settled, at: now, &ledger)
    }
    if message.type == .pubrec, !message.isFailure {
      upFlights[index].isReceived = true
    } else {
      remove(index, from: &upFlights)
    }
  }

  // MARK: - The apps

  mutating func noteSubmission(
    _ submission: Submission, of device: NodeID, at now: Instant, _ ledger: inout Ledger
  ) {
    guard submission.quality > 0 else { return }
    let known = slot(of: submission.publication)
    let slot = slot(
      for: submission.publication, sender: device, topic: submission.topic,
      quality: submission.quality)
    guard known == nil else {
      allowRepeats(of: slot, &ledger)  // The app gave it away twice.
      return
    }
    var row = DeliveryRow(
      publication: submission.publication, sender: device, receiver: .server,
      quality: submission.quality, at: now)
    row.facts = .owed
    publications[slot].upRow = Int32(truncatingIfNeeded: ledger.deliveries.count)
    ledger.deliveries.append(row)
    notes.append(RowNote())
  }

  mutating func noteHandOver(
    of publication: UInt16, to device: NodeID, at now: Instant, _ ledger: inout Ledger
  ) {
    let row = row(of: publication, receiver: device)
    guard row >= 0 else { return }
    mark(row, .handedOver, step: .handedOver, at: now, &ledger)
    if ledger.deliveries[row].handOvers < 255 { ledger.deliveries[row].handOvers &+= 1 }
    if !notes[row].lastTaker.isServer, notes[row].lastTaker != device {
      ledger.deliveries[row].facts.insert(.repeatAllowed)  // Two programs, one identifier.
    }
    notes[row].lastTaker = device
  }
}
