public import BasicContainers
public import Custody
public import Timeline

extension World {
  // MARK: - Pauses

  @inlinable
  mutating func pause(_ side: Side, _ index: Int, until: Instant) {
    if side == .server {
      Self.pause(&serverNode, until: until, now: now)
    } else if index < deviceNodes.count {
      Self.pause(&deviceNodes[index], until: until, now: now)
    }
    let device = side == .server ? NodeID.server : NodeID(device: index)
    if tracing { note(.paused(side), device: device, link: nil) }
    if until != .never { queue.push(Event(.resumed(side), device: device), at: until) }
  }

  @inlinable
  static func pause(_ node: inout Node, until: Instant, now: Instant) {
    // A pause that ends at this very instant is over, though nobody has noted it yet.
    _ = resume(&node, now: now)
    if node.pausedUntil <= now { node.pausedSince = now }
    node.pausedUntil = max(node.pausedUntil, until)
  }

  @inlinable
  mutating func resume(_ side: Side, _ device: NodeID) {
    let over: Bool
    if side == .server {
      over = Self.resume(&serverNode, now: now)
    } else {
      over = Self.resume(&deviceNodes[device.device], now: now)
    }
    if over, tracing { note(.resumed(side), device: device, link: nil) }
  }

  @inlinable
  static func resume(_ node: inout Node, now: Instant) -> Bool {
    guard node.pausedUntil <= now, node.pausedSince != .never else { return false }
    node.pausedTotal = node.pausedTotal + (now - node.pausedSince)
    node.pausedSince = .never
    return true
  }

  /// How long the node has been paused in all so far.
  @inlinable @inline(__always)
  func pausedTotal(of side: Side, _ device: NodeID) -> Nanoseconds {
    side == .server
      ? serverNode.pausedTotal(at: now) : deviceNodes[device.device].pausedTotal(at: now)
  }

  // MARK: - Death and launch

  /// The program ends. With its kernel alive its peers are told (RST where input was unread, else
  /// FIN); with the host gone nobody is.
  @inlinable
  mutating func die(_ side: Side, _ index: Int, host: Bool) {
    let device = side == .server ? NodeID.server : NodeID(device: index)
    if !host, !isUp(side, device).process { return }
    if tracing { note(.died(side), device: device, link: nil) }
    var unread = side == .server
    if side == .client {
      unread = deviceNodes[index].pausedUntil > now || deviceNodes[index].waiting > 0
    }
    for position in links.indices
    where side == .server || links[position].device == device {
      // A host that is gone retransmits nothing, not even for a program that has closed.
      if host { abandon(position, to: side.peer) }
      guard links[position].view(side) != .closed else { continue }
      let wasOpen = links[position].view(side) == .open
      links[position].setView(side, .closed)
      let link = LinkID(UInt16(position))
      watcher.see(
        .linkOver(link, side: side), device: links[position].device, at: now,
        ledger: &record.ledger)
      settleBelief(link, final: false)
      if host {
        watchWithProbes(link)
      } else if wasOpen {
        tellPeerOfEnd(position, by: side, reset: unread, at: now)
      }
    }
    if side == .server {
      Self.die(&serverNode, host: host, now: now)
      server.crash()
    } else {
      Self.die(&deviceNodes[index], host: host, now: now)
      clients[index].crash()
      watcher.see(.clientDied, device: device, at: now, ledger: &record.ledger)
    }
  }

  @inlinable
  static func die(_ node: inout Node, host: Bool, now: Instant) {
    if node.pausedUntil > now { node.pausedUntil = now }
    // What waited for this program never reaches another.
    node.life &+= 1
    node.waiting = 0
    node.floor = now
    _ = resume(&node, now: now)
    node.processUp = false
    if host { node.hostUp = false }
    node.cancelAllTimers()
  }

  @inlinable
  mutating func launch(_ side: Side, device: NodeID) {
    if side == .server {
      guard !serverNode.processUp else { return }
      serverNode.processUp = true
      serverNode.hostUp = true
      if tracing { note(.launched(.server), device: .server, link: nil) }
      deliver(.launched, to: .server, device: .server, link: nil)
      for index in devices.indices where devices[index].revokedUpTo != .start {
        tellOfRevocation(NodeID(device: index))
      }
      return
    }
    let index = device.device
    guard !deviceNodes[index].processUp else { return }
    deviceNodes[index].processUp = true
    deviceNodes[index].hostUp = true
    if tracing { note(.launched(.client), device: device, link: nil) }
    forgiveBudgets(of: index)
    deliver(.launched, to: .client, device: device, link: nil)
    if devices[index].wants { act(.connect, on: device) }
    // By position: an app's reaction could not add to the list, but a copy would allocate.
    var position = 0
    while position < subscriptions.count {
      let wanted = subscriptions[position]
      position += 1
      if wanted.device == device {
        act(.subscribe(topic: wanted.topic, quality: wanted.quality), on: device)
      }
    }
  }

