import Custody
import Timeline
import Wire

/// What the server sends to a subscriber, and how the subscriber answers.
extension MQTTConversation {
  /// A PUBLISH from the server.
  func receiveDelivery(_ packet: MQTTSeenPublish, end: UInt64, at moment: Moment) {
    guard let subscriber else { return }
    let topic = resolve(packet, .toClient, at: moment)
    record.receives = true
    let content = packet.content
    guard packet.qos > .atMostOnce, let id = packet.packetID else {
      record.sentAtMostOnce += 1
      subscriber.sentWithoutPromise(
        content, topic: topic, retained: packet.retain, by: self, moment)
      return
    }
    let known = subscriber.delivery(inFlight: id)
    let delivery: MQTTDelivery
    if let known, known.isSame(as: content, topic: topic) {
      repeated(known, packet, id, at: moment)
      delivery = known
    } else if known == nil, packet.duplicate,
      let old = subscriber.lastAcknowledged.delivery(id, for: subscriber, on: self),
      old.isSame(as: content, topic: topic)
    {
      repeatedAfterAcknowledgement(old, id, at: moment)
      delivery = old
    } else {
      if let known { reused(id, of: known, at: moment) }
      delivery = first(packet, id, topic: topic, content: content, at: moment)
    }
    delivery.packetID = id
    delivery.lastSent = moment
    delivery.lastSession = record.id
    if known !== delivery { subscriber.inFlight[id] = delivery }
    noteInFlight(delivery, id, at: moment)
    awaitTransport(delivery, end: end)
    if let early = takeEarlyAnswer(to: id, .toServer, notBefore: moment) {
      receiveAnswer(early.type, early.packet, end: early.end, at: early.moment)
    }
  }

  private func noteInFlight(_ delivery: MQTTDelivery, _ id: UInt16, at moment: Moment) {
    delivery.attempts += 1
    takeOff(delivery)
    sends += 1
    delivery.sendOrder = sends
    if inFlightHere > clientReceiveMaximum, evidenceMissing.isEmpty {
      violate(
        .serverOverReceiveMaximum,
        "\(inFlightHere) in flight, the client's Receive Maximum is \(clientReceiveMaximum)",
        at: moment)
    }
  }

  /// Whether it was not in flight on this connection before.
  @discardableResult
  private func takeOff(_ delivery: MQTTDelivery) -> Bool {
    if delivery.flight == record.id { return false }
    delivery.flight = record.id
    inFlightHere += 1
    record.sent += 1
    return true
  }

  /// Whether it was in flight on this connection.
  @discardableResult
  private func land(_ delivery: MQTTDelivery) -> Bool {
    guard delivery.flight == record.id else { return false }
    delivery.flight = SessionID(0)
    inFlightHere -= 1
    return true
  }

  /// The server sends a delivery again that is in flight.
  private func repeated(
    _ delivery: MQTTDelivery, _ packet: MQTTSeenPublish, _ id: UInt16, at moment: Moment
  ) {
    let isSameConnection = delivery.lastSession == record.id
    let canJudge = evidenceMissing.isEmpty && delivery.taint.isEmpty
    if canJudge {
      if !packet.duplicate {
        violate(.missingDuplicateFlag, "PUBLISH id \(id) again with DUP 0", at: moment)
      }
      if isSameConnection {
        violate(.resentOnSameConnection, "PUBLISH id \(id) again", at: moment)
      }
      if delivery.phase == .received, !delivery.isDoubtful {
        violate(.publishAfterPubrec, "PUBLISH id \(id) after its PUBREC", at: moment)
      }
    }
    record.redelivered += 1
    delivery.isDoubtful = false
    delivery.passedOver = nil
    if delivery.phase == .received { delivery.phase = .sent }
    delivery.note(
      .redelivered, moment, in: record.id, holder: .server, packet.duplicate ? "DUP" : "")
  }

  /// The acknowledgement was seen, yet the server sends again: it does not count on it.
  private func repeatedAfterAcknowledgement(
    _ delivery: MQTTDelivery, _ id: UInt16, at moment: Moment
  ) {
    record.redelivered += 1
    observer.takeBack(delivery)
    subscriber?.lastAcknowledged.remove(id)
    delivery.note(
      .redelivered, moment, in: record.id, holder: .server, "DUP, although acknowledged")
    if delivery.qos == .exactlyOnce, delivery.state == .acknowledged,
      evidenceMissing.isEmpty, delivery.taint.isEmpty
    {
      observer.repeatedExactlyOnce.append((delivery, moment, record.id))
    }
  }

