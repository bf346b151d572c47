public import BasicContainers
public import Custody
public import Timeline

extension World {
  // MARK: - Arming

  @inlinable
  mutating func armFaults() {
    armed.removeAll(keepingCapacity: true)
    hasMessageAnchors = false
    anchoredKinds = (0, 0)
    hasStateAnchors = false
    disturbedUntil = .start
    for (position, fault) in scenario.faults.enumerated() {
      switch fault.anchor {
      case .at(let time):
        disturbedUntil = max(disturbedUntil, time)
      case .message(let sender, let kind, _):
        hasMessageAnchors = true
        let bit: UInt32 = 1 << UInt32(kind & 31)
        if sender == .client { anchoredKinds.client |= bit } else { anchoredKinds.server |= bit }
      case .state:
        hasStateAnchors = true
      }
      armed.append(ArmedFault(fault: fault, position: UInt8(truncatingIfNeeded: position)))
    }
    scheduleTimedFaults()
  }

  /// First in the queue, so that a fault strikes before the events of its instant.
  @inlinable
  mutating func scheduleTimedFaults() {
    for fault in armed {
      if case .at(let time) = fault.fault.anchor {
        queue.push(
          Event(.strike(position: fault.position), device: fault.fault.node), at: time)
      }
    }
  }

  // MARK: - Anchors

  /// Counts the message, strikes what is anchored at it.
  /// - Returns: whether the message may still be sent whole.
  @inlinable
  mutating func strikeBeforeSending(_ message: Message, by side: Side, on link: LinkID) -> Bool {
    let device = links[Int(link.index)].device
    var whole = true
    if devices[device.device].cutNext {
      devices[device.device].cutNext = false
      breakInside(message, by: side, on: link)
      whole = false
    }
    let base = device.device &* 64 &+ Int(side.rawValue) &* 32
    written[base] &+= 1
    let slot = base &+ Int(message.kind & 31)
    if slot != base { written[slot] &+= 1 }
    let anchored = side == .client ? anchoredKinds.client : anchoredKinds.server
    guard anchored & (1 | 1 << UInt32(message.kind & 31)) != 0 else { return whole }
    var index = 0
    while index < armed.count {
      let candidate = armed[index]
      if case .message(let sender, let kind, let ordinal) = candidate.fault.anchor,
        sender == side, candidate.fault.node == device || candidate.fault.node.isServer,
        kind == 0 || kind == message.kind, !inCalm,
        written[base &+ Int(kind & 31)] == ordinal
      {
        armed.remove(at: index)
        if case .cut = candidate.fault.kind {
          noteStrike(candidate, device)
          if whole { breakInside(message, by: side, on: link) }
          whole = false
        } else {
          strike(candidate, on: device)
          // Struck down before the message left: it never existed.
          if !isUp(side, device).process || links[Int(link.index)].view(side) != .open {
            whole = false
          }
        }
      } else {
        index &+= 1
      }
    }
    return whole
  }

  /// The first bytes of the message get out, the rest never will: both ends see a reset.
  @inlinable
  mutating func breakInside(_ message: Message, by side: Side, on link: LinkID) {
    let index = Int(link.index)
    let device = links[index].device
    guard links[index].view(side) == .open else { return }
    if tracing { note(.wrote(side), device: device, link: link, message: message) }
    watcher.see(
      .wrote(message, by: side, link: link, peerHadClosed: links[index].peerOver(at: side)),
      device: device, at: now, ledger: &record.ledger)
    resetFromMiddle(link, client: true, server: true)
    // If the reset gets lost: what got out is never acknowledged, so TCP gives up in the end.
    queue.push(
      Event(.awaitAcknowledgement(by: side, attempt: .max), device: device, link: link),
      at: now + path.userTimeout)
  }

  @inlinable
  mutating func resetFromMiddle(_ link: LinkID, client: Bool, server: Bool) {
    let device = links[Int(link.index)].device
    let half = oneWay / 2
    // Whatever is sent from now on meets a dead path.
    block(link)
    if client {
      queue.push(
        Event(.reset(to: .client), device: device, link: link, departed: now), at: now + half)
    }
    if server {
      queue.push(
        Event(.reset(to: .server), device: device, link: link, departed: now), at: now + half)
    }
    if !client || !server { watchWithProbes(link) }
  }

  @inlinable
  mutating func strikeAtState(_ state: UInt16, of side: Side, device: NodeID) {
    guard !inCalm else { return }
    var index = 0
    while index < armed.count {
      if case .state(let wanted, let value, let ordinal) = armed[index].fault.anchor,
        wanted == side, value == state,
        armed[index].fault.node == device || armed[index].fault.node.isServer
      {
        armed[index].seen &+= 1
        if armed[index].seen == ordinal {
          let fault = armed.remove(at: index)
          strike(fault, on: device)
          continue
        }
      }
      index &+= 1
    }
  }

  // MARK: - Striking

  @inlinable
  mutating func strikeTimed(position: UInt8) {
    guard let index = armed.firstIndex(where: { $0.position == position }) else { return }
    let fault = armed.remove(at: index)
    if fault.fault.node.isServer, !fault.fault.kind.isGlobal {
      for device in devices.indices { strike(fault, on: NodeID(device: device)) }
    } else {
      strike(fault, on: fault.fault.node)
    }
  }

