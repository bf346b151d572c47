internal import Custody
internal import Simulation
internal import Timeline

// Both halves of MQTT 5 §4.3's exchanges: what an app submits on its way up, and what arrives.
extension MQTTClient {
  @inline(__always)
  mutating func send(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    lastOut = clock.now
    effects.send(message, on: link)
  }

  // MARK: - Subscriptions

  mutating func wish(
    for topic: UInt16, quality: UInt8, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    var index = 0
    while index < wishes.count, wishes[index].topic != topic { index &+= 1 }
    if index == wishes.count {
      wishes.append(Wish(topic: topic, quality: quality))
    } else {
      wishes[index].quality = quality
      wishes[index].state = .needed
    }
    if phase == .connected { request(index, into: &effects) }
  }

  mutating func endWish(
    for topic: UInt16, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    for index in wishes.indices where wishes[index].topic == topic {
      wishes[index].state = .removalNeeded
      if phase == .connected { request(index, into: &effects) }
    }
  }

  /// Asks for what is not yet granted, in the order in which the app wished it.
  mutating func requestWishes(into effects: inout Effects<MQTTMessage>) {
    for index in wishes.indices {
      switch wishes[index].state {
      case .needed, .removalNeeded:
        request(index, into: &effects)
      case .granted:
        if settings.resubscribes { request(index, into: &effects) }
      case .requested, .removalRequested:
        break  // A repeated CONNACK can't come here; both are set back when a connection ends.
      }
    }
  }

  private mutating func request(_ index: Int, into effects: inout Effects<MQTTMessage>) {
    let packet = freePacket()
    wishes[index].packet = packet
    let wish = wishes[index]
    switch wish.state {
    case .needed, .requested, .granted:
      wishes[index].state = .requested
      effects.send(
        .subscribe(topic: wish.topic, quality: wish.quality, packet: packet), on: link)
    case .removalNeeded, .removalRequested:
      wishes[index].state = .removalRequested
      effects.send(.unsubscribe(topic: wish.topic, packet: packet), on: link)
    }
  }

  mutating func takeSubscriptionAnswer(_ message: MQTTMessage) {
    for index in wishes.indices where wishes[index].packet == message.packet {
      switch (wishes[index].state, message.type) {
      case (.requested, .suback):
        if message.isFailure {
          wishes.remove(at: index)
        } else {
          wishes[index].state = .granted
        }
        return
      case (.removalRequested, .unsuback):
        wishes.remove(at: index)
        return
      case (.needed, _), (.granted, _), (.removalNeeded, _), (.requested, _),
        (.removalRequested, _):
        break  // The answer to a request that the app has replaced since.
      }
    }
  }

  /// The server has no session: this end has none either (MQTT-3.2.2-5). What the app submitted is
  /// the app's, not the session's, so it is sent anew, as new messages.
  mutating func dropSession(into effects: inout Effects<MQTTMessage>) {
    received.removeAll(keepingCapacity: true)
    nextPacket = 1
    inFlight = 0
    var kept = 0
    for index in outgoing.indices {
      var entry = outgoing[index]
      if entry.state == .awaitingPubcomp {
        // PUBREC said that the server has it.
        effects.append(.countDone(publication: entry.submission.publication, receiver: .server))
        continue
      }
      entry.state = .queued
      entry.packet = 0
      outgoing[kept] = entry
      kept &+= 1
    }
    outgoing.removeLast(outgoing.count &- kept)
    kept = 0
    for index in wishes.indices {
      var wish = wishes[index]
      switch wish.state {
      case .removalNeeded, .removalRequested: continue
      case .needed, .requested: wish.state = .needed
      case .granted: wish.state = policy.neverResubscribes ? .granted : .needed
      }
      wishes[kept] = wish
      kept &+= 1
    }
    wishes.removeLast(wishes.count &- kept)
  }

  // MARK: - The way up

  mutating func submit(
    _ submission: Submission, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    if submission.quality == 0 {
      // At most once: without a connection it is gone.
      guard phase == .connected else { return }
      send(
        .publish(
          submission.publication, topic: submission.topic, quality: 0, packet: 0,
          retain: submission.retain, expiry: settings.version5 ? submission.expiry : .forever),
        at: clock, into: &effects)
      return
    }
    if policy.losesSubmissionsWhileOffline, phase != .connected { return }
    outgoing.append(Outgoing(submission: submission))
    if phase == .connected {
      lastOut = clock.now
      pump(into: &effects)
    }
  }

  /// Sends again what was in flight, with the old identifiers and in the old order (MQTT-4.4.0-1).
  mutating func resume(into effects: inout Effects<MQTTMessage>) {
    for index in outgoing.indices where outgoing[index].state == .awaitingPubcomp {
      outgoing[index].sentHere = true
      inFlight &+= 1
      if policy.forgetsPubrelOnResume { continue }
      effects.send(
        .acknowledgement(
          .pubrel, packet: outgoing[index].packet,
          publication: outgoing[index].submission.publication), on: link)
    }
  }

