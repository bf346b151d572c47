public import BasicContainers
public import Custody
public import Timeline

extension World {
  // MARK: - Taking an event

  @inlinable
  mutating func handle(_ event: Event<Message>) {
    switch event.what {
    case .arrival(let message, let side, let sequence, let attempt):
      arrive(event, message, at: side, sequence, attempt)
    case .finish(let side, let sequence, let attempt):
      arriveFinish(event, at: side, sequence, attempt)
    case .reset(let side):
      arriveReset(event, at: side)
    case .connect(let attempt):
      arriveConnect(event, attempt)
    case .connected, .refused, .connectTimedOut:
      conclude(event)
    case .accepted:
      accept(event)
    case .awaitAcknowledgement(let side, let attempt):
      awaitAcknowledgement(event, by: side, attempt)
    case .probesFailed:
      giveUp(event, at: .server)
    case .aborted:
      if admitted(event, to: .client) { end(event, at: .client, .aborted) }
    case .timer(let side, let timer):
      fire(event, timer, of: side)
    case .action(let action):
      // In the calm everybody is to be there; a farewell from before it came too late.
      let isLate =
        inCalm
        && (action == .disconnect
          || (action == .connect && !devices[event.device.device].wants))
      if admitted(event, to: .client), !isLate { take(action, on: event.device) }
    case .credential(let answer):
      receiveCredential(event, answer)
    case .credentialExpired:
      noteExpiry(of: event.device)
    case .revoked(let upTo):
      devices[event.device.device].revokedUpTo = upTo
      if admitted(event, to: .server), serverNode.processUp { tellOfRevocation(event.device) }
    case .launch(let side):
      launch(side, device: event.device)
    case .strike(let position):
      strikeTimed(position: position)
    case .resumed(let side):
      resume(side, event.device)
    }
  }

  /// Whether the node of the event can process it now; otherwise the event is put back to when the
  /// node can, behind everything that has come for the node before. Pauses, sleep and slowness all
  /// pass here.
  @inlinable @inline(__always)
  mutating func admitted(_ event: Event<Message>, to side: Side) -> Bool {
    if side == .server {
      if !event.deferred, serverNode.isIdle(at: now) { return true }
      return Self.admit(event, &serverNode, now: now, &queue)
    }
    let index = event.device.device
    if !event.deferred, deviceNodes[index].isIdle(at: now) { return true }
    return Self.admit(event, &deviceNodes[index], now: now, &queue)
  }

  @inlinable
  static func admit(
    _ event: Event<Message>, _ node: inout Node, now: Instant, _ queue: inout EventQueue<Message>
  ) -> Bool {
    var at = now
    if event.deferred {
      guard event.life == node.life else { return false }
      node.waiting &-= 1
      if node.pausedUntil <= now { return true }
      at = node.pausedUntil
    } else {
      // Behind those that wait already, even when the pause has been prolonged since: they are put
      // back in their order when their time comes.
      if node.pausedUntil > now, node.waiting == 0 { at = node.pausedUntil }
      if node.slowUntil > now { at = max(at, now + node.slowBy) }
      if node.waiting > 0 { at = max(at, node.floor) }
      if at == now, node.waiting == 0 { return true }
    }
    var later = event
    if !event.deferred {
      later.place = queue.reservePlace()
      if node.waiting == 0 { node.behindSince = now }
    }
    later.deferred = true
    later.life = node.life
    node.waiting &+= 1
    // Others may wait longer already, and whatever comes next goes behind them all.
    node.floor = max(node.floor, at)
    queue.push(later, at: at, order: later.place)
    return false
  }

  // MARK: - Driving a machine

