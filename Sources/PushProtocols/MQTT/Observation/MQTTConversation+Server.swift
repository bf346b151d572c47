import Custody
import Timeline
import Wire

/// What the server sends.
extension MQTTConversation {
  func receiveFromServer(_ seen: MQTTSeenPacket) {
    let moment = seen.moment
    noteServerPacket(at: moment)
    checkBeforeConnack(seen)
    switch seen.packet {
    case .connack(let packet): receive(packet, at: moment)
    case .publish(let packet):
      receiveDelivery(MQTTSeenPublish(packet), end: seen.end, at: moment)
    case .puback(let packet): receiveAcceptance(.puback, packet, at: moment)
    case .pubrec(let packet): receiveAcceptance(.pubrec, packet, at: moment)
    case .pubcomp(let packet): receiveCompletion(packet, at: moment)
    case .pubrel(let packet): receiveDeliveryRelease(packet, at: moment)
    case .suback(let packet): receive(packet, at: moment)
    case .unsuback(let packet): receive(packet, at: moment)
    case .pingresp: receivePingResponse()
    case .disconnect(let packet): receiveDismissal(packet, at: moment)
    case .auth: break
    case .connect, .subscribe, .unsubscribe, .pingreq: break  // The codec names the culprit.
    }
  }

  func receivePingResponse() {
    if !unansweredPings.isEmpty { unansweredPings.removeFirst() }
  }

  /// What any packet of the server shows.
  func noteServerPacket(at moment: Moment) {
    lastServerPacket = moment
    silence.serverActed(.sent, at: moment)
  }

  private func checkBeforeConnack(_ seen: MQTTSeenPacket) {
    if connack != nil || subscriber != nil { return }
    if connect == nil {
      joinMidStream(at: seen.moment)
      return
    }
    switch seen.packet {
    case .connack, .auth: break
    case .connect, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .suback, .unsubscribe,
      .unsuback, .pingreq, .pingresp, .disconnect:
      if evidenceMissing.isEmpty {
        violate(.serverBeforeConnack, "\(seen.packet.type.name) before CONNACK", at: seen.moment)
      }
      assumeConnected(at: seen.moment)
    }
  }

  private func receive(_ packet: MQTTConnack, at moment: Moment) {
    if connack != nil {
      violate(.secondConnack, "CONNACK again", at: moment)
      return
    }
    connack = packet
    guard packet.isAccepted else {
      record.end = .refused
      record.endNote = packet.reasonCode.name(in: .connack, version: version)
      return
    }
    if let assigned = packet.properties.assignedClientIdentifier, !assigned.isEmpty {
      record.subscriber = assigned
      record.isIdentified = true
    }
    if let seconds = packet.properties.serverKeepAlive {
      keepAlive = .seconds(UInt64(seconds))
      record.keepAlive = keepAlive
    }
    serverReceiveMaximum =
      packet.properties.receiveMaximum.map(UInt32.init)
      ?? (version == .v5 ? 65_535 : .max)
    serverTopicAliasMaximum = packet.properties.topicAliasMaximum ?? 0
    // 3.1 has no such flag: the byte is reserved and says nothing.
    record.resumed = version == .v3_1 ? nil : packet.sessionPresent
    if packet.sessionPresent, connect?.cleanStart == true {
      violate(.sessionPresentAfterCleanStart, "CONNACK with Session Present 1", at: moment)
    }
    silence.begin(keepAlive: keepAlive, at: silence.lastHeard ?? moment)
    idleSince = moment
    if subscriber == nil { broker.connected(self, at: moment) }
    followWhatCameBeforeConnack()
  }

  /// The server's answer to CONNECT is missing in the capture, but it let the client in.
  func assumeConnected(at moment: Moment) {
    if subscriber != nil || connect == nil { return }
    broker.connected(self, at: moment)
    followWhatCameBeforeConnack()
  }

  private func followWhatCameBeforeConnack() {
    let waiting = beforeConnack
    beforeConnack = []
    for seen in waiting { follow(seen) }
  }

