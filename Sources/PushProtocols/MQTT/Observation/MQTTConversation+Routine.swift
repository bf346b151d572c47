import Custody
import Timeline
import Wire

/// Going over to the quick way, and back.
extension MQTTConversation {
  /// Nothing but the usual is under way: whatever comes next can be told by its `MQTTTraffic`.
  private var mayBeRoutine: Bool {
    guard record.receives, observer.allowsRoutine, let subscriber,
      version == .v3_1_1 || version == .v5, sawFirstClientPacket, connect != nil, !isOver,
      evidenceMissing.isEmpty, client == nil, server == nil, takenOver == nil, !isClientFull,
      inherited.isEmpty, !inheritsFolded, beforeConnack.isEmpty
    else { return false }
    guard hasStarted.toServer, hasStarted.toClient, framers.toServer.isAtBoundary,
      framers.toClient.isAtBoundary, !isUnreadable.toServer, !isUnreadable.toClient
    else { return false }
    guard !silence.isSuspicious, silence.lastHeard != nil, lastServerSign != nil,
      lastServerBytes != nil, lastServerPacket != nil
    else { return false }
    return subscriber.isReceiver && subscriber.conversation === self
      && subscriber.lastConversation === self && subscriber.state.knowledge == .complete
      && !subscriber.mayWait
  }

  /// Goes over to the quick way if nothing speaks against it.
  func becomeRoutine() {
    guard mayBeRoutine, let subscriber, let trafficPlace else { return }
    handOver(to: &trafficPlace.traffic, subscriber)
  }

  private func handOver(to traffic: inout MQTTTraffic, _ subscriber: MQTTSubscriber) {
    guard let lastServerSign, let lastServerBytes, let lastServerPacket,
      let lastHeard = silence.lastHeard
    else { return }
    traffic.isVersion5 = version == .v5
    traffic.hasAwaitingObjects = !awaitingTransport.isEmpty
    traffic.hasUnconfirmedObjects = !unconfirmed.isEmpty
    traffic.hasManyPings = unansweredPings.count > traffic.pings.count
    if !traffic.hasManyPings {
      traffic.pingCount = UInt8(unansweredPings.count)
      for (place, ping) in unansweredPings.enumerated() { traffic.pings[place] = ping }
      unansweredPings.removeAll(keepingCapacity: true)
    }
    traffic.note(
      objectsInFlight: subscriber.inFlight, subscriber.folded,
      answered: earlyAnswers.lazy.filter { $0.direction == .toServer }.map(\.packet.packetID))
    swap(&traffic.flight, &subscriber.folded.latest)
    traffic.ended = Moment(time: record.ended.time, frame: record.ended.frame)
    traffic.lastServerSign = lastServerSign
    traffic.lastServerBytes = lastServerBytes
    traffic.lastServerPacket = lastServerPacket
    traffic.lastHeard = lastHeard
    traffic.idleSince = idleSince ?? MQTTCompactDelivery.none
    traffic.tolerated = silence.limit ?? .forever
    transport.handOver(to: &traffic)
    traffic.sends = sends
    traffic.lastPubackOrder = lastPubackOrder
    traffic.lastPubrecOrder = lastPubrecOrder
    traffic.inFlightHere = UInt32(inFlightHere)
    traffic.receiveMaximum = clientReceiveMaximum
    traffic.session = record.id
    swap(&traffic.memory, &subscriber.lastAcknowledged.usual)
    traffic.acknowledgements = subscriber.lastAcknowledged.ordinal
    traffic.isRoutine = true
  }

  /// Leaves the quick way: all that it has seen is told again in full.
  func catchUp() {
    guard let trafficPlace, trafficPlace.traffic.isRoutine else { return }
    catchUp(with: &trafficPlace.traffic)
  }

  private func catchUp(with traffic: inout MQTTTraffic) {
    guard let subscriber else { return }
    traffic.isRoutine = false
    record.ended = RecordedMoment(traffic.ended)
    lastServerSign = traffic.lastServerSign
    lastServerBytes = traffic.lastServerBytes
    lastServerPacket = traffic.lastServerPacket
    silence.catchUp(heard: traffic.lastHeard)
    note(pings: &traffic)
    idleSince = traffic.idleSince.frame == 0 ? nil : traffic.idleSince
    transport.catchUp(with: traffic)
    sends = traffic.sends
    lastPubackOrder = traffic.lastPubackOrder
    lastPubrecOrder = traffic.lastPubrecOrder
    inFlightHere = Int(traffic.inFlightHere)
    framers.toServer.pass(Int(traffic.passed.toServer))
    framers.toClient.pass(Int(traffic.passed.toClient))
    count(traffic)
    record.sent += traffic.sent
    record.acknowledged += traffic.acknowledged
    record.sentAtMostOnce += traffic.sentAtMostOnce
    observer.countPlain(traffic.plain, from: traffic.firstPlain, tally: subscriber.tally)
    swap(&traffic.memory, &subscriber.lastAcknowledged.usual)
    subscriber.lastAcknowledged.ordinal = traffic.acknowledgements
    swap(&traffic.flight, &subscriber.folded.latest)
    unfold(traffic, for: subscriber)
    traffic.forgetAdditions()
  }

