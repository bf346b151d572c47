internal import Custody
internal import Simulation
internal import Timeline

// What an end must not write. Only the first of each end is kept.
extension MQTTWitness {
  private func blame(_ rule: MQTTConduct, _ side: Side, on link: LinkID, _ ledger: inout Ledger) {
    ledger.blame(rule.rawValue, side, device: Int(links[Int(link.index)].device))
  }

  /// Before the message is entered anywhere.
  mutating func checkServer(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    if view.serverDisconnected { blame(.afterDisconnect, .server, on: link, &ledger) }
    switch message.type {
    case .connack:
      if view.connackWritten { blame(.secondConnack, .server, on: link, &ledger) }
      if message.flags.contains(.sessionPresent), view.connect.flags.contains(.cleanStart) {
        blame(.sessionPresentAfterCleanStart, .server, on: link, &ledger)
      }
      return
    case .auth, .disconnect:
      return  // Both are allowed before CONNACK.
    case .connect, .subscribe, .unsubscribe, .pingreq:
      blame(.wrongDirection, .server, on: link, &ledger)
    case .publish:
      if message.quality > 0 { checkSending(message, on: link, at: now, &ledger) }
    case .puback, .pubrec:
      checkAnswer(message, on: link, &ledger)
    case .pubrel, .pubcomp, .suback, .unsuback, .pingresp:
      break
    }
    if !view.accepted { blame(.connackFirst, .server, on: link, &ledger) }
  }

  private mutating func checkSending(
    _ message: MQTTMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    if message.packet == 0 { blame(.noPacket, .server, on: link, &ledger) }
    let view = links[Int(link.index)]
    let isVersion5 = view.connect.flags.contains(.version5)
    links[Int(link.index)].serverInFlight &+= 1
    if isVersion5, view.serverInFlight >= view.connect.packet {
      blame(.serverOverWindow, .server, on: link, &ledger)
    }
    if let index = flight(message.packet, owner: view.identity, in: downFlights) {
      let flight = downFlights[index]
      if flight.publication != message.publication {
        blame(.serverReusesPacket, .server, on: link, &ledger)
      } else if flight.isReceived {
        blame(.serverPublishAfterPubrec, .server, on: link, &ledger)
      } else if !message.flags.contains(.duplicate) {
        blame(.serverResendsWithoutDuplicate, .server, on: link, &ledger)
      } else if flight.link == link, isVersion5 {
        blame(.serverResendsOnConnection, .server, on: link, &ledger)
      }
      return
    }
    let row = row(of: message.publication, receiver: NodeID(device: Int(view.identity)))
    // With DUP the server has begun before, though a fault kept it from the wire.
    if row >= 0, !ledger.deliveries[row].facts.contains(.sent),
      !message.flags.contains(.duplicate), notes[row].deadline + .seconds(1) < now
    {
      blame(.deliversExpired, .server, on: link, &ledger)
    }
  }

  /// PUBACK and PUBREC of the server.
  private func checkAnswer(
    _ message: MQTTMessage, on link: LinkID, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    guard let index = flight(message.packet, owner: view.device, in: upFlights) else { return }
    let flight = upFlights[index]
    if (message.type == .puback) != (flight.quality == 1) {
      blame(.wrongAcknowledgement, .server, on: link, &ledger)
    }
    if message.reason == MQTTReasonCode.packetIDInUse.rawValue, !view.sessionPresent,
      !flight.isAccepted
    {
      blame(.refusesFreePacket, .server, on: link, &ledger)
    }
  }

  /// Before the message is entered anywhere.
  mutating func checkClient(
    _ message: MQTTMessage, on link: LinkID, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    if view.clientDisconnected { blame(.afterDisconnect, .client, on: link, &ledger) }
    if message.type == .connect {
      if view.connectWritten { blame(.secondConnect, .client, on: link, &ledger) }
      return
    }
    if !view.connectWritten { blame(.connectFirst, .client, on: link, &ledger) }
    switch message.type {
    case .publish:
      if message.quality > 0 { checkLaunch(message, on: link, &ledger) }
    case .puback, .pubrec:
      // On an older connection it may answer a message of a session that is gone.
      if let index = flight(message.packet, owner: view.identity, in: downFlights),
        downFlights[index].link == link,
        (message.type == .puback) != (downFlights[index].quality == 1)
      {
        blame(.wrongAcknowledgement, .client, on: link, &ledger)
      }
    case .connack, .suback, .unsuback, .pingresp:
      blame(.wrongDirection, .client, on: link, &ledger)
    case .connect, .pubrel, .pubcomp, .subscribe, .unsubscribe, .pingreq, .disconnect, .auth:
      break
    }
  }

  private mutating func checkLaunch(
    _ message: MQTTMessage, on link: LinkID, _ ledger: inout Ledger
  ) {
    if message.packet == 0 { blame(.noPacket, .client, on: link, &ledger) }
    let view = links[Int(link.index)]
    let isVersion5 = view.connect.flags.contains(.version5)
    links[Int(link.index)].clientInFlight &+= 1
    if isVersion5, view.clientInFlight >= view.serverReceiveMaximum {
      blame(.clientOverWindow, .client, on: link, &ledger)
    }
    guard let index = flight(message.packet, owner: view.device, in: upFlights) else { return }
    let flight = upFlights[index]
    if flight.publication != message.publication {
      blame(.clientReusesPacket, .client, on: link, &ledger)
    } else if flight.isReceived {
      blame(.clientPublishAfterPubrec, .client, on: link, &ledger)
    } else if !message.flags.contains(.duplicate) {
      blame(.clientResendsWithoutDuplicate, .client, on: link, &ledger)
    } else if flight.link == link, isVersion5 {
      blame(.clientResendsOnConnection, .client, on: link, &ledger)
    }
  }
}
