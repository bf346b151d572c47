internal import Custody
internal import Simulation
internal import Timeline

// What the server is bound to keep, and what devices want.
extension MQTTWitness {
  // MARK: - Connections

  mutating func takeConnack(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let index = Int(link.index)
    links[index].connackWritten = true
    guard message.reason == 0 else { return }
    links[index].accepted = true
    links[index].sessionPresent = message.flags.contains(.sessionPresent)
    let view = links[index]
    let identity = Int(view.identity)
    let connect = view.connect
    if sessions[identity].link != Self.noLink, sessions[identity].link != link {
      // Taken over, though the end of the old connection was not seen yet.
      endAtServer(sessions[identity].link, at: now, &ledger)
      if nextWill <= now { publishWills(at: now, &ledger) }
    }
    if isExpired(identity, at: now) {
      endSession(identity, as: .expired, at: now, &ledger)
    }
    if connect.flags.contains(.cleanStart) {
      release(identity, as: .released, at: now, &ledger)
      sessions[identity].exists = false
      publishWill(of: identity, at: now, &ledger)
    }
    // Back before the delay was over (MQTT-3.1.2-26).
    sessions[identity].will = Will()
    if !view.sessionPresent {
      forgetSubscriptions(of: identity)
      removeAll(of: view.identity, from: &downFlights)
    }
    sessions[identity].exists = true
    sessions[identity].link = link
    sessions[identity].awaySince = .never
    sessions[identity].expiry = expiry(of: connect)
    if connect.flags.contains(.hasWill) {
      sessions[identity].will = Will(
        publication: connect.willPublication, topic: connect.topic, quality: connect.quality,
        delay: .seconds(UInt64(connect.willDelay)))
    }
    findNextWill()
  }

  private func expiry(of connect: MQTTMessage) -> Nanoseconds {
    if connect.flags.contains(.version5) { return min(connect.expiry, server.sessionExpiryLimit) }
    return connect.flags.contains(.cleanStart) ? .zero : server.sessionExpiryLimit
  }

  mutating func enter(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let index = Int(link.index)
    guard message.reason == 0 else { return }
    links[index].entered = true
    links[index].enteredAt = now
    if links[index].connect.flags.contains(.version5) {
      links[index].serverReceiveMaximum = message.packet
    }
    guard !message.flags.contains(.sessionPresent) else { return }
    // The client is told that there is no session: what is in flight may be sent anew.
    abandonUpFlights(of: links[index].device, &ledger)
  }

  mutating func abandonUpFlights(of device: UInt16, _ ledger: inout Ledger) {
    for flight in upFlights where flight.owner == device {
      if let slot = slot(of: flight.publication) { allowRepeats(of: slot, &ledger) }
    }
    removeAll(of: device, from: &upFlights)
  }

  /// The server has read CONNECT and stopped before CONNACK: the clean start (MQTT-3.1.4-4) and the
  /// new session expiry come first (MQTT-3.1.4-5), so they may have been carried out, or not.
  private mutating func forgiveConnect(
    on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let identity = Int(links[Int(link.index)].identity)
    let connect = links[Int(link.index)].connect
    guard sessions[identity].exists else { return }
    let expiry = min(sessions[identity].expiry, expiry(of: connect))
    if connect.flags.contains(.cleanStart) || expiry == .zero {
      endSession(identity, as: .released, at: now, &ledger)
    } else {
      sessions[identity].expiry = expiry
    }
  }

  mutating func takeDisconnect(_ message: MQTTMessage, on link: LinkID) {
    let index = Int(link.index)
    if message.reason != MQTTReasonCode.disconnectWithWill.rawValue {
      links[index].graceful = true
    }
    let identity = Int(links[index].identity)
    if sessions[identity].link == link, message.expiry != .forever,
      sessions[identity].expiry != .zero, links[index].connect.flags.contains(.version5)
    {
      sessions[identity].expiry = min(message.expiry, server.sessionExpiryLimit)
    }
  }

  /// The server knows that a connection is over.
  mutating func endAtServer(_ link: LinkID, at now: Instant, _ ledger: inout Ledger) {
    let index = Int(link.index)
    guard !links[index].serverOver else { return }
    links[index].serverOver = true
    if links[index].connectArrived, !links[index].connackWritten {
      forgiveConnect(on: link, at: now, &ledger)
    }
    let identity = Int(links[index].identity)
    guard links[index].accepted, sessions[identity].link == link else { return }
    sessions[identity].link = Self.noLink
    sessions[identity].awaySince = now
    let expiry = sessions[identity].expiry
    if links[index].graceful {
      sessions[identity].will = Will()
    } else if sessions[identity].will.publication != 0 {
      sessions[identity].will.due = now + min(sessions[identity].will.delay, expiry)
    }
    if expiry == .zero { endSession(identity, as: .released, at: now, &ledger) }
    findNextWill()
  }

