internal import Custody
internal import Simulation
internal import Timeline

extension APNsWitness {
  private func blame(client rule: APNsConduct, _ link: LinkID, _ ledger: inout Ledger) {
    ledger.blame(rule.rawValue, .client, device: Int(links[Int(link.index)].device))
  }

  private func blame(server rule: APNsConduct, _ link: LinkID, _ ledger: inout Ledger) {
    ledger.blame(rule.rawValue, .server, device: Int(links[Int(link.index)].device))
  }

  func checkClient(_ message: APNsMessage, on link: LinkID, _ ledger: inout Ledger) {
    let view = links[Int(link.index)]
    switch message.what {
    case .connect:
      if view.isCourier { blame(client: .secondConnect, link, &ledger) }
    case .filter, .setState:
      if !view.isCourier { blame(client: .connectFirst, link, &ledger) }
    case .ack:
      guard let index = flight(message.id, on: link) else {
        blame(client: .ackOfNothing, link, &ledger)
        return
      }
      if flights[index].isAcknowledged { blame(client: .ackTwice, link, &ledger) }
    case .register, .fetch, .save, .idle, .result, .push:
      if view.isCourier { blame(client: .wrongPort, link, &ledger) }
    case .keepAlive:
      break
    case .connectResponse, .notification, .keepAliveResponse, .noStorage, .registered, .changes,
      .saved, .command, .pushAnswer:
      blame(client: .wrongDirection, link, &ledger)
    }
  }

  mutating func checkServer(
    _ message: APNsMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    switch message.what {
    case .connectResponse:
      if !view.isCourier || view.responded {
        blame(server: .unaskedConnectResponse, link, &ledger)
      }
    case .notification:
      checkNotification(message, on: link, at: now, &ledger)
    case .noStorage:
      if !view.responded { blame(server: .connectResponseFirst, link, &ledger) }
    case .keepAliveResponse:
      if view.keepAlives == 0 {
        blame(server: .unaskedKeepAliveResponse, link, &ledger)
      } else {
        links[Int(link.index)].keepAlives &-= 1
      }
    case .registered, .changes, .saved, .command, .pushAnswer:
      if view.requests == 0 {
        blame(server: .unaskedAnswer, link, &ledger)
      } else {
        links[Int(link.index)].requests &-= 1
      }
    case .connect, .filter, .ack, .keepAlive, .setState, .register, .fetch, .save, .idle, .result,
      .push:
      blame(server: .wrongDirection, link, &ledger)
    }
  }

  private func checkNotification(
    _ message: APNsMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[Int(link.index)]
    if !view.responded {
      blame(server: .connectResponseFirst, link, &ledger)
    } else if !view.hasFilter {
      blame(server: .notificationBeforeFilter, link, &ledger)
    } else if view.wanted >> UInt64(min(63, message.topic)) & 1 == 0 {
      blame(server: .notificationOutsideFilter, link, &ledger)
    } else if message.token != view.token {
      blame(server: .notificationToOtherToken, link, &ledger)
    }
    if let index = flight(message.id, on: link), !flights[index].isAcknowledged {
      blame(server: .reusesMessageID, link, &ledger)
    }
    let row = row(of: message.publication, receiver: NodeID(device: Int(view.device)))
    if row >= 0, max(notes[row].deadline, notes[row].latest) < now,
      ledger.deliveries[row].facts.contains(.accepted)
    {
      blame(server: .deliversExpired, link, &ledger)
    }
  }
}
