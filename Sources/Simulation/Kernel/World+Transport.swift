public import BasicContainers
public import Custody
public import Timeline

// TCP as two programs see it: in order, without holes, retransmitted after losses, and ended
// differently at each end.
extension World {
  /// Linux: first retransmission after RTT + 200 ms, doubling up to 120 s.
  @inlinable @inline(__always)
  func retransmissionDelay(after attempt: UInt8) -> Nanoseconds {
    let first = path.rtt + .milliseconds(200)
    return min(first * (1 << UInt64(min(attempt, 16))), .seconds(120))
  }

  @inlinable @inline(__always)
  func isLost(_ device: NodeID, to side: Side, departed: Instant) -> Bool {
    for window in losses where window.loses(device: device, to: side, at: departed) { return true }
    return false
  }

  @inlinable @inline(__always)
  func isUp(_ side: Side, _ device: NodeID) -> (host: Bool, process: Bool) {
    side == .server
      ? (serverNode.hostUp, serverNode.processUp)
      : (deviceNodes[device.device].hostUp, deviceNodes[device.device].processUp)
  }

  // MARK: - Opening

  @inlinable
  mutating func open(_ device: NodeID, _ port: Port) {
    guard links.count < Int(UInt16.max) else {
      // More links than a run can number: a storm of days.
      record.ledger.inconclusive = .eventLimit
      return
    }
    let link = LinkID(UInt16(links.count))
    links.append(Link(device: device, port: port, at: now))
    if port.isStanding {
      devices[device.device].link = link
      devices[device.device].lastConnect = now
      record.ledger.devices[device.device].connects &+= 1
      countConnect(of: device.device)
    }
    if tracing { note(.opening(port), device: device, link: link) }
    queue.push(
      Event(.connect(attempt: 0), device: device, link: link, departed: now), at: now + oneWay)
  }

  @inlinable
  mutating func arriveConnect(_ event: Event<Message>, _ attempt: UInt8) {
    let index = Int(event.link.index)
    guard links[index].client == .opening else { return }
    let device = event.device
    if attempt > 0, tracing { note(.openingAgain, device: device, link: event.link) }
    let answerLost = isLost(device, to: .client, departed: now)
    if isLost(device, to: .server, departed: event.departed) || answerLost || !serverNode.hostUp {
      // RFC 6298: SYN again after 1 s, doubling; Linux gives up after six (127 s).
      if attempt >= 6 {
        let left = Nanoseconds.seconds(1) * (1 << UInt64(attempt))
        queue.push(Event(.connectTimedOut, device: device, link: event.link), at: now + left)
        return
      }
      let again = event.departed + .seconds(1) * (1 << UInt64(attempt))
      queue.push(
        Event(
          .connect(attempt: attempt + 1), device: device, link: event.link, departed: again),
        at: max(again + oneWay, now))
      return
    }
    let refused = !serverNode.processUp || devices[device.device].refusedUntil > now
    queue.push(
      Event(refused ? .refused : .connected, device: device, link: event.link), at: now + oneWay)
  }

  @inlinable
  mutating func conclude(_ event: Event<Message>) {
    let index = Int(event.link.index)
    guard admitted(event, to: .client), links[index].client == .opening,
      deviceNodes[event.device.device].processUp
    else { return }
    if case .connected = event.what {
      links[index].client = .open
      links[index].lastActivity = now
      record.mix(now.nanoseconds ^ 0xc0)
      if tracing { note(.opened(.client), device: event.device, link: event.link) }
      deliver(
        .opened(event.link, links[index].port), to: .client, device: event.device,
        link: event.link)
      // The handshake's last ACK mostly travels with the first message; alone if there is none.
      if links[index].toServer.sent == 0, links[index].client == .open {
        queue.push(
          Event(.accepted, device: event.device, link: event.link, departed: now), at: now + oneWay)
      }
      return
    }
    links[index].client = .closed
    links[index].server = .closed
    var failure = OpenFailure.refused
    if case .connectTimedOut = event.what { failure = .timedOut }
    if tracing { note(.openFailed(failure), device: event.device, link: event.link) }
    deliver(
      .openFailed(failure, links[index].port), to: .client, device: event.device, link: nil)
  }