  /// The first packet seen is from the middle of a connection.
  func joinMidStream(at moment: Moment) {
    if subscriber != nil || connect != nil { return }
    if evidenceMissing.isEmpty {
      evidenceMissing = "the capture began in the middle of the connection"
    }
    silence.isUnjudgeable = true
    let anonymous = MQTTSubscriber(
      name: name, isIdentified: false, tally: observer.tally(for: name), observer: observer)
    anonymous.state.knowledge = .partial
    anonymous.conversation = self
    anonymous.evidenceMissing = evidenceMissing
    subscriber = anonymous
    broker.adopt(anonymous)
  }

  private func receive(_ packet: MQTTSuback, at moment: Moment) {
    guard let request = pendingSubscribes.removeValue(forKey: packet.packetID) else {
      if evidenceMissing.isEmpty {
        violate(.unknownRequestAnswered, "SUBACK id \(packet.packetID)", at: moment)
      }
      return
    }
    if request.subscriptions.count != packet.reasonCodes.count {
      violate(
        .subackCount,
        "\(packet.reasonCodes.count) codes for \(request.subscriptions.count) filters", at: moment)
    }
    for (subscription, code) in zip(request.subscriptions, packet.reasonCodes) {
      // A refused subscription leaves an older one of the same filter as it was.
      if let granted = MQTTQoS(rawValue: code.rawValue) {
        subscriber?.subscribe(subscription, granted: granted)
      }
    }
    becomeReceiver()
  }

  func becomeReceiver() {
    if let subscriber { broker.adopt(subscriber) }
  }

  private func receive(_ packet: MQTTUnsuback, at moment: Moment) {
    guard let request = pendingUnsubscribes.removeValue(forKey: packet.packetID) else {
      if evidenceMissing.isEmpty {
        violate(.unknownRequestAnswered, "UNSUBACK id \(packet.packetID)", at: moment)
      }
      return
    }
    for filter in request.filters { subscriber?.unsubscribe(filter) }
    subscriber?.excuseUnsubscribed()
  }

  private func receiveDismissal(_ packet: MQTTDisconnect, at moment: Moment) {
    record.endNote = packet.reasonCode.name(in: .disconnect, version: version)
    if packet.reasonCode == .sessionTakenOver, let subscriber,
      !broker.isConnecting(subscriber.name, besides: self), takenOver == nil
    {
      subscriber.taint("another connection of this subscriber is not in the capture")
    }
    depart(.toClient, .saidGoodbye, at: moment)
  }

  // MARK: Acceptance of what the client published

  func receiveAcceptance(
    _ type: MQTTPacketType, _ packet: MQTTAcknowledgement, at moment: Moment
  ) {
    let id = packet.packetID
    guard let publication = subscriber?.published[id] else {
      keepEarlyAnswer(type, packet, .toClient, end: 0, at: moment)
      return
    }
    let expected: MQTTPacketType = publication.qos == .exactlyOnce ? .pubrec : .puback
    if type != expected {
      violate(.wrongAcknowledgement, "\(type.name) for id \(id)", at: moment)
      return
    }
    // The publisher had gone: nobody was told.
    if client != nil { return }
    let isRefused = packet.reasonCode.isFailure
    if publication.accepted == nil {
      if isRefused {
        record.rejected += 1
      } else {
        record.accepted += 1
        publication.accepted = moment
        if packet.reasonCode == .noMatchingSubscribers { publication.nobodySubscribed = moment }
      }
      broker.answered(
        publication, refused: isRefused ? packet.reasonCode.name(in: type, version: version) : nil,
        in: record.id, at: moment, numbers: observer)
    }
    if type == .puback || isRefused { finishSubmission(id) }
  }

  func receiveCompletion(_ packet: MQTTAcknowledgement, at moment: Moment) {
    finishSubmission(packet.packetID)
  }

  private func finishSubmission(_ id: UInt16) {
    subscriber?.published.remove(id)
    publishedHere.remove(id)
  }
}
