public import BasicContainers
public import Custody
public import Timeline

// How connections end, differently at each end.
extension World {
  @inlinable
  mutating func close(_ link: LinkID, by side: Side, reset: Bool) {
    let index = Int(link.index)
    guard links[index].view(side) != .closed else { return }
    let device = links[index].device
    let wasOpening = links[index].client == .opening
    if tracing { note(.closing(side, reset: reset), device: device, link: link) }
    links[index].setView(side, .closed)
    watcher.see(.linkOver(link, side: side), device: device, at: now, ledger: &record.ledger)
    settleBelief(link, final: false)
    if wasOpening {
      links[index].server = .closed
      return
    }
    let delay = side == .client ? path.deviceDelay : path.serverDelay
    tellPeerOfEnd(index, by: side, reset: reset, at: now + delay)
  }

  /// FIN behind what was sent, or RST at once.
  @inlinable
  mutating func tellPeerOfEnd(_ index: Int, by side: Side, reset: Bool, at departed: Instant) {
    let link = LinkID(UInt16(index))
    let device = links[index].device
    if reset {
      abandon(index, to: side.peer)
      queue.push(
        Event(.reset(to: side.peer), device: device, link: link, departed: departed),
        at: departed + oneWay)
      return
    }
    let sequence = enqueue(index, to: side.peer, departed: departed)
    queue.push(
      Event(
        .finish(to: side.peer, sequence: sequence, attempt: 0), device: device, link: link,
        departed: departed),
      at: raiseFloor(index, to: side.peer, departed + oneWay))
  }

  @inlinable
  mutating func arriveFinish(
    _ event: Event<Message>, at side: Side, _ sequence: UInt32, _ attempt: UInt8
  ) {
    let index = Int(event.link.index)
    if !event.deferred {
      guard passes(event, to: side, sequence, attempt) else { return }
      advance(index, to: side, event)
      links[index].setPeerOver(at: side)
      if side == .server, links[index].server == .opening {
        // It came and went before the server's program looked.
        links[index].server = .closed
        return
      }
    }
    if admitted(event, to: side) { end(event, at: side, .finished) }
  }

  @inlinable
  mutating func arriveReset(_ event: Event<Message>, at side: Side) {
    let index = Int(event.link.index)
    if !event.deferred {
      // RST is sent once and not repeated.
      guard !isLost(event.device, to: side, departed: event.departed), isUp(side, event.device).host
      else { return }
      links[index].setPeerOver(at: side)
    }
    if admitted(event, to: side) { end(event, at: side, .reset) }
  }

  /// The program of `side` learns that its connection is over.
  @inlinable
  mutating func end(_ event: Event<Message>, at side: Side, _ cause: CloseCause) {
    let index = Int(event.link.index)
    if links[index].view(side) == .opening, side == .client {
      links[index].client = .closed
      deliver(
        .openFailed(.refused, links[index].port), to: .client, device: event.device, link: nil)
      return
    }
    guard links[index].view(side) == .open else {
      links[index].setView(side, .closed)
      return
    }
    links[index].setView(side, .closed)
    record.mix(now.nanoseconds << 8 ^ UInt64(cause.rawValue) << 1 ^ UInt64(side.rawValue))
    if tracing { note(.closed(side, cause), device: event.device, link: event.link) }
    watcher.see(
      .linkOver(event.link, side: side), device: event.device, at: now, ledger: &record.ledger)
    deliver(.closed(event.link, cause), to: side, device: event.device, link: event.link)
  }

  @inlinable
  mutating func giveUp(_ event: Event<Message>, at side: Side) {
    // Waiting for its node it stays what it is, and keeps its place.
    var last = event
    last.what = .awaitAcknowledgement(by: side, attempt: .max)
    guard event.deferred || links[Int(event.link.index)].view(side) == .open,
      admitted(last, to: side), links[Int(event.link.index)].view(side) == .open
    else { return }
    end(last, at: side, .timedOut)
  }
}
