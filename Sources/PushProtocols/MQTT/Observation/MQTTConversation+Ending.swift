import Custody
import Timeline
import Wire

/// How a connection ends, and what that means for what was in flight.
extension MQTTConversation {
  /// One end goes: by a goodbye of the protocol, a FIN or an RST.
  func depart(_ direction: Direction, _ how: Departure.How, at moment: Moment) {
    let departure = Departure(how: how, moment: moment)
    switch direction {
    case .toServer:
      if client == nil { client = departure }
      if how == .reset { silence.reset() }
    case .toClient:
      judgeSilence(of: how, at: moment)
      if server == nil { server = departure }
      // Another one of this identity is on its way in: the server makes room for it.
      if takenOver == nil, client == nil, broker.isConnecting(name, besides: self) {
        takenOver = moment
      }
    }
    if record.end == .open {
      ending = moment
      switch (direction, how) {
      case (.toServer, .saidGoodbye): record.end = .disconnected
      case (.toServer, .finished): record.end = .clientClosed
      case (.toServer, .reset): record.end = .clientReset
      case (.toClient, _) where takenOver != nil: record.end = .takenOver
      case (.toClient, .saidGoodbye): record.end = .dismissed
      case (.toClient, .finished): record.end = .serverClosed
      case (.toClient, .reset): record.end = .serverReset
      }
    }
    guard let subscriber, subscriber.conversation === self else { return }
    subscriber.conversation = nil
    subscriber.state.disconnected = moment
  }

  /// The server's end of a connection shows until when it believed in it, unless a FIN could have
  /// waited behind bytes that nobody took, or an RST was only the answer of a closed socket.
  private func judgeSilence(of how: Departure.How, at moment: Moment) {
    if server != nil || client != nil { return }
    switch how {
    case .saidGoodbye: silence.serverActed(.dismissed, at: moment)
    case .finished:
      if !transport.isOutstanding(.toClient) { silence.serverActed(.closed, at: moment) }
    case .reset:
      silence.reset()
      if !transport.isOutstanding(.toServer), !transport.isOutstanding(.toClient) {
        silence.serverActed(.reset, at: moment)
      }
    }
  }

  /// The server let in another connection of the same identity.
  func beTakenOver(by newer: MQTTConversation, at moment: Moment) {
    catchUp()
    guard takenOver == nil, let came = newer.connected else { return }
    // It was still there when the new one came, so the server closed it because of that, perhaps
    // just before it let the new one in.
    if let client, client.moment.time <= came.time { return }
    if let server, server.moment.time < came.time { return }
    takenOver = moment
    switch record.end {
    case .open, .serverClosed, .dismissed, .serverReset: record.end = .takenOver
    case .disconnected, .clientClosed, .clientReset, .takenOver, .refused, .unknown: break
    }
    if subscriber?.conversation === self { subscriber?.conversation = nil }
  }

  /// Looks for what the server did not send although nothing kept it from sending: nothing was in
  /// flight, the client's TCP took bytes, and the server wrote none for a while.
  ///
  /// - Parameter moment: of a packet of the server. What it sent after its last packet may have
  ///   been lost on the way to the capture.
  func noteIdle(until moment: Moment) {
    guard let idleSince, let lastServerBytes, inFlightHere == 0, evidenceMissing.isEmpty,
      !isClientFull
    else { return }
    let since = max(idleSince.time, lastServerBytes.time)
    if moment.time - since < MQTTJudge.idleFor { return }
    var until = moment
    for end in [client?.moment, server?.moment, takenOver].compactMap({ $0 })
    where end.time < until.time {
      until = end
    }
    if until.time - since < MQTTJudge.idleFor { return }
    subscriber?.ignore(since: since, until: until, in: record.id)
  }

  /// Nothing more will be told.
  func finish(_ end: EndOfConnection, at moment: Moment) {
    if isOver { return }
    catchUp()
    isOver = true
    if record.end == .open {
      switch end {
      case .closed, .reset, .refused, .reused, .evicted:
        record.end = .unknown
        record.endNote = end == .evicted ? "not followed any longer" : "the ports were used again"
      case .captureOver: break
      }
      if end == .evicted { subscriber?.taint("the connection was not followed to its end") }
    }
    let isStillOpen = end == .captureOver && client == nil && server == nil && takenOver == nil
    if isStillOpen, !transport.isOutstanding(.toClient) {
      silence.serverActed(.captureOver, at: observer.now)
    }
    checkPings()
    settleEarlyAnswers()
    if let lastServerSign, !transport.isOutstanding(.toClient) { noteIdle(until: lastServerSign) }
    if !isStillOpen { reopenUnconfirmed(at: moment) }
    unconfirmed.removeAll()
    if let zombie = silence.zombie { observer.zombies.append((zombie, self)) }
    if !beforeConnack.isEmpty, record.end != .refused { assumeConnected(at: moment) }
    if isStillOpen {
      observer.stillOpen.append(self)
    } else {
      broker.left(self, at: moment)
    }
    letGo()
    observer.close(self)
  }

  /// Acknowledgements that TCP did not bring over before the connection died may not have arrived:
  /// the deliveries are open again, and whether they are done is in doubt until the server sends
  /// them again or the capture shows otherwise.
  private func reopenUnconfirmed(at moment: Moment) {
    var reopened: [MQTTDelivery] = []
    for entry in unconfirmed.entries where entry.delivery.lastSession == record.id {
      let delivery = entry.delivery
      let id = delivery.packetID
      delivery.isDoubtful = true
      delivery.note(
        .unconfirmedAcknowledgement, moment, in: record.id, holder: .server,
        "TCP did not confirm it before the connection ended")
      if entry.wasComplete {
        observer.takeBack(delivery)
        delivery.phase = .sent
        record.acknowledged -= min(1, record.acknowledged)
        subscriber?.lastAcknowledged.remove(id)
        if subscriber?.delivery(inFlight: id) == nil { subscriber?.inFlight[id] = delivery }
        reopened.append(delivery)
      }
    }
    subscriber?.reopen(reopened)
  }

  private func checkPings() {
    guard let ping = unansweredPings.first, evidenceMissing.isEmpty, let last = lastServerPacket,
      last.time > ping.time + .seconds(5)
    else { return }
    violate(.pingWithoutAnswer, "PINGREQ without an answer", at: ping)
  }
}
