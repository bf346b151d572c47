internal import Custody
internal import Simulation
internal import Timeline

// The way down: the list of a session, its window, and the acknowledgements.
extension MQTTBroker {
  // MARK: - Queueing

  /// Takes a message over for a session.
  mutating func enqueue(
    _ message: MQTTMessage, quality: UInt8, retain: Bool, for identity: Int, expires: Instant,
    at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let session = sessions[identity]
    if quality == 0 {
      // At most once: without a connection it is gone.
      guard session.link != Self.noLink else { return }
      effects.send(
        .publish(
          message.publication, topic: message.topic, quality: 0, packet: 0, retain: retain,
          expiry: expires == .never ? .forever : expires - clock.now), on: session.link)
      return
    }
    let isFull =
      settings.queueLimit > 0 && session.count >= settings.queueLimit &+ UInt32(session.inFlight)
    let isCongested = policy.dropsWhenWindowIsFull && session.inFlight >= session.window
    if isFull || (isCongested && session.link != Self.noLink) {
      effects.append(
        .drop(publication: message.publication, receiver: NodeID(device: identity), .queueFull))
      return
    }
    append(
      Entry(
        publication: message.publication, topic: message.topic, quality: quality, retain: retain,
        enqueuedAt: clock.now, expires: expires), to: identity)
    pump(identity, at: clock, into: &effects)
  }

  private mutating func append(_ entry: Entry, to identity: Int) {
    let index: Int32
    if freeEntry >= 0 {
      index = freeEntry
      freeEntry = entries[Int(index)].next
      entries[Int(index)] = entry
    } else {
      index = Int32(truncatingIfNeeded: entries.count)
      entries.append(entry)
    }
    let tail = sessions[identity].tail
    if tail >= 0 { entries[Int(tail)].next = index } else { sessions[identity].head = index }
    sessions[identity].tail = index
    if sessions[identity].cursor < 0 { sessions[identity].cursor = index }
    sessions[identity].count &+= 1
  }

  /// Takes the entry behind `previous` (-1: the first) out of the list.
  private mutating func unlink(_ index: Int32, after previous: Int32, of identity: Int) {
    let next = entries[Int(index)].next
    if previous >= 0 { entries[Int(previous)].next = next } else { sessions[identity].head = next }
    if sessions[identity].tail == index { sessions[identity].tail = previous }
    if sessions[identity].cursor == index { sessions[identity].cursor = next }
    sessions[identity].count &-= 1
    entries[Int(index)].next = freeEntry
    freeEntry = index
  }

  mutating func discardList(of identity: Int) {
    while sessions[identity].head >= 0 {
      unlink(sessions[identity].head, after: -1, of: identity)
    }
    sessions[identity].inFlight = 0
  }

  /// Only a defective broker does this.
  mutating func discardInFlight(of identity: Int, quality: UInt8) {
    var previous: Int32 = -1
    var index = sessions[identity].head
    while index >= 0 {
      let entry = entries[Int(index)]
      if entry.state != .queued, entry.quality >= quality {
        unlink(index, after: previous, of: identity)
      } else {
        previous = index
      }
      index = entry.next
    }
  }

  // MARK: - Sending

  /// Sends whatever the window allows, oldest first; drops what has expired before its turn.
  mutating func pump(
    _ identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    guard sessions[identity].link != Self.noLink else { return }
    var index = sessions[identity].cursor
    while index >= 0, sessions[identity].inFlight < sessions[identity].window {
      let next = entries[Int(index)].next
      switch entries[Int(index)].state {
      case .awaitingPubcomp:
        sessions[identity].cursor = next  // Its PUBREL went out on resume.
      case .awaitingPuback, .awaitingPubrec:
        sessions[identity].cursor = next
        write(index, isRepeat: true, of: identity, at: clock, into: &effects)
      case .queued:
        if entries[Int(index)].expires <= clock.now {
          if policy.expiredMessageBlocksQueue { return }
          effects.append(
            .drop(
              publication: entries[Int(index)].publication, receiver: NodeID(device: identity),
              .messageExpired))
          unlinkAtCursor(index, of: identity)
        } else {
          sessions[identity].cursor = next
          write(index, isRepeat: false, of: identity, at: clock, into: &effects)
        }
      }
      index = next
    }
  }

  private mutating func unlinkAtCursor(_ target: Int32, of identity: Int) {
    var previous: Int32 = -1
    var index = sessions[identity].head
    while index >= 0, index != target {
      previous = index
      index = entries[Int(index)].next
    }
    unlink(target, after: previous, of: identity)
  }

  private mutating func write(
    _ index: Int32, isRepeat: Bool, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let position = Int(index)
    if !isRepeat || policy.resendsUnderNewPacket {
      entries[position].packet = freePacket(of: identity)
      entries[position].state =
        entries[position].quality == 1 ? .awaitingPuback : .awaitingPubrec
    }
    sessions[identity].inFlight &+= 1
    let entry = entries[position]
    let isMarked =
      isRepeat && !policy.resendsWithoutDuplicate && !policy.resendsUnderNewPacket
    effects.send(
      .publish(
        entry.publication, topic: entry.topic, quality: entry.quality, packet: entry.packet,
        duplicate: isMarked, retain: entry.retain,
        expiry: entry.expires == .never ? .forever : entry.expires - clock.now),
      on: sessions[identity].link)
    if policy.countsDoneOnWrite {
      effects.append(
        .countDone(publication: entry.publication, receiver: NodeID(device: identity)))
      sessions[identity].inFlight &-= 1
      unlinkAtCursor(index, of: identity)
    }
  }

