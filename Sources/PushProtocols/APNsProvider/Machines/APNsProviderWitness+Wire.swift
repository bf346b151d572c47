internal import Custody
internal import Simulation
internal import Timeline

// What crosses the wire, message by message, and what must not.
extension APNsProviderWitness {
  /// Programs and networks take their time over a request.
  private static let grace = Nanoseconds.seconds(10)
  private static let longestToken = Nanoseconds.minutes(60)
  private static let shortestToken = Nanoseconds.minutes(20)
  /// In seconds: what is less is a length of time, not a date.
  private static let leastDate: UInt32 = 20_000_000

  // MARK: - The provider

  mutating func clientWrote(
    _ message: APNsProviderMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let index = Int(link.index)
    let device = Int(links[index].device)
    switch message.type {
    case .settings:
      links[index].clientGreeted = true
    case .request:
      check(message, on: index, at: now, &ledger)
      if let row = row(of: message.publication) { ledger.deliveries[row].markSent(at: now) }
      links[index].highest = max(links[index].highest, message.stream)
      links[index].open &+= 1
      flights.append(
        Flight(
          link: link, stream: message.stream, publication: message.publication,
          topic: message.topic))
    case .reset:
      if links[index].open > 0 { links[index].open &-= 1 }
      flights.removeAll { $0.link == link && $0.stream == message.stream }
    case .ping, .pong, .goAway: break
    case .answer: blame(.wrongDirection, .client, device: device, &ledger)
    }
  }

  private mutating func check(
    _ message: APNsProviderMessage, on index: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    let view = links[index]
    let device = Int(view.device)
    if !view.clientGreeted { blame(.prefaceFirst, .client, device: device, &ledger) }
    if view.goAwayGot != .max { blame(.streamAfterGoAway, .client, device: device, &ledger) }
    if message.stream <= view.highest { blame(.streamNumber, .client, device: device, &ledger) }
    if UInt32(view.open) >= view.streams {
      blame(.tooManyStreams, .client, device: device, &ledger)
    }
    for token in tokens
    where Int(token.device) == device && token.topic == message.topic && token.isDead {
      blame(.deadToken, .client, device: device, &ledger)
    }
    // No wall clock of a run is as near to its beginning as this.
    if message.value < Self.leastDate {
      blame(.expirationPast, .client, device: device, &ledger)
    }
    checkToken(message.issued, on: index, at: now, &ledger)
  }

  private mutating func checkToken(
    _ issued: UInt32, on index: Int, at now: Instant, _ ledger: inout Ledger
  ) {
    let device = Int(links[index].device)
    guard device < providers.count else { return }
    if providers[device].issued != issued {
      providers[device].issued = issued
      providers[device].issuedSince = now
    } else if now - providers[device].issuedSince > Self.longestToken + Self.grace {
      blame(.tokenTooOld, .client, device: device, &ledger)
    }
    if links[index].issued == issued { return }
    if links[index].issued != 0 {
      let last = links[index].updated
      if last != .never, now - last + Self.grace < Self.shortestToken {
        blame(.tokenTooNew, .client, device: device, &ledger)
      }
      links[index].updated = now
    }
    links[index].issued = issued
  }

  mutating func clientGot(
    _ message: APNsProviderMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    let index = Int(link.index)
    switch message.type {
    case .settings: links[index].streams = message.value
    case .answer:
      // A stream that the provider has given up meanwhile says nothing to it.
      guard
        let flight = flights.firstIndex(where: {
          $0.link == link && $0.stream == message.stream
        })
      else { return }
      flights.remove(at: flight)
      if links[index].open > 0 { links[index].open &-= 1 }
      guard let row = row(of: message.publication) else { return }
      if message.status == .accepted {
        ledger.deliveries[row].mark(.settled, step: .settled, at: now)
      } else if message.status == .unregistered {
        let topic = publications[Int(slots[Int(message.publication)])].topic
        let at = token(of: Int(links[index].device), topic)
        if tokens[at].registered.wholeSeconds <= message.value { tokens[at].isDead = true }
      }
    case .goAway: links[index].goAwayGot = message.stream
    case .request, .ping, .pong, .reset: break
    }
  }

  // MARK: - APNs

  mutating func serverWrote(
    _ message: APNsProviderMessage, on link: LinkID, counts: Bool, at now: Instant,
    _ ledger: inout Ledger
  ) {
    let index = Int(link.index)
    let device = Int(links[index].device)
    switch message.type {
    case .settings: links[index].serverGreeted = true
    case .goAway:
      if message.stream > links[index].goAway {
        blame(.goAwayRises, .server, device: device, &ledger)
      }
      links[index].goAway = message.stream
    case .answer:
      if !links[index].serverGreeted { blame(.settingsFirst, .server, device: device, &ledger) }
      if message.stream > links[index].goAway {
        blame(.answerAboveGoAway, .server, device: device, &ledger)
      }
      if message.stream > links[index].highest {
        blame(.answerOfNothing, .server, device: device, &ledger)
      }
      if counts { answer(message, on: link, at: now, &ledger) }
    case .ping, .pong, .reset: break
    case .request: blame(.wrongDirection, .server, device: device, &ledger)
    }
  }

  private mutating func answer(
    _ message: APNsProviderMessage, on link: LinkID, at now: Instant, _ ledger: inout Ledger
  ) {
    // The provider may have given the stream up meanwhile; APNs has the push all the same.
    var publication = message.publication
    if let flight = flights.firstIndex(where: { $0.link == link && $0.stream == message.stream }) {
      publication = flights[flight].publication
    }
    guard let row = row(of: publication) else { return }
    switch message.status {
    case .accepted:
      ledger.deliveries[row].mark(
        [.accepted, .handedOver, .acknowledged], step: .acknowledged, at: now)
    case .unregistered:
      if !ledger.deliveries[row].facts.contains(.accepted) {
        ledger.deliveries[row].mark(.rejected, step: .rejected, at: now)
      }
    case .expiredToken, .tokenFromTheFuture, .tooManyTokenUpdates, .tooManyRequests,
      .serverError, .unavailable:
      break  // To be asked for again.
    }
  }
}