  /// Takes over the pings without an answer.
  func note(pings traffic: inout MQTTTraffic) {
    for place in 0..<Int(traffic.pingCount) { receivePing(at: traffic.pings[place]) }
    traffic.pingCount = 0
  }

  private func count(_ traffic: borrowing MQTTTraffic) {
    let counts = traffic.counts
    packetCounts.toClient[Int(MQTTPacketType.publish.rawValue)] +=
      traffic.sent + traffic.sentAtMostOnce
    packetCounts.toServer[Int(MQTTPacketType.puback.rawValue)] +=
      traffic.acknowledged - counts.pubcomp
    packetCounts.toServer[Int(MQTTPacketType.pubrec.rawValue)] += counts.pubrec
    packetCounts.toClient[Int(MQTTPacketType.pubrel.rawValue)] += counts.pubrel
    packetCounts.toServer[Int(MQTTPacketType.pubcomp.rawValue)] += counts.pubcomp
    packetCounts.toServer[Int(MQTTPacketType.pingreq.rawValue)] += counts.pingreq
    packetCounts.toClient[Int(MQTTPacketType.pingresp.rawValue)] += counts.pingresp
  }

  /// Makes objects of the deliveries that a TCP acknowledgement is still to tell something of.
  private func unfold(_ traffic: borrowing MQTTTraffic, for subscriber: MQTTSubscriber) {
    if traffic.awaiting > 0 {
      for compact in subscriber.folded.unacknowledgedByTransport {
        guard let delivery = subscriber.delivery(inFlight: compact.packetID) else { continue }
        awaitTransport(delivery, end: compact.end)
      }
    }
    var objects: [(order: UInt64, delivery: MQTTDelivery)] = []
    for place in 0..<Int(traffic.unconfirmedCount) {
      let one = traffic.unconfirmed[place]
      var delivery = objects.first { $0.order == one.order }?.delivery
      if delivery == nil {
        delivery =
          subscriber.unfoldLatest(order: one.order)
          ?? subscriber.unfoldAcknowledged(order: one.order, on: self)
        if let delivery { objects.append((one.order, delivery)) }
      }
      guard let delivery else { continue }
      unconfirmed.append(delivery, end: one.end, wasComplete: one.wasComplete)
    }
  }

  /// The rest of a segment that is not routine.
  func takeRest(
    _ bytes: UnsafeRawBufferPointer, _ direction: Direction, offset: UInt64, at moment: Moment
  ) {
    catchUp()
    unsafe read(bytes, direction, offset: offset, at: moment)
    becomeRoutine()
  }

  /// A PUBLISH with this identifier is no usual one.
  func isUnusual(_ id: UInt16) -> Bool {
    subscriber?.inFlight[id] != nil || subscriber?.folded.earlier.contains(id) == true
      || earlyAnswers.contains { $0.packet.packetID == id && $0.direction == .toServer }
  }

  /// Tells deliveries from before it became routine of an acknowledgement.
  ///
  /// - Returns: whether there are any left that one of this direction concerns.
  func confirmObjects(_ direction: Direction, upTo: UInt64, at moment: Moment) -> Bool {
    confirm(direction, upTo: upTo, at: moment)
    return direction == .toClient ? !awaitingTransport.isEmpty : !unconfirmed.isEmpty
  }
}

extension MQTTTraffic {
  fileprivate mutating func note(
    objectsInFlight objects: MQTTPacketIDTable<MQTTDelivery>, _ folded: MQTTFolded,
    answered: some Collection<UInt16>
  ) {
    unusual.removeAll()
    hasManyUnusual =
      objects.count + folded.earlier.count + answered.count > MQTTIdentifiers.limit
    if hasManyUnusual { return }
    objects.forEachIdentifier { unusual.append($0) }
    folded.forEachEarlier { unusual.append($0) }
    for id in answered { unusual.append(id) }
  }

  /// All of it has been told in full.
  fileprivate mutating func forgetAdditions() {
    passed = BothWays(0)
    counts = Counts()
    (sent, acknowledged, sentAtMostOnce, plain) = (0, 0, 0, 0)
    firstPlain = DeliveryID(.max)
    (awaiting, unconfirmedCount) = (0, 0)
  }
}

extension MQTTSubscriber {
  /// Makes an object of a remembered delivery that was sent on a conversation.
  fileprivate func unfoldAcknowledged(
    order: UInt64, on conversation: MQTTConversation
  ) -> MQTTDelivery? {
    lastAcknowledged.unfold(for: self, on: conversation) {
      $0.order == order && $0.session == conversation.record.id
    }
  }
}