  /// The server's program is told of the connection.
  @inlinable
  mutating func accept(_ event: Event<Message>) {
    let index = Int(event.link.index)
    guard links[index].server == .opening, serverNode.processUp else { return }
    links[index].server = .open
    if tracing { note(.opened(.server), device: event.device, link: event.link) }
    deliver(
      .opened(event.link, links[index].port), to: .server, device: event.device,
      link: event.link)
  }

  // MARK: - Sending

  @inlinable
  mutating func send(_ message: Message, by side: Side, on link: LinkID) {
    let index = Int(link.index)
    let device = links[index].device
    if hasMessageAnchors || devices[device.device].cutNext
      || devices[device.device].delayNext > .zero
    {
      guard strikeBeforeSending(message, by: side, on: link) else { return }
    }
    // A program that writes to what it knows to be closed gets an error; nothing reaches the wire.
    guard links[index].view(side) == .open else { return }
    record.messages &+= 1
    let delay =
      (side == .client ? path.deviceDelay : path.serverDelay) + devices[device.device].delayNext
    devices[device.device].delayNext = .zero
    let departed = now + delay
    touch(link, by: side, at: departed)
    if tracing { note(.wrote(side), device: device, link: link, message: message) }
    watcher.see(
      .wrote(message, by: side, link: link, peerHadClosed: links[index].peerOver(at: side)),
      device: device, at: now, ledger: &record.ledger)
    let sequence = enqueue(index, to: side.peer, departed: departed)
    queue.push(
      Event(
        .arrival(message, to: side.peer, sequence: sequence, attempt: 0), device: device,
        link: link, departed: departed),
      at: raiseFloor(index, to: side.peer, departed + oneWay))
  }

  /// Numbers a segment of a flow.
  @inlinable @inline(__always)
  mutating func enqueue(_ index: Int, to side: Side, departed: Instant) -> UInt32 {
    if side == .server {
      links[index].toServer.sent &+= 1
      if links[index].toServer.unacknowledgedSince == .never {
        links[index].toServer.unacknowledgedSince = departed
      }
      return links[index].toServer.sent
    }
    links[index].toClient.sent &+= 1
    if links[index].toClient.unacknowledgedSince == .never {
      links[index].toClient.unacknowledgedSince = departed
    }
    return links[index].toClient.sent
  }

  /// Nothing of the flow arrives before what was sent earlier.
  /// - Returns: the time, put off as far as that demands.
  @inlinable @inline(__always)
  mutating func raiseFloor(_ index: Int, to side: Side, _ time: Instant) -> Instant {
    if side == .server {
      links[index].toServer.floor = max(links[index].toServer.floor, time)
      return links[index].toServer.floor
    }
    links[index].toClient.floor = max(links[index].toClient.floor, time)
    return links[index].toClient.floor
  }

  /// Traffic keeps a middlebox's mapping alive; after too long a silence it is gone.
  @inlinable
  mutating func touch(_ link: LinkID, by side: Side, at time: Instant) {
    let index = Int(link.index)
    if time - links[index].lastActivity > path.natTimeout, !links[index].forgotten {
      forget(link, resets: path.natResets)
    }
    links[index].lastActivity = time
    if links[index].forgotten, links[index].forgetResets, side == .client {
      queue.push(Event(.reset(to: .client), device: links[index].device, link: link), at: time)
    }
  }

  @inlinable
  mutating func forget(_ link: LinkID, resets: Bool) {
    let index = Int(link.index)
    links[index].forgotten = true
    links[index].forgetResets = resets
    kill(path: link)
  }

  /// From now on nothing passes on this connection, either way, for ever.
  @inlinable
  mutating func kill(path link: LinkID) {
    block(link)
    watchWithProbes(link)
  }

  /// What leaves from now on, either way, vanishes.
  @inlinable
  mutating func block(_ link: LinkID) {
    let index = Int(link.index)
    if tracing, min(links[index].toServer.deadFrom, links[index].toClient.deadFrom) > now {
      note(.pathLost, device: links[index].device, link: link)
    }
    links[index].toServer.deadFrom = min(links[index].toServer.deadFrom, now)
    links[index].toClient.deadFrom = min(links[index].toClient.deadFrom, now)
  }