  /// The device is back: what was in flight goes out again, with the old identifiers and in the old
  /// order (MQTT-4.4.0-1); PUBREL without regard to the window (MQTT-3.3.4-10).
  mutating func resume(
    _ identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let link = sessions[identity].link
    guard link != Self.noLink else { return }
    if policy.redeliversOnlyRecent { discardOld(of: identity, at: clock) }
    let window = sessions[identity].window
    if policy.overfillsWindowOnResume { sessions[identity].window = .max }
    var index = sessions[identity].head
    while index >= 0 {
      if entries[Int(index)].state == .awaitingPubcomp {
        resendRelease(index, of: identity, on: link, into: &effects)
      }
      index = entries[Int(index)].next
    }
    pump(identity, at: clock, into: &effects)
    sessions[identity].window = window
  }

  private mutating func resendRelease(
    _ index: Int32, of identity: Int, on link: LinkID, into effects: inout Effects<MQTTMessage>
  ) {
    sessions[identity].inFlight &+= 1
    if policy.forgetsPubrelOnResume { return }
    entries[Int(index)].releasedHere = true
    let entry = entries[Int(index)]
    if policy.republishesAfterPubrec {
      entries[Int(index)].state = .awaitingPubrec
      effects.send(
        .publish(
          entry.publication, topic: entry.topic, quality: 2, packet: entry.packet,
          duplicate: true), on: link)
      return
    }
    effects.send(
      .acknowledgement(.pubrel, packet: entry.packet, publication: entry.publication), on: link)
  }

  /// Only a defective broker does this.
  private mutating func discardOld(of identity: Int, at clock: Clock) {
    var previous: Int32 = -1
    var index = sessions[identity].head
    while index >= 0 {
      let entry = entries[Int(index)]
      if entry.enqueuedAt + .seconds(10) < clock.now {
        unlink(index, after: previous, of: identity)
      } else {
        previous = index
      }
      index = entry.next
    }
  }

  /// The next identifier that nothing of the session uses (MQTT-2.2.1-4); 0 is none.
  private mutating func freePacket(of identity: Int) -> UInt16 {
    if policy.freesPacketAtPubrec {
      // A pool with identifiers that were given back too early: always the lowest.
      var packet: UInt16 = 1
      while isUsed(packet, of: identity, butAwaitingPubcomp: true) { packet &+= 1 }
      return packet
    }
    while true {
      let packet = sessions[identity].nextPacket
      sessions[identity].nextPacket = packet == .max ? 1 : packet &+ 1
      if packet != 0, !isUsed(packet, of: identity, butAwaitingPubcomp: false) { return packet }
    }
  }

  private func isUsed(_ packet: UInt16, of identity: Int, butAwaitingPubcomp: Bool) -> Bool {
    var index = sessions[identity].head
    while index >= 0 {
      let entry = entries[Int(index)]
      if entry.packet == packet, entry.state != .queued,
        !(butAwaitingPubcomp && entry.state == .awaitingPubcomp)
      {
        return true
      }
      index = entry.next
    }
    return false
  }

  // MARK: - Acknowledgements

  /// PUBACK or PUBCOMP.
  mutating func settle(
    _ message: MQTTMessage, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let state: Entry.State = message.type == .puback ? .awaitingPuback : .awaitingPubcomp
    finish(message, in: state, of: identity, at: clock, into: &effects)
  }

  private mutating func finish(
    _ message: MQTTMessage, in state: Entry.State, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    var previous: Int32 = -1
    var index = sessions[identity].head
    while index >= 0,
      entries[Int(index)].packet != message.packet
        || entries[Int(index)].state != state
    {
      previous = index
      index = entries[Int(index)].next
    }
    guard index >= 0 else { return }  // A second answer, to a message that is settled already.
    let publication = entries[Int(index)].publication
    unlink(index, after: previous, of: identity)
    if sessions[identity].inFlight > 0 { sessions[identity].inFlight &-= 1 }
    effects.append(.countDone(publication: publication, receiver: NodeID(device: identity)))
    pump(identity, at: clock, into: &effects)
  }

  mutating func takePubrec(
    _ message: MQTTMessage, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let link = sessions[identity].link
    guard link != Self.noLink else { return }
    if message.isFailure {
      // Refused: finished all the same (MQTT-4.4.0-2).
      finish(message, in: .awaitingPubrec, of: identity, at: clock, into: &effects)
      return
    }
    var index = sessions[identity].head
    var isKnown = false
    while index >= 0, !isKnown {
      let entry = entries[Int(index)]
      if entry.packet == message.packet,
        entry.state == .awaitingPubrec || entry.state == .awaitingPubcomp
      {
        entries[Int(index)].state = .awaitingPubcomp
        isKnown = true
      }
      index = entry.next
    }
    // Unknown: 3.1.1 answers all the same, so that the client does not hang; 5.0 says that it is.
    let reason =
      isKnown || !sessions[identity].isVersion5
      ? 0 : MQTTReasonCode.packetIDNotFound.rawValue
    effects.send(
      .acknowledgement(
        .pubrel, packet: message.packet, publication: message.publication, reason: reason),
      on: link)
  }
}