  /// Gives a machine one input and does what it asks for.
  @inlinable
  mutating func deliver(_ input: Input<Message>, to side: Side, device: NodeID, link: LinkID?) {
    effects.clear()
    if side == .server {
      let clock = Clock(now: now, wall: wall(of: .server))
      server.receive(input, at: clock, into: &effects)
    } else {
      let clock = Clock(now: now, wall: wall(of: .client, device: device.device))
      clients[device.device].receive(input, at: clock, into: &effects)
    }
    var index = 0
    while index < effects.count {
      apply(effects[index], of: side, device: device)
      // A fault at a message may end the program in the middle of its reaction.
      if !isUp(side, device).process { break }
      index &+= 1
    }
    if let link {
      settleBelief(link, final: false)
      observeStates(device: links[Int(link.index)].device, link: link)
    } else if !device.isServer {
      let current = devices[device.device].link
      observeStates(device: device, link: current.index == .max ? nil : current)
    }
  }

  @inlinable
  mutating func apply(_ effect: Effect<Message>, of side: Side, device: NodeID) {
    switch effect {
    case .open(let port):
      if side == .client { open(device, port) }
    case .send(let message, let link):
      send(message, by: side, on: link)
    case .close(let link):
      close(link, by: side, reset: false)
    case .reset(let link):
      close(link, by: side, reset: true)
    case .setTimer(let timer, let delay):
      setTimer(timer, after: delay, side, device)
    case .cancelTimers(let kinds, let subject):
      if side == .server {
        serverNode.cancelTimers(kinds, of: subject)
      } else {
        deviceNodes[device.device].cancelTimers(kinds, of: subject)
      }
    case .requestCredential:
      requestCredential(device)
    case .handOver(let publication):
      if tracing { note(.handedOver, device: device, link: nil, publication: publication) }
      watcher.see(
        .handedOver(publication: publication), device: device, at: now, ledger: &record.ledger)
    case .apply(let publication):
      if tracing { note(.applied, device: device, link: nil, publication: publication) }
      watcher.see(
        .applied(publication: publication), device: device, at: now, ledger: &record.ledger)
    case .countDone(let publication, let receiver):
      if tracing { note(.countedDone(side), device: device, link: nil, publication: publication) }
      watcher.see(
        .countedDone(publication: publication, receiver: receiver, by: side), device: device,
        at: now, ledger: &record.ledger)
    case .drop(let publication, let receiver, let reason):
      if tracing {
        note(.dropped(side, reason), device: device, link: nil, publication: publication)
      }
      watcher.see(
        .dropped(publication: publication, receiver: receiver, reason, by: side),
        device: device, at: now, ledger: &record.ledger)
    case .giveUp(let reason):
      if tracing { note(.gaveUp(reason), device: device, link: nil) }
      if side == .client, reason == .refusedForGood || reason == .credentialRefused {
        devices[device.device].isRefusedForGood = true
      }
      watcher.see(.gaveUp(reason), device: device, at: now, ledger: &record.ledger)
    case .blame(let rule, let link):
      if tracing { note(.blamed(side, rule: rule), device: device, link: link) }
    }
  }

  // MARK: - Timers

  @inlinable
  mutating func setTimer(_ timer: TimerID, after delay: Nanoseconds, _ side: Side, _ device: NodeID)
  {
    let event = Event<Message>(.timer(side, timer), device: side == .server ? .server : device)
    if side == .server {
      Self.arm(timer, event, at: now + delay, &serverNode, &queue)
    } else {
      Self.arm(timer, event, at: now + delay, &deviceNodes[device.device], &queue)
    }
  }

  /// A timer that is pushed back often (keep-alive) stays one event in the queue: an earlier event
  /// finds the later deadline and goes on waiting.
  @inlinable
  static func arm(
    _ timer: TimerID, _ event: Event<Message>, at deadline: Instant, _ node: inout Node,
    _ queue: inout EventQueue<Message>
  ) {
    let slot = Node.slot(of: timer)
    node.reach(slot)
    node.deadlines[slot] = deadline
    guard deadline != .never, node.queued[slot] > deadline else { return }
    node.queued[slot] = deadline
    queue.push(event, at: deadline)
  }