  /// The server's TCP keep-alive, where the scenario has one, finds a dead path.
  @inlinable
  mutating func watchWithProbes(_ link: LinkID) {
    guard path.keepAliveIdle != .forever else { return }
    let found =
      links[Int(link.index)].lastActivity + path.keepAliveIdle
      + path.keepAliveInterval * UInt64(path.keepAliveCount)
    queue.push(
      Event(.probesFailed, device: links[Int(link.index)].device, link: link),
      at: max(found, now))
  }

  // MARK: - Arriving

  /// Whether the segment can be taken now; if not, it has been put back or dropped.
  @inlinable @inline(__always)
  mutating func passes(
    _ event: Event<Message>, to side: Side, _ sequence: UInt32, _ attempt: UInt8
  ) -> Bool {
    let index = Int(event.link.index)
    if losses.isEmpty {
      // The usual case, decided by four comparisons and without a copy.
      if side == .server {
        if sequence == links[index].toServer.arrived &+ 1, serverNode.hostUp,
          event.departed < links[index].toServer.deadFrom
        {
          return true
        }
      } else if sequence == links[index].toClient.arrived &+ 1,
        deviceNodes[event.device.device].hostUp, event.departed < links[index].toClient.deadFrom
      {
        return true
      }
    }
    return passesAfterAll(event, to: side, sequence, attempt)
  }

  @inlinable @inline(never)
  mutating func passesAfterAll(
    _ event: Event<Message>, to side: Side, _ sequence: UInt32, _ attempt: UInt8
  ) -> Bool {
    let index = Int(event.link.index)
    let flow = links[index].flow(to: side)
    let senderView = links[index].view(side.peer)
    if attempt > 0, flow.abandoned { return false }
    if sequence != flow.arrived &+ 1, links[index].view(side) != .closed {
      // What it waits for was dropped for good: nothing behind it arrives either.
      if flow.abandoned { return false }
      // Behind one that is being retransmitted: in order means waiting for it.
      queue.putBack(at: max(flow.floor, now))
      return false
    }
    let lost =
      event.departed >= flow.deadFrom
      || isLost(event.device, to: side, departed: event.departed)
      || !isUp(side, event.device).host
    guard lost else { return true }
    // A host that is gone retransmits nothing, nor does one that has sent RST.
    guard isUp(side.peer, event.device).host, !flow.abandoned else {
      abandon(index, to: side)
      return false
    }
    let since = flow.unacknowledgedSince == .never ? event.departed : flow.unacknowledgedSince
    let again = event.departed + retransmissionDelay(after: attempt)
    if again - since >= path.userTimeout {
      if senderView == .open {
        queue.push(
          Event(
            .awaitAcknowledgement(by: side.peer, attempt: .max), device: event.device,
            link: event.link), at: max(since + path.userTimeout, now))
      }
      abandon(index, to: side)
      return false
    }
    links[index].lastActivity = max(links[index].lastActivity, again)
    if tracing { note(.retransmitted(side.peer), device: event.device, link: event.link) }
    _ = raiseFloor(index, to: side, again + oneWay)
    requeue(event, attempt: attempt &+ 1, to: side, departed: again, at: again + oneWay)
    return false
  }

  /// Nothing of the flow is sent again.
  @inlinable
  mutating func abandon(_ index: Int, to side: Side) {
    if side == .server {
      links[index].toServer.abandoned = true
    } else {
      links[index].toClient.abandoned = true
    }
  }

  @inlinable
  mutating func requeue(
    _ event: Event<Message>, attempt: UInt8, to side: Side, departed: Instant, at time: Instant
  ) {
    var again = event
    again.departed = max(departed, event.departed)
    switch event.what {
    case .arrival(let message, let side, let sequence, _):
      again.what = .arrival(message, to: side, sequence: sequence, attempt: attempt)
    case .finish(let side, let sequence, _):
      again.what = .finish(to: side, sequence: sequence, attempt: attempt)
    case .reset, .connect, .connected, .accepted, .refused, .connectTimedOut,
      .awaitAcknowledgement, .probesFailed, .aborted, .timer, .action, .credential,
      .credentialExpired, .revoked, .launch,
      .strike, .resumed:
      preconditionFailure("only segments are in sequence")
    }
    queue.push(again, at: max(time, now))
  }

