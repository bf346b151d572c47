import Custody
import Timeline
import Wire

/// What the client sends.
extension MQTTConversation {
  func receiveFromClient(_ seen: MQTTSeenPacket) {
    checkFirstPacket(seen)
    noteClientPacket(seen.packet.type, end: seen.end, at: seen.moment)
    if case .connect(let packet) = seen.packet {
      receive(packet, at: seen.moment)
      return
    }
    // A client need not wait for CONNACK; what it says counts once the server has let it in.
    if subscriber == nil, connect != nil, connack == nil {
      if beforeConnack.count < Self.beforeConnackLimit { beforeConnack.append(seen) }
      return
    }
    follow(seen)
  }

  /// What any packet of the client shows.
  func noteClientPacket(_ type: MQTTPacketType, end: UInt64, at moment: Moment) {
    silence.heard(at: moment, end: end)
    if let client, client.how == .saidGoodbye {
      violate(.packetAfterDisconnect, "\(type.name) after DISCONNECT", at: moment)
    }
  }

  static var beforeConnackLimit: Int { 4096 }

  func follow(_ seen: MQTTSeenPacket) {
    let moment = seen.moment
    switch seen.packet {
    case .publish(let packet):
      receiveSubmission(MQTTSeenPublish(packet), size: seen.size, at: moment)
    case .puback(let packet): receiveAnswer(.puback, packet, end: seen.end, at: moment)
    case .pubrec(let packet): receiveAnswer(.pubrec, packet, end: seen.end, at: moment)
    case .pubcomp(let packet): receiveAnswer(.pubcomp, packet, end: seen.end, at: moment)
    case .pubrel(let packet): receiveRelease(packet, at: moment)
    case .subscribe(let packet):
      record.receives = true
      pendingSubscribes[packet.packetID] = packet
      becomeReceiver()
    case .unsubscribe(let packet):
      pendingUnsubscribes[packet.packetID] = packet
      for filter in packet.filters { subscriber?.doubt(filter) }
    case .pingreq: receivePing(at: moment)
    case .disconnect(let packet): receiveGoodbye(packet, at: moment)
    case .auth: break
    case .connect, .connack, .suback, .unsuback, .pingresp: break  // The codec names the culprit.
    }
  }

  func receivePing(at moment: Moment) {
    if unansweredPings.count < 64 { unansweredPings.append(moment) }
  }

  private func checkFirstPacket(_ seen: MQTTSeenPacket) {
    if sawFirstClientPacket { return }
    sawFirstClientPacket = true
    if case .connect = seen.packet {
      // The capture may have missed the SYN only.
      if !handshake { evidenceMissing = "" }
      return
    }
    if handshake, evidenceMissing.isEmpty {
      violate(.firstPacketNotConnect, "\(seen.packet.type.name) first", at: seen.moment)
    }
    joinMidStream(at: seen.moment)
  }

  private func receive(_ packet: MQTTConnect, at moment: Moment) {
    if connect != nil {
      violate(.secondConnect, "CONNECT again", at: moment)
      return
    }
    connect = packet
    connected = moment
    version = packet.version
    record.version = packet.version.description
    record.startedClean = packet.cleanStart
    keepAlive = .seconds(UInt64(packet.keepAlive))
    record.keepAlive = keepAlive
    if !packet.clientIdentifier.isEmpty {
      record.subscriber = packet.clientIdentifier
      record.isIdentified = true
    }
    clientReceiveMaximum =
      packet.properties.receiveMaximum.map(UInt32.init)
      ?? (version == .v5 ? 65_535 : .max)
    clientTopicAliasMaximum = packet.properties.topicAliasMaximum ?? 0
    clientMaximumPacketSize = packet.properties.maximumPacketSize.map(UInt64.init) ?? .max
  }