  /// Another message has the identifier of one that is in flight.
  private func reused(_ id: UInt16, of delivery: MQTTDelivery, at moment: Moment) {
    subscriber?.inFlight.remove(id)
    land(delivery)
    guard evidenceMissing.isEmpty, delivery.taint.isEmpty, !delivery.isDoubtful else {
      if delivery.taint.isEmpty { delivery.taint = evidenceMissing }
      return
    }
    violate(
      .serverIdentifierInUse, "PUBLISH with id \(id) of a delivery in flight", at: moment)
    delivery.settleReplaced(in: record.id, at: moment)
    subscriber?.takeOut(delivery)
  }

  /// The same, of one that went the usual way, while all else goes on as usual.
  func replaced(_ compact: MQTTCompactDelivery, at moment: Moment) {
    guard let subscriber else { return }
    reused(compact.packetID, of: subscriber.unfold(compact), at: moment)
  }

  /// A delivery that has not been sent before, as far as the capture shows.
  private func first(
    _ packet: MQTTSeenPublish, _ id: UInt16, topic: String, content: MQTTContent, at moment: Moment
  ) -> MQTTDelivery {
    let subscriber = subscriber!
    let waiting =
      packet.retain && !subscriber.keepsRetainFlag(topic)
      ? nil
      : subscriber.waiting(for: content, topic: topic, qos: packet.qos)
        ?? broker.unforeseen(content, topic: topic, for: subscriber)
    let delivery =
      waiting
      ?? MQTTDelivery(
        publication: nil, topic: topic, content: content, qos: packet.qos, claim: .possible,
        to: subscriber.addressee)
    if waiting == nil {
      delivery.phase = .sent
      subscriber.append(delivery)
      becomeReceiver()
    }
    if let publication = delivery.publication { checkTiming(of: publication, at: moment) }
    if let waiting, waiting.claim == .owed { checkQoS(packet, waiting, at: moment) }
    delivery.qos = packet.qos
    delivery.phase = .sent
    delivery.firstSent = moment
    delivery.overtaken = nil
    delivery.ignored = nil
    if delivery.taint.isEmpty { delivery.taint = evidenceMissing }
    observer.commit(delivery)
    var remark = packet.retain ? "retained" : ""
    if packet.duplicate {
      remark += (packet.retain ? ", " : "") + "DUP: its first sending is not in the capture"
      record.redelivered += 1
    }
    delivery.note(.sent, moment, in: record.id, holder: .server, remark)
    subscriber.overtake(by: delivery, on: self, at: moment)
    subscriber.passOver(on: self, at: moment)
    return delivery
  }

  private func checkTiming(of publication: MQTTPublication, at moment: Moment) {
    guard publication.expires < .never else { return }
    if moment.time > publication.expires + .seconds(1) {
      violate(
        .sentAfterExpiry, "PUBLISH \(publication.topic) after its Message Expiry Interval",
        at: moment)
    }
  }

  private func checkQoS(_ packet: MQTTSeenPublish, _ waiting: MQTTDelivery, at moment: Moment) {
    guard evidenceMissing.isEmpty, let subscriber, subscriber.state.knowledge == .complete,
      subscriber.matchingSubscriptions(waiting.topic) == 1
    else { return }
    if packet.qos > waiting.qos {
      violate(.aboveGrantedQoS, "PUBLISH with QoS \(packet.qos.rawValue)", at: moment)
    }
  }

  // MARK: Answers

  func receiveAnswer(
    _ type: MQTTPacketType, _ packet: MQTTAcknowledgement, end: UInt64, at moment: Moment
  ) {
    let id = packet.packetID
    guard let subscriber else { return }
    guard let delivery = subscriber.delivery(inFlight: id) else {
      // Once more than needed is no harm.
      if type != .pubcomp, !subscriber.lastAcknowledged.contains(id) {
        keepEarlyAnswer(type, packet, .toServer, end: end, at: moment)
      }
      return
    }
    if serverHasClosed {
      delivery.note(
        .lateAcknowledgement, moment, in: record.id, holder: .server,
        "\(type.name) after the server had closed the connection")
      return
    }
    let isQoS2 = delivery.qos == .exactlyOnce
    if isQoS2 == (type == .puback) {
      if evidenceMissing.isEmpty {
        violate(
          .wrongAcknowledgement, "\(type.name) for QoS \(delivery.qos.rawValue)", at: moment)
      }
      return
    }
    checkOrder(type, delivery, id, at: moment)
    if packet.reasonCode.isFailure, type != .pubcomp {
      let reason = packet.reasonCode.name(in: type, version: version)
      settle(delivery, id, .rejected, "the subscriber refused it: \(reason)", at: moment)
      delivery.note(.rejected, moment, in: record.id, holder: .nobody, reason)
      return
    }
    if type == .pubrec {
      delivery.phase = .received
      delivery.note(.received, moment, in: record.id, holder: .server, "PUBREC")
      unconfirmed.append(delivery, end: end)
      return
    }
    delivery.acknowledgedAt = moment
    delivery.acknowledgedIn = record.id
    delivery.note(.acknowledged, moment, in: record.id, holder: .nobody, type.name)
    unconfirmed.append(delivery, end: end, wasComplete: true)
    subscriber.lastAcknowledged.add(delivery, limit: observer.memoryLimit)
    settle(delivery, id, .acknowledged, "", at: moment)
  }