  /// Sends whatever the window allows, oldest first.
  mutating func pump(into effects: inout Effects<MQTTMessage>) {
    guard phase == .connected, inFlight < window else { return }
    var index = 0
    while index < outgoing.count, inFlight < window {
      defer { index &+= 1 }
      if outgoing[index].sentHere || outgoing[index].state == .awaitingPubcomp { continue }
      let isRepeat = outgoing[index].state != .queued
      if !isRepeat {
        outgoing[index].packet = freePacket()
        outgoing[index].state =
          outgoing[index].submission.quality == 1 ? .awaitingPuback : .awaitingPubrec
      }
      outgoing[index].sentHere = true
      inFlight &+= 1
      let submission = outgoing[index].submission
      effects.send(
        .publish(
          submission.publication, topic: submission.topic, quality: submission.quality,
          packet: outgoing[index].packet,
          duplicate: isRepeat && !policy.resendsWithoutDuplicate, retain: submission.retain,
          expiry: settings.version5 ? submission.expiry : .forever), on: link)
    }
  }

  mutating func takePuback(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    finish(message, in: .awaitingPuback, at: clock, into: &effects)
  }

  mutating func takePubcomp(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    // 5.0: reason 0x92 means that the server has finished with it before.
    finish(message, in: .awaitingPubcomp, at: clock, into: &effects)
  }

  private mutating func finish(
    _ message: MQTTMessage, in state: Outgoing.State, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    guard let index = outgoingIndex(of: message.packet, in: state) else {
      return  // A second answer, to a message that is settled already.
    }
    let publication = outgoing[index].submission.publication
    if state == .awaitingPuback, message.isFailure {
      effects.append(.drop(publication: publication, receiver: .server, .rejected))
    } else {
      effects.append(.countDone(publication: publication, receiver: .server))
    }
    remove(at: index, at: clock, into: &effects)
  }

  mutating func takePubrec(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    if let index = outgoingIndex(of: message.packet, in: .awaitingPubrec) {
      let publication = outgoing[index].submission.publication
      if message.isFailure {
        effects.append(.drop(publication: publication, receiver: .server, .rejected))
        remove(at: index, at: clock, into: &effects)
      } else {
        outgoing[index].state = .awaitingPubcomp
        send(
          .acknowledgement(.pubrel, packet: message.packet, publication: publication), at: clock,
          into: &effects)
      }
      return
    }
    guard !message.isFailure else { return }  // The answer to something settled already.
    // Known and answered before, or unknown: 3.1.1 answers both the same, so that the server
    // does not hang; 5.0 says which.
    let isKnown = outgoingIndex(of: message.packet, in: .awaitingPubcomp) != nil
    send(
      .acknowledgement(
        .pubrel, packet: message.packet, publication: message.publication,
        reason: isKnown || !settings.version5 ? 0 : MQTTReasonCode.packetIDNotFound.rawValue),
      at: clock, into: &effects)
  }

  private func outgoingIndex(of packet: UInt16, in state: Outgoing.State) -> Int? {
    var index = 0
    while index < outgoing.count {
      if outgoing[index].packet == packet, outgoing[index].state == state { return index }
      index &+= 1
    }
    return nil
  }

  private mutating func remove(
    at index: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    if outgoing[index].sentHere, inFlight > 0 { inFlight &-= 1 }
    outgoing.remove(at: index)
    lastOut = clock.now
    pump(into: &effects)
  }

  /// The next identifier that nothing uses (MQTT-2.2.1-3); 0 is none.
  private mutating func freePacket() -> UInt16 {
    while true {
      let packet = nextPacket
      nextPacket = nextPacket == .max ? 1 : nextPacket &+ 1
      if packet != 0, !isUsed(packet) { return packet }
    }
  }

  private func isUsed(_ packet: UInt16) -> Bool {
    for entry in outgoing where entry.packet == packet { return true }
    for wish in wishes
    where wish.packet == packet && (wish.state == .requested || wish.state == .removalRequested) {
      return true
    }
    return false
  }

  // MARK: - The way down

  mutating func takePublish(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    switch message.quality {
    case 0:
      effects.append(.handOver(publication: message.publication))
    case 1:
      handOver(message.publication, into: &effects)
      send(
        .acknowledgement(.puback, packet: message.packet, publication: message.publication),
        at: clock, into: &effects)
    default:
      if !awaitsRelease(message.packet) {
        received.append(Received(packet: message.packet, publication: message.publication))
        handOver(message.publication, into: &effects)
      }
      send(
        .acknowledgement(.pubrec, packet: message.packet, publication: message.publication),
        at: clock, into: &effects)
    }
  }

  mutating func takePubrel(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    var publication = message.publication
    var isKnown = false
    for index in received.indices where received[index].packet == message.packet {
      publication = received[index].publication
      received.remove(at: index)
      isKnown = true
      break
    }
    // Unknown: PUBCOMP was lost, or the program has forgotten. The server must get an answer.
    send(
      .acknowledgement(
        .pubcomp, packet: message.packet, publication: publication,
        reason: isKnown || !settings.version5 ? 0 : MQTTReasonCode.packetIDNotFound.rawValue),
      at: clock, into: &effects)
  }

  private func awaitsRelease(_ packet: UInt16) -> Bool {
    for entry in received where entry.packet == packet { return true }
    return false
  }

  private mutating func handOver(
    _ publication: UInt16, into effects: inout Effects<MQTTMessage>
  ) {
    guard policy.acknowledgesBeforeHandOver else {
      effects.append(.handOver(publication: publication))
      return
    }
    lateHandOvers.append(publication)
    effects.setTimer(TimerKind.handOver, after: .milliseconds(500))
  }
}