  mutating func endAtClient(_ link: LinkID) {
    links[Int(link.index)].clientOver = true
    var index = requests.count
    while index > 0 {
      index &-= 1
      if requests[index].link == link { requests.remove(at: index) }
    }
  }

  // MARK: - Sessions

  func isExpired(_ identity: Int, at now: Instant) -> Bool {
    let session = sessions[identity]
    guard session.exists, session.awaySince != .never, session.expiry != .forever else {
      return false
    }
    return session.awaySince + session.expiry <= now
  }

  /// Ends every obligation towards a session.
  mutating func release(
    _ identity: Int, as fact: DeliveryFacts, at now: Instant, _ ledger: inout Ledger
  ) {
    let step: DeliveryStep = fact == .expired ? .expired : .released
    let receiver = NodeID(device: identity)
    for row in ledger.deliveries.indices where ledger.deliveries[row].receiver == receiver {
      ledger.deliveries[row].facts.insert(.repeatAllowed)
      if !ledger.deliveries[row].facts.contains(.acknowledged) {
        mark(row, fact, step: step, at: now, &ledger)
      }
    }
  }

  mutating func endSession(
    _ identity: Int, as fact: DeliveryFacts, at now: Instant, _ ledger: inout Ledger
  ) {
    release(identity, as: fact, at: now, &ledger)
    forgetSubscriptions(of: identity)
    removeAll(of: UInt16(truncatingIfNeeded: identity), from: &downFlights)
    sessions[identity].exists = false
  }

  mutating func forgetSubscriptions(of identity: Int) {
    for filter in 0..<topics.count {
      subscriptions[identity &* topics.count &+ filter] = Subscription()
    }
  }

  mutating func noteDeath(of device: NodeID, at now: Instant, _ ledger: inout Ledger) {
    let index = device.device
    for link in links.indices where Int(links[link].device) == index {
      endAtClient(LinkID(UInt16(truncatingIfNeeded: link)))
    }
    if settings[index].durable { return }
    // What the program knew is gone, and so is what it had taken and not given away.
    removeAll(of: UInt16(truncatingIfNeeded: index), from: &upFlights)
    let receiver = NodeID(device: Int(identities[index]))
    for row in ledger.deliveries.indices {
      let delivery = ledger.deliveries[row]
      if delivery.receiver == receiver, delivery.quality == 2, delivery.facts.contains(.sent) {
        ledger.deliveries[row].facts.insert(.repeatAllowed)
      }
      if delivery.receiver.isServer, delivery.sender == device,
        !delivery.facts.contains(.accepted)
      {
        mark(row, .released, step: .released, at: now, &ledger)
      }
    }
  }

  mutating func noteServerDeath(
    wiped: Bool, behindSince: Instant, at now: Instant, _ ledger: inout Ledger
  ) {
    forgiveWills(dueSince: behindSince, at: now, &ledger)
    let losesAll = wiped || !server.persistent
    for link in links.indices { links[link].serverOver = true }
    for identity in sessions.indices {
      // Also of sessions that ended with their connection, a moment ago.
      sessions[identity].will = Will()
      guard sessions[identity].exists else { continue }
      if sessions[identity].link != Self.noLink { sessions[identity].awaySince = now }
      sessions[identity].link = Self.noLink
      if losesAll || sessions[identity].expiry == .zero {
        endSession(identity, as: .released, at: now, &ledger)
      }
    }
    nextWill = .never
    guard losesAll else { return }
    // What the server awaited PUBREL for is new to it when it comes again.
    for flight in upFlights {
      if let slot = slot(of: flight.publication) { allowRepeats(of: slot, &ledger) }
    }
  }

  /// Whoever gets it a second time has no reason to complain.
  mutating func allowRepeats(of slot: Int, _ ledger: inout Ledger) {
    publications[slot].mayRepeat = true
    for identity in sessions.indices {
      let row = rows[slot &* sessions.count &+ identity]
      if row >= 0 { ledger.deliveries[Int(row)].facts.insert(.repeatAllowed) }
    }
  }

  // MARK: - Wills

  mutating func findNextWill() {
    nextWill = .never
    for session in sessions where session.will.publication != 0 {
      nextWill = min(nextWill, session.will.due)
    }
  }

  mutating func publishWills(at now: Instant, _ ledger: inout Ledger) {
    for identity in sessions.indices where sessions[identity].will.due <= now {
      publishWill(of: identity, at: now, &ledger)
    }
    findNextWill()
  }

  /// The server dies before it has looked at everything that came due: such a will is lost with it,
  /// as one that was not due yet. A server that stops is no case of MQTT-3.1.2-8.
  private mutating func forgiveWills(
    dueSince: Instant, at now: Instant, _ ledger: inout Ledger
  ) {
    for slot in publications.indices
    where publications[slot].number >= firstWillPublication && publications[slot].due >= dueSince {
      for identity in sessions.indices {
        let row = Int(rows[slot &* sessions.count &+ identity])
        if row >= 0, !ledger.deliveries[row].facts.contains(.sent) {
          mark(row, .released, step: .released, at: now, &ledger)
        }
      }
    }
  }