  /// Told when the server is up: a service that is down catches up afterwards.
  @inlinable
  mutating func tellOfRevocation(_ device: NodeID) {
    let upTo = devices[device.device].revokedUpTo
    devices[device.device].revokedUpTo = .start
    deliver(
      .revoked(identity: identities[device.device], upTo: upTo), to: .server, device: device,
      link: nil)
  }

  // MARK: - The calm

  /// The last step and the last fault are over: the network heals, everything is switched on, and
  /// every subscriber comes back once, so that what is owed can be delivered.
  @inlinable
  mutating func beginCalm() {
    now = max(now, disturbedUntil)
    inCalm = true
    armed.removeAll(keepingCapacity: true)
    losses.removeAll(keepingCapacity: true)
    hasMessageAnchors = false
    hasStateAnchors = false
    record.mix(now.nanoseconds ^ 0xca)
    if tracing { note(.calm, device: .server, link: nil) }
    // Clocks are set right again: a server far ahead would refuse every credential for ever.
    serverNode.skewForward = .zero
    serverNode.skewBackward = .zero
    for index in devices.indices {
      deviceNodes[index].skewForward = .zero
      deviceNodes[index].skewBackward = .zero
      devices[index].cutNext = false
      devices[index].delayNext = .zero
      if deviceNodes[index].pausedUntil == .never {
        deviceNodes[index].pausedUntil = now
        deviceNodes[index].floor = now
        resume(.client, NodeID(device: index))
      }
    }
    queue.release(at: now)
    for index in devices.indices { bringBack(index) }
  }

  /// Nothing is left that the rest of the calm could bring to light: every delivery is settled, as
  /// far as it can be, nothing more will be owed, both ends of every connection believe the same,
  /// and everybody who wants a connection has one. Only keep-alives would follow. Never with
  /// credentials: their expiry is still to come.
  @inlinable @inline(__always)
  mutating func hasSettled(since calmBegan: Instant, until next: Instant) -> Bool {
    guard !hasCredentials, next - calmBegan > path.rtt * 8 + .seconds(2) else { return false }
    return settlesEverything()
  }

  @inlinable @inline(never)
  mutating func settlesEverything() -> Bool {
    guard watcher.nextObligation == .never, serverNode.isIdle(at: now), serverNode.processUp else {
      return false
    }
    for index in record.ledger.deliveries.indices {
      let row = record.ledger.deliveries[index]
      if row.quality > 0, row.facts.isDisjoint(with: DeliveryFacts.excused.union(.settled)),
        !isAsSettledAsCanBe(row)
      {
        return false
      }
      if row.facts.contains(.promisesApplication),
        row.facts.isDisjoint(with: [.applied, .released, .rejected])
      {
        return false
      }
    }
    for index in links.indices {
      let link = links[index]
      guard link.clientBelieves == link.serverBelieves,
        (link.client == .open) == (link.server == .open)
      else { return false }
    }
    for index in devices.indices {
      guard deviceNodes[index].isIdle(at: now) else { return false }
      if devices[index].wants {
        let link = devices[index].link
        guard link.index != .max, links[Int(link.index)].clientBelieves else { return false }
      }
    }
    return true
  }

  /// The receiver has it and has said so, and the one that is to learn or to forget of it is a
  /// device that stays offline: only a connection could change that.
  @inlinable
  mutating func isAsSettledAsCanBe(_ row: DeliveryRow) -> Bool {
    let device = row.receiver.isServer ? row.sender : row.receiver
    guard row.facts.isSuperset(of: [.acknowledged, .handedOver]), !device.isServer,
      device.device < devices.count, !devices[device.device].wants
    else { return false }
    let link = devices[device.device].link
    return link.index == .max || links[Int(link.index)].client == .closed
  }

  @inlinable
  mutating func bringBack(_ index: Int) {
    let device = NodeID(device: index)
    // Devices with one identity would fight for it for ever; the calm belongs to the last of them.
    for other in devices.indices
    where other != index && identities[other] == identities[index] {
      if (devices[other].lastConnect, other) > (devices[index].lastConnect, index),
        devices[other].wants || devices[other].everSubscribed
      {
        if devices[index].wants {
          devices[index].wants = false
          if deviceNodes[index].processUp { act(.disconnect, on: device) }
        }
        return
      }
    }
    if !deviceNodes[index].processUp {
      if devices[index].everSubscribed { devices[index].wants = true }
      launch(.client, device: device)
    } else if !devices[index].wants, devices[index].everSubscribed {
      devices[index].wants = true
      queue.push(Event(.action(.connect), device: device), at: now)
    }
  }
}