  @inlinable
  mutating func advance(_ index: Int, to side: Side, _ event: Event<Message>) {
    let answerLost = !losses.isEmpty && isLost(event.device, to: side.peer, departed: now)
    if side == .server {
      links[index].toServer.arrived &+= 1
      links[index].toServer.floor = max(links[index].toServer.floor, now)
      if !answerLost, links[index].toServer.arrived == links[index].toServer.sent {
        links[index].toServer.unacknowledgedSince = .never
      }
    } else {
      links[index].toClient.arrived &+= 1
      links[index].toClient.floor = max(links[index].toClient.floor, now)
      if !answerLost, links[index].toClient.arrived == links[index].toClient.sent {
        links[index].toClient.unacknowledgedSince = .never
      }
    }
    guard answerLost else { return }
    // The data is there, the sender can't know: it goes on retransmitting until an ACK comes back.
    queue.push(
      Event(
        .awaitAcknowledgement(by: side.peer, attempt: 1), device: event.device, link: event.link,
        departed: now), at: now + retransmissionDelay(after: 0))
  }

  @inlinable
  mutating func awaitAcknowledgement(_ event: Event<Message>, by side: Side, _ attempt: UInt8) {
    let index = Int(event.link.index)
    if attempt == .max {
      giveUp(event, at: side)
      return
    }
    guard links[index].view(side) == .open else { return }
    let flow = links[index].flow(to: side.peer)
    guard flow.unacknowledgedSince != .never, flow.arrived == flow.sent else { return }
    let dead = flow.deadFrom <= now
    let lost =
      dead || isLost(event.device, to: side.peer, departed: now)
      || isLost(event.device, to: side, departed: now + oneWay)
    guard lost else {
      if side.peer == .server {
        links[index].toServer.unacknowledgedSince = .never
      } else {
        links[index].toClient.unacknowledgedSince = .never
      }
      return
    }
    let again = now + retransmissionDelay(after: attempt)
    if again - flow.unacknowledgedSince >= path.userTimeout {
      giveUp(event, at: side)
      return
    }
    var later = event
    later.what = .awaitAcknowledgement(by: side, attempt: min(attempt &+ 1, 250))
    queue.push(later, at: again)
  }

  @inlinable
  mutating func arrive(
    _ event: Event<Message>, _ message: Message, at side: Side, _ sequence: UInt32,
    _ attempt: UInt8
  ) {
    let index = Int(event.link.index)
    if !event.deferred {
      guard passes(event, to: side, sequence, attempt) else { return }
      if side == .server { accept(event) }
      guard links[index].view(side) == .open else {
        answerWithReset(event, from: side)
        return
      }
      advance(index, to: side, event)
      watcher.see(
        .transportAcknowledged(message, by: side, link: event.link), device: event.device, at: now,
        ledger: &record.ledger)
      if tracing { note(.arrived(side), device: event.device, link: event.link, message: message) }
    }
    guard admitted(event, to: side), links[index].view(side) == .open else { return }
    record.mix(
      now.nanoseconds << 16 ^ UInt64(message.publication) << 8
        ^ UInt64(message.kind) << 1 | UInt64(side.rawValue))
    watcher.see(
      .got(message, by: side, link: event.link), device: event.device, at: now,
      ledger: &record.ledger)
    if links[index].clientBelieves != links[index].serverBelieves { noteLife(index, to: side) }
    deliver(.message(message, event.link), to: side, device: event.device, link: event.link)
  }

  /// Data for a socket that is not there any more: the host answers with RST.
  @inlinable
  mutating func answerWithReset(_ event: Event<Message>, from side: Side) {
    let index = Int(event.link.index)
    guard links[index].view(side.peer) == .open else { return }
    guard !isLost(event.device, to: side.peer, departed: now),
      now < links[index].flow(to: side.peer).deadFrom
    else {
      // The RST is lost; the next retransmission meets the same.
      let again = event.departed + retransmissionDelay(after: 1)
      _ = raiseFloor(index, to: side, again + oneWay)
      requeue(event, attempt: 1, to: side, departed: again, at: again + oneWay)
      return
    }
    queue.push(
      Event(.reset(to: side.peer), device: event.device, link: event.link, departed: now),
      at: now + oneWay)
  }
}