  private mutating func publishWill(
    of identity: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    let will = sessions[identity].will
    guard will.publication != 0, will.due != .never else { return }
    sessions[identity].will = Will()
    let sender = NodeID(device: Int(will.publication &- firstWillPublication))
    let known = slot(of: will.publication)
    let slot = slot(
      for: will.publication, sender: sender, topic: will.topic, quality: will.quality)
    // A device that dies twice has its will published twice, under one number.
    if known != nil { allowRepeats(of: slot, &ledger) }
    publications[slot].gotAt = now
    publications[slot].due = will.due
    accept(slot, at: now, &ledger)
  }

  // MARK: - Subscriptions and wishes

  mutating func note(
    _ action: Action, of device: NodeID, at now: Instant, _ ledger: inout Ledger
  ) {
    switch action {
    case .subscribe(let topic, let quality):
      guard Int(topic) < topics.count else { return }
      wishes[device.device &* topics.count &+ Int(topic)] = quality &+ 1
    case .unsubscribe(let topic):
      guard Int(topic) < topics.count else { return }
      wishes[device.device &* topics.count &+ Int(topic)] = 0
    case .submit(let submission):
      noteSubmission(submission, of: device, at: now, &ledger)
    case .connect, .disconnect, .sleep, .wake, .kill, .launch:
      break  // Their effects on the wire are what counts.
    }
  }

  mutating func request(_ message: MQTTMessage, on link: LinkID, isRemoval: Bool) {
    guard Int(message.topic) < topics.count else { return }
    let place = Int(links[Int(link.index)].identity) &* topics.count &+ Int(message.topic)
    requests.append(
      Request(
        link: link, packet: message.packet, topic: message.topic, quality: message.quality,
        isRemoval: isRemoval))
    if isRemoval {
      subscriptions[place] = Subscription()
    } else if subscriptions[place].granted != message.quality &+ 1 {
      subscriptions[place].since = .never
    }
  }

  mutating func answer(_ message: MQTTMessage, on link: LinkID, at now: Instant) {
    var index = 0
    while index < requests.count,
      requests[index].link != link || requests[index].packet != message.packet
    {
      index &+= 1
    }
    guard index < requests.count else { return }
    let request = requests[index]
    requests.remove(at: index)
    // On a connection that is not the session's any more it may be about another session.
    guard !request.isRemoval, sessions[Int(links[Int(link.index)].identity)].link == link else {
      return
    }
    let view = links[Int(link.index)]
    let place = Int(view.identity) &* topics.count &+ Int(request.topic)
    if message.isFailure {
      subscriptions[place] = Subscription()
      wishes[Int(view.device) &* topics.count &+ Int(request.topic)] = 0
      return
    }
    // An older answer must not outlive a newer request.
    for later in requests where later.link == link && later.topic == request.topic { return }
    let granted = min(message.reason, 2) &+ 1
    if subscriptions[place].granted != granted || subscriptions[place].since == .never {
      subscriptions[place] = Subscription(granted: granted, since: now)
    }
  }

  /// With which quality the server owes a publication on `topic` to a session now; `nil` when it
  /// does not. `got`: when the publication reached it.
  func owedQuality(_ identity: Int, topic: Int, quality: UInt8, got: Instant, at now: Instant)
    -> UInt8?
  {
    let session = sessions[identity]
    guard session.exists, !isExpired(identity, at: now) else { return nil }
    let isBoth =
      session.link != Self.noLink && links[Int(session.link.index)].entered
      && !links[Int(session.link.index)].clientOver
    guard session.expiry != .zero || isBoth else { return nil }
    var best: UInt8 = 0
    for filter in 0..<topics.count {
      let subscription = subscriptions[identity &* topics.count &+ filter]
      if subscription.granted > best, subscription.since <= got,
        topics.matches(filter: filter, topic: topic)
      {
        best = subscription.granted
      }
    }
    if best == 0, isBoth { best = neglected(identity, topic: topic, got: got) }
    return best > 1 ? min(best &- 1, quality) : nil
  }

  /// A client that was told of a new session, stays connected and never subscribes anew owes it to
  /// its app (MQTT-3.2.2-5): quality + 1 of what the app wants, 0 when nothing is neglected.
  private func neglected(_ identity: Int, topic: Int, got: Instant) -> UInt8 {
    let link = sessions[identity].link
    let view = links[Int(link.index)]
    guard !view.sessionPresent, view.enteredAt + Self.grace <= got else { return 0 }
    for request in requests where request.link == link { return 0 }
    var best: UInt8 = 0
    for filter in 0..<topics.count where topics.matches(filter: filter, topic: topic) {
      if subscriptions[identity &* topics.count &+ filter].granted > 0 { return 0 }
      best = max(best, wishes[Int(view.device) &* topics.count &+ filter])
    }
    return best
  }
}