  private func receiveGoodbye(_ packet: MQTTDisconnect, at moment: Moment) {
    // 5.0 §3.14.2.2.2: the last word on how long the session state lives.
    if let seconds = packet.properties.sessionExpiryInterval { setExpiry(seconds: seconds) }
    if packet.reasonCode.rawValue != 0 {
      record.endNote = packet.reasonCode.name(in: .disconnect, version: version)
    }
    depart(.toServer, .saidGoodbye, at: moment)
  }

  func setExpiry(seconds: UInt32) {
    guard let subscriber, subscriber.conversation === self else { return }
    subscriber.state.expiry = seconds == .max ? .forever : .seconds(UInt64(seconds))
    subscriber.state.survives = seconds > 0
  }

  // MARK: Publishing

  func receiveSubmission(_ packet: MQTTSeenPublish, size: UInt64, at moment: Moment) {
    let topic = resolve(packet, .toServer, at: moment)
    guard packet.qos > .atMostOnce, let id = packet.packetID else {
      record.submittedAtMostOnce += 1
      broker.notePublishedAtMostOnce(topic)
      return
    }
    let known = subscriber?.published[id]
    if let known, known.isSame(as: packet, topic: topic) {
      // The same message again: on a new connection as it should be, or without need.
      if !packet.duplicate {
        violate(.missingDuplicateFlag, "PUBLISH id \(id) again with DUP 0", at: moment)
      }
      if publishedHere[id] == nil { record.submitted += 1 }
      publishedHere[id] = known
      return
    }
    if known != nil, evidenceMissing.isEmpty {
      violate(
        .clientIdentifierInUse, "PUBLISH with id \(id) of an unfinished one", at: moment)
    }
    record.submitted += 1
    let publication = MQTTPublication(
      packet, topic: topic, by: name, in: record.id, packetSize: size, at: moment)
    subscriber?.published[id] = publication
    publishedHere[id] = publication
    if publishedHere.count > serverReceiveMaximum, evidenceMissing.isEmpty {
      violate(
        .clientOverReceiveMaximum,
        "\(publishedHere.count) unfinished PUBLISHes, Receive Maximum is \(serverReceiveMaximum)",
        at: moment)
    }
    broker.route(publication, numbers: observer)
    if let early = takeEarlyAnswer(to: id, .toClient, notBefore: moment) {
      receiveAcceptance(early.type, early.packet, at: early.moment)
    }
  }

  func receiveRelease(_ packet: MQTTAcknowledgement, at moment: Moment) {
    guard let publication = subscriber?.published[packet.packetID] else { return }
    if publication.released == nil { publication.released = moment }
  }

  /// The topic of a PUBLISH, by its alias if it has none (5.0 §3.3.2.3.4); empty when the capture
  /// does not show what the alias stands for.
  func resolve(_ packet: MQTTSeenPublish, _ direction: Direction, at moment: Moment) -> String {
    guard let alias = packet.topicAlias, alias != 0 else { return packet.topic }
    let limit = direction == .toServer ? serverTopicAliasMaximum : clientTopicAliasMaximum
    if alias > limit, connect != nil, connack != nil {
      violate(
        direction == .toServer ? .clientTopicAliasTooLarge : .serverTopicAliasTooLarge,
        "topic alias \(alias), the maximum is \(limit)", at: moment)
    }
    if !packet.topic.isEmpty {
      topicAliases[direction][alias] = packet.topic
      return packet.topic
    }
    if let topic = topicAliases[direction][alias] { return topic }
    if evidenceMissing.isEmpty {
      violate(.unknownTopicAlias, "topic alias \(alias) stands for nothing", at: moment)
    }
    subscriber?.taint("what a topic alias stands for is not in the capture")
    return ""
  }

  func violate(_ rule: MQTTOrderRule, _ detail: String, at moment: Moment) {
    let statement = rule.statement(in: version)
    // A rule that this version does not have.
    if statement.isEmpty { return }
    observer.violations.add(
      statement, rule: rule.text, detail: detail, session: record.id, at: moment)
  }
}