  @inlinable
  mutating func noteStrike(_ fault: ArmedFault, _ device: NodeID) {
    if fault.position < 64 { record.faultsStruck |= 1 << UInt64(fault.position) }
    disturbedUntil = max(disturbedUntil, now)
    record.mix(now.nanoseconds ^ UInt64(fault.fault.kind.number) << 56)
    let state = device.isServer ? DeviceState() : devices[device.device]
    record.faultContexts.append(
      FaultEncounter(
        fault: UInt8(fault.fault.kind.number), clientState: state.clientState,
        serverState: state.serverState))
    if tracing { note(.fault(Int(fault.position)), device: device, link: nil) }
  }

  @inlinable
  mutating func disturb(for length: Nanoseconds) {
    disturbedUntil = max(disturbedUntil, now + length)
  }

  @inlinable
  mutating func strike(_ fault: ArmedFault, on device: NodeID) {
    noteStrike(fault, device)
    if !device.isServer, device.device >= devices.count { return }
    switch fault.fault.kind {
    case .pause(let side, let length):
      pause(side, device.device, until: now + length)
      disturb(for: length)
    case .slow(let side, let by, let length):
      // A reaction and two timers in a row may each be late.
      slack = slack + by * 3
      disturb(for: length + by)
      if side == .server {
        serverNode.slowBy = by
        serverNode.slowUntil = now + length
      } else if !device.isServer {
        deviceNodes[device.device].slowBy = by
        deviceNodes[device.device].slowUntil = now + length
      }
    case .clockJump(let side, let forward, let by):
      if side == .server {
        Self.jump(&serverNode, forward, by)
      } else if !device.isServer {
        Self.jump(&deviceNodes[device.device], forward, by)
      }
    case .restartServer(let downFor, let host, let wipe):
      disturb(for: downFor)
      let behindSince = serverNode.waiting > 0 ? serverNode.behindSince : now
      die(.server, 0, host: host)
      if wipe { server.wipe() }
      watcher.see(
        .serverDied(wiped: wipe, behindSince: behindSince), device: .server, at: now,
        ledger: &record.ledger)
      queue.push(Event(.launch(.server), device: .server), at: now + downFor)
    case .delay, .lose, .cut, .halfOpen, .reset, .forgetMapping, .changeNetwork, .refuse,
      .killClient, .resubmit:
      if !device.isServer { strikePath(fault.fault.kind, device) }
    case .expireCredential, .slowRefresh, .refuseRefresh, .staleRefresh, .loseRefresh,
      .throttleRefresh:
      if !device.isServer { strikeCredential(fault.fault.kind, device) }
    }
  }

  @inlinable
  static func jump(_ node: inout Node, _ forward: Bool, _ by: Nanoseconds) {
    if forward {
      node.skewForward = node.skewForward + by
    } else {
      node.skewBackward = node.skewBackward + by
    }
  }

  @inlinable
  mutating func strikePath(_ kind: FaultKind, _ device: NodeID) {
    let current = devices[device.device].link
    let hasLink = current.index != .max && links[Int(current.index)].client == .open
    switch kind {
    case .delay(let by):
      devices[device.device].delayNext = by
      slack = slack + by
      disturb(for: by)
    case .lose(let direction, let length):
      slack = slack + length  // The last retransmission may come as late again.
      losses.append(
        LossWindow(device: device, direction: direction, from: now, until: now + length))
      disturb(for: length)
    case .cut:
      if hasLink { devices[device.device].cutNext = true }
    case .halfOpen:
      if hasLink { kill(path: current) }
    case .reset(let client, let server):
      if hasLink { resetFromMiddle(current, client: client, server: server) }
    case .forgetMapping(let resets):
      if hasLink { forget(current, resets: resets) }
    case .changeNetwork:
      for index in links.indices
      where links[index].device == device && links[index].client != .closed {
        let link = LinkID(UInt16(index))
        kill(path: link)
        queue.push(Event(.aborted, device: device, link: link), at: now)
      }
    case .refuse(let length):
      devices[device.device].refusedUntil = now + length
      disturb(for: length)
    case .killClient(let downFor, let host):
      disturb(for: downFor)
      die(.client, device.device, host: host)
      queue.push(Event(.launch(.client), device: device), at: now + downFor)
    case .resubmit:
      resubmit(device)
    case .pause, .slow, .clockJump, .restartServer, .expireCredential, .slowRefresh,
      .refuseRefresh, .staleRefresh, .loseRefresh, .throttleRefresh:
      preconditionFailure("not a fault of a path")
    }
  }

  @inlinable
  mutating func resubmit(_ device: NodeID) {
    guard var submission = devices[device.device].lastSubmission else { return }
    submission.publication = 50_000 &+ extraPublications
    extraPublications &+= 1
    let event = Event<Message>(.action(.submit(submission)), device: device)
    queue.push(event, at: now)
  }
}

extension FaultKind {
  /// Concerns the server once, not each device.
  @inlinable var isGlobal: Bool {
    switch self {
    case .pause(let side, _), .slow(let side, _, _), .clockJump(let side, _, _):
      side == .server
    case .restartServer: true
    case .delay, .lose, .cut, .halfOpen, .reset, .forgetMapping, .changeNetwork, .refuse,
      .killClient, .resubmit, .expireCredential, .slowRefresh, .refuseRefresh, .staleRefresh,
      .loseRefresh, .throttleRefresh:
      false
    }
  }
}