  @inlinable
  mutating func fire(_ event: Event<Message>, _ timer: TimerID, of side: Side) {
    let slot = Node.slot(of: timer)
    let due: Bool
    if side == .server {
      due = event.deferred || Self.isDue(slot, &serverNode, now: now, &queue)
    } else {
      due =
        event.deferred || Self.isDue(slot, &deviceNodes[event.device.device], now: now, &queue)
    }
    guard due, admitted(event, to: side) else { return }
    // While it waited for its node, the timer may have been set anew or cancelled.
    if side == .server {
      guard serverNode.deadlines[slot] <= now else { return }
      serverNode.deadlines[slot] = .never
    } else {
      guard deviceNodes[event.device.device].deadlines[slot] <= now else { return }
      deviceNodes[event.device.device].deadlines[slot] = .never
    }
    record.mix(now.nanoseconds << 8 | UInt64(timer.kind) << 1 | UInt64(side.rawValue))
    if tracing { note(.timer(side, timer), device: event.device, link: nil) }
    deliver(.timer(timer), to: side, device: event.device, link: nil)
  }

  @inlinable
  static func isDue(
    _ slot: Int, _ node: inout Node, now: Instant, _ queue: inout EventQueue<Message>
  ) -> Bool {
    // Another event of the timer was queued for an earlier time: this one is left over.
    guard slot < node.queued.count, node.queued[slot] == now else { return false }
    node.queued[slot] = .never
    let deadline = node.deadlines[slot]
    guard deadline != .never else { return false }
    if deadline > now {
      node.queued[slot] = deadline
      queue.putBack(at: deadline)
      return false
    }
    return true
  }

  // MARK: - Steps

  @inlinable
  mutating func perform(_ step: Step) {
    if tracing { note(.action(step.action), device: step.node, link: nil) }
    guard !step.node.isServer, step.node.device < devices.count else { return }
    let index = step.node.device
    switch step.action {
    case .connect:
      devices[index].wants = true
    case .disconnect:
      devices[index].wants = false
    case .subscribe, .unsubscribe:
      break  // Once the program takes it.
    case .submit(let submission):
      devices[index].lastSubmission = submission
    case .sleep:
      var wake = Instant.never
      for later in scenario.steps[nextStep...] where later.node == step.node {
        if later.action == .wake || later.action == .launch {
          wake = later.time
          break
        }
      }
      pause(.client, index, until: wake)
      return
    case .wake:
      return
    case .kill(let host):
      die(.client, index, host: host)
      return
    case .launch:
      if !deviceNodes[index].processUp { launch(.client, device: step.node) }
      return
    }
    let event = Event<Message>(.action(step.action), device: step.node)
    guard deviceNodes[index].processUp else {
      watcher.see(
        .action(step.action, reached: false), device: step.node, at: now, ledger: &record.ledger)
      return
    }
    if admitted(event, to: .client) { take(step.action, on: event.device) }
  }

  /// The program takes what the app wants, and a program that starts again is told again.
  @inlinable
  mutating func take(_ action: Action, on device: NodeID) {
    if deviceNodes[device.device].processUp {
      switch action {
      case .subscribe(let topic, let quality):
        devices[device.device].everSubscribed = true
        subscriptions.removeAll { $0.device == device && $0.topic == topic }
        subscriptions.append((device, topic, quality))
      case .unsubscribe(let topic):
        subscriptions.removeAll { $0.device == device && $0.topic == topic }
      case .connect, .disconnect, .submit, .sleep, .wake, .kill, .launch:
        break
      }
    }
    act(action, on: device)
  }

  @inlinable
  mutating func act(_ action: Action, on device: NodeID) {
    let up = deviceNodes[device.device].processUp
    watcher.see(.action(action, reached: up), device: device, at: now, ledger: &record.ledger)
    if up { deliver(.action(action), to: .client, device: device, link: nil) }
  }
}
