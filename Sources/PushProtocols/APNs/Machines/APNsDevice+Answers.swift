internal import Simulation
internal import Timeline

extension APNsDevice {
  mutating func takeAnswer(
    _ message: APNsMessage, in slot: RequestSlot, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let request = requests[slot.index]
    guard request.state == .asked, message.topic == request.topic else {
      effects.append(.blame(rule: APNsConduct.unaskedAnswer.rawValue, request.link))
      failRequest(in: slot, at: clock, into: &effects)
      return
    }
    requests[slot.index].attempts = 0
    switch (message.what, request.what) {
    case (.registered, .register):
      takeRegistered(message, in: slot, at: clock, into: &effects)
    case (.saved, .save):
      outgoing.removeAll { $0.submission.publication == message.publication }
      ask(in: slot, at: clock, into: &effects)
    case (.changes, .fetch):
      takeChanges(message, in: slot, at: clock, into: &effects)
    case (.command, .idle), (.command, .result):
      takeCommand(message, in: slot, at: clock, into: &effects)
    default:
      effects.append(.blame(rule: APNsConduct.unaskedAnswer.rawValue, request.link))
      failRequest(in: slot, at: clock, into: &effects)
    }
  }

  private mutating func takeRegistered(
    _ message: APNsMessage, in slot: RequestSlot, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    if let index = place(of: message.topic) {
      subscriptions[index].registeredToken = message.token
      // What happened before nobody announced.
      if !policy.fetchesOnlyOnPush { subscriptions[index].isDue = true }
    }
    ask(in: slot, at: clock, into: &effects)
  }

  // MARK: - Synchronisation

  private mutating func takeChanges(
    _ message: APNsMessage, in slot: RequestSlot, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let request = requests[slot.index]
    guard let index = place(of: message.topic) else {
      ask(in: slot, at: clock, into: &effects)
      return
    }
    switch APNsStatus(rawValue: message.status) {
    case .changeTokenExpired:
      // The cache goes with the token: everything is fetched anew.
      if !policy.keepsExpiredCursor { subscriptions[index].cursor = 0 }
      again(in: slot, index, at: clock, into: &effects)
    case .rateLimited:
      waitForService(message, in: slot, index, at: clock, into: &effects)
    default:
      if !message.flags.contains(.isRegistered), !policy.believesRegistered {
        subscriptions[index].registeredToken = 0
      }
      apply(message, asked: request.cursor, in: slot, index, at: clock, into: &effects)
    }
  }

  /// Stores a change and, with it, how far this device is.
  private mutating func apply(
    _ message: APNsMessage, asked: UInt32, in slot: RequestSlot, _ index: Int, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    if policy.prefetchSkips {
      if message.publication != 0 {
        subscriptions[index].cursor &+= 1
        if asked &+ 1 == subscriptions[index].cursor {
          effects.append(.apply(publication: message.publication))
        }
      }
    } else if asked == subscriptions[index].cursor || slot != .prefetch {
      if policy.savesCursorFirst, message.publication != 0 {
        subscriptions[index].cursor = message.cursor
        unstoredChange(message.publication, message.topic, into: &effects)
      } else {
        // A race with a prefetch: what the other brought meanwhile is stored already.
        if message.publication != 0, asked >= subscriptions[index].cursor || asked == 0 {
          effects.append(.apply(publication: message.publication))
        }
        if asked == subscriptions[index].cursor { subscriptions[index].cursor = message.cursor }
      }
    }
    if message.flags.contains(.moreComing) {
      again(in: slot, index, at: clock, into: &effects)
    } else if slot == .prefetch {
      closeRequest(in: slot, into: &effects)
    } else {
      ask(in: slot, at: clock, into: &effects)
    }
  }

  private mutating func unstoredChange(
    _ publication: UInt16, _ topic: UInt16, into effects: inout Effects<APNsMessage>
  ) {
    unappliedChanges.append(publication)
    effects.setTimer(TimerKind.store, after: .milliseconds(200))
  }

  /// The next round of a catch-up. One that brings nothing new three times is given up for now.
  private mutating func again(
    in slot: RequestSlot, _ index: Int, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let request = requests[slot.index]
    let entry = subscriptions[index]
    if entry.cursor == request.cursor {
      requests[slot.index].idleRounds &+= 1
      if requests[slot.index].idleRounds >= 3, !policy.keepsExpiredCursor {
        subscriptions[index].isDue = slot != .prefetch
        failRequest(in: slot, at: clock, into: &effects)
        return
      }
    } else {
      requests[slot.index].idleRounds = 0
    }
    var message = APNsMessage(.fetch)
    message.identity = identity
    message.topic = entry.topic
    message.cursor = entry.cursor
    let isDue = entry.isDue
    send(message, in: slot, into: &effects)
    subscriptions[index].isDue = isDue
  }

  /// CKErrorRetryAfterKey: not before that, and then again.
  private mutating func waitForService(
    _ message: APNsMessage, in slot: RequestSlot, _ index: Int, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    closeRequest(in: slot, into: &effects)
    guard slot != .prefetch else { return }
    if policy.swallowsRateLimit { return }
    subscriptions[index].isDue = true
    let wait = policy.ignoresRetryAfter ? .milliseconds(100) : Nanoseconds(message.first)
    subscriptions[index].notBefore = clock.now + wait
    requests[slot.index].state = .pausing
    effects.setTimer(TimerKind.requestRetry(slot), after: wait)
  }

  // MARK: - Management

  private mutating func takeCommand(
    _ message: APNsMessage, in slot: RequestSlot, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    guard message.publication != 0 else {
      ask(in: slot, at: clock, into: &effects)
      return
    }
    var result = APNsMessage(.result)
    result.identity = identity
    result.topic = message.topic
    result.publication = message.publication
    if clock.now - .start < settings.lockedUntil {
      result.status = APNsStatus.notNow.rawValue
    } else if settings.failsEvery > 0, message.publication % settings.failsEvery == 0 {
      result.status = APNsStatus.failed.rawValue
    } else {
      effects.append(.apply(publication: message.publication))
    }
    send(result, in: slot, into: &effects)
  }

  /// The device is unlocked: commands that it could not carry out are asked for again.
  mutating func unlock(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard settings.asksAfterUnlock else { return }
    for index in subscriptions.indices where subscriptions[index].kind == .mdm {
      subscriptions[index].isDue = true
    }
    askServices(at: clock, into: &effects)
  }
}