  private static var earlyAnswerLimit: Int { 4096 }

  func keepEarlyAnswer(
    _ type: MQTTPacketType, _ packet: MQTTAcknowledgement, _ direction: Direction, end: UInt64,
    at moment: Moment
  ) {
    guard earlyAnswers.count < Self.earlyAnswerLimit else { return }
    earlyAnswers.append(
      MQTTEarlyAnswer(
        direction: direction, type: type, packet: packet, end: end, moment: moment))
  }

  /// The kept answer to a PUBLISH that was told only now, though its packet came before the answer.
  func takeEarlyAnswer(
    to id: UInt16, _ direction: Direction, notBefore moment: Moment
  ) -> MQTTEarlyAnswer? {
    let index = earlyAnswers.firstIndex {
      $0.packet.packetID == id && $0.direction == direction && $0.moment.time >= moment.time
    }
    return index.map { earlyAnswers.remove(at: $0) }
  }

  /// No PUBLISH came for these: it is missing in the capture, or there was none.
  func settleEarlyAnswers() {
    for early in earlyAnswers {
      let id = early.packet.packetID
      if early.direction == .toServer, missedFromServer {
        answerWithoutPublish(early.type, id, at: early.moment)
      } else if evidenceMissing.isEmpty, record.resumed == false,
        subscriber?.evidenceMissing.isEmpty == true
      {
        violate(
          .unknownAcknowledged, "\(early.type.name) for id \(id), nothing is open",
          at: early.moment)
      }
    }
    earlyAnswers = []
  }

  /// The PUBLISH is in a hole of the capture; its answer proves that there was one.
  private func answerWithoutPublish(_ type: MQTTPacketType, _ id: UInt16, at moment: Moment) {
    guard let subscriber else { return }
    record.receives = true
    let delivery = MQTTDelivery(
      publication: nil, topic: "", content: MQTTContent([]),
      qos: type == .pubrec ? .exactlyOnce : .atLeastOnce, claim: .possible,
      to: subscriber.addressee)
    observer.commit(delivery)
    delivery.packetID = id
    delivery.acknowledgedAt = moment
    delivery.note(.acknowledged, moment, in: record.id, holder: .nobody, type.name)
    delivery.settle(
      .unknown, "it was acknowledged, but its PUBLISH is missing in the capture")
  }

  private func settle(
    _ delivery: MQTTDelivery, _ id: UInt16, _ state: DeliveryState, _ reason: String,
    at moment: Moment
  ) {
    delivery.settle(state, reason)
    if land(delivery) {
      record.acknowledged += 1
      if inFlightHere == 0 { idleSince = moment }
    }
    subscriber?.inFlight.remove(id)
    subscriber?.takeOut(delivery)
  }

  /// Answers follow the order in which the PUBLISHes came (MQTT-4.6.0-2, -3).
  private func checkOrder(
    _ type: MQTTPacketType, _ delivery: MQTTDelivery, _ id: UInt16, at moment: Moment
  ) {
    let order = delivery.sendOrder
    guard order > 0, delivery.lastSession == record.id, evidenceMissing.isEmpty else { return }
    switch type {
    case .puback:
      if order < lastPubackOrder { violate(.pubackOrder, "PUBACK id \(id)", at: moment) }
      lastPubackOrder = max(lastPubackOrder, order)
    case .pubrec:
      if order < lastPubrecOrder { violate(.pubrecOrder, "PUBREC id \(id)", at: moment) }
      lastPubrecOrder = max(lastPubrecOrder, order)
    case .connect, .connack, .publish, .pubrel, .pubcomp, .subscribe, .suback, .unsubscribe,
      .unsuback, .pingreq, .pingresp, .disconnect, .auth:
      break
    }
  }

  /// A PUBREL from the server.
  func receiveDeliveryRelease(_ packet: MQTTAcknowledgement, at moment: Moment) {
    guard let delivery = subscriber?.delivery(inFlight: packet.packetID) else { return }
    // Whoever sends PUBREL has the PUBREC, whatever became of its TCP acknowledgement.
    delivery.phase = .received
    delivery.isDoubtful = false
    delivery.passedOver = nil
    let again = delivery.lastSession != record.id
    if again { delivery.sendOrder = 0 }
    delivery.lastSession = record.id
    if again, takeOff(delivery) { record.redelivered += 1 }
    delivery.note(
      .completing, moment, in: record.id, holder: .server, again ? "PUBREL again" : "PUBREL")
  }
}
