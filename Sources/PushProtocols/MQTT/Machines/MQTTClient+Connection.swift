internal import Custody
internal import Simulation
internal import Timeline

extension MQTTClient {
  /// How long a connection must have held for the next loss to count as the first.
  private static let stable = Nanoseconds.seconds(10)

  // MARK: - Opening

  /// Opens a connection, with a credential if the device uses them.
  mutating func start(at clock: Clock, into effects: inout Effects<MQTTMessage>) {
    guard wantsConnection else {
      phase = .idle
      return
    }
    if needsCredential(at: clock) {
      phase = .preparing
      askInTime(at: clock, into: &effects)
    } else {
      // Its timer went with the program, or with the app's wish to be offline.
      if settings.usesCredential { scheduleRefresh(at: clock, into: &effects) }
      open(into: &effects)
    }
  }

  mutating func open(into effects: inout Effects<MQTTMessage>) {
    phase = .opening
    allAttempts &+= 1
    effects.append(.open(.push))
  }

  mutating func begin(
    on link: LinkID, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    guard phase == .opening else {
      effects.append(.close(link))  // The app has disconnected meanwhile.
      return
    }
    self.link = link
    phase = .handshake
    var connect = MQTTMessage(.connect)
    connect.identity = identity
    connect.keepAlive = settings.keepAlive.wireSeconds
    connect.packet = settings.receiveMaximum
    connect.expiry = settings.sessionExpiry
    if settings.version5 { connect.flags.insert(.version5) }
    if settings.cleanStart { connect.flags.insert(.cleanStart) }
    if settings.willTopic != .max {
      connect.setWill(
        firstWillPublication &+ UInt16(truncatingIfNeeded: node.device),
        topic: settings.willTopic, quality: settings.willQuality, delay: settings.willDelay)
    }
    if settings.usesCredential {
      connect.flags.insert(.hasCredential)
      connect.credential = token.expires
      token.isFresh = false
    }
    effects.send(connect, on: link)
    effects.setTimer(TimerKind.handshake, after: settings.connectTimeout)
  }

  mutating func takeInHandshake(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    switch message.type {
    case .connack:
      if message.reason == 0 {
        enter(message, at: clock, into: &effects)
      } else {
        takeRefusal(message.reason, at: clock, into: &effects)
      }
    case .auth:
      guard settings.version5, settings.usesCredential else {
        breakOff(.connackFirst, at: clock, into: &effects)
        return
      }
      effects.send(.auth(.continueAuthentication, credential: token.expires), on: link)
    case .disconnect, .connect, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .suback,
      .unsubscribe, .unsuback, .pingreq, .pingresp:
      breakOff(.connackFirst, at: clock, into: &effects)
    }
  }

  private mutating func takeRefusal(
    _ reason: UInt8, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    // 3.1.1 has return codes 1…5, 5.0 reason codes.
    let code = MQTTReasonCode(reason)
    let concernsCredential =
      settings.version5
      ? code == .notAuthorized || code == .badUserNameOrPassword : reason == 4 || reason == 5
    let isFinal =
      settings.version5
      ? code == .unsupportedProtocolVersion || code == .clientIdentifierNotValid
        || code == .banned || code == .badAuthenticationMethod : reason == 1 || reason == 2
    if isFinal || (concernsCredential && !settings.usesCredential) {
      drop(into: &effects)
      giveUp(concernsCredential ? .credentialRefused : .refusedForGood, into: &effects)
      return
    }
    if concernsCredential { discardCredential(at: clock) }
    abandon(into: &effects)
  }

  private mutating func enter(
    _ connack: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    phase = .connected
    connectedAt = clock.now
    lastIn = clock.now
    lastOut = clock.now
    isPinging = false
    token.failures = 0
    if !policy.leaksWindowOnReconnect { inFlight = 0 }
    keepAlive =
      settings.version5 && connack.keepAlive != 0
      ? .seconds(UInt64(connack.keepAlive))
      : .seconds(UInt64(settings.keepAlive.wireSeconds))
    window = settings.maximumInFlight
    if settings.version5 { window = min(window, connack.packet) }
    effects.cancelTimer(TimerKind.handshake)
    if keepAlive != .zero { effects.setTimer(TimerKind.keepAlive, after: keepAlive) }
    let isResumed =
      connack.flags.contains(.sessionPresent)
      || (policy.ignoresSessionPresent && !settings.cleanStart)
    if !isResumed { dropSession(into: &effects) }
    requestWishes(into: &effects)
    resume(into: &effects)
    pump(into: &effects)
  }

  // MARK: - Keep-alive

  /// PINGREQ when one direction has been silent for the keep-alive time.
  mutating func keepConnectionAlive(at clock: Clock, into effects: inout Effects<MQTTMessage>) {
    guard phase == .connected, keepAlive != .zero else { return }
    let due = min(lastIn, lastOut) + keepAlive
    if !isPinging, due <= clock.now {
      isPinging = true
      lastOut = clock.now
      effects.send(MQTTMessage(.pingreq), on: link)
      effects.setTimer(TimerKind.pingTimeout, after: settings.pingTimeout)
    }
    let next = isPinging ? lastOut + keepAlive : due
    if isPinging, policy.ignoresMissingPingResponse, lastOut + keepAlive <= clock.now {
      lastOut = clock.now
      effects.send(MQTTMessage(.pingreq), on: link)
    }
    effects.setTimer(
      TimerKind.keepAlive, after: next > clock.now ? next - clock.now : keepAlive)
  }

  // MARK: - Ending

  /// The connection is over, not by this end.
  mutating func lose(
    _ cause: CloseCause, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let wasConnected = phase == .connected
    noteStability(at: clock)
    forgetConnection(into: &effects)
    if policy.givesUpAfterNetworkError, cause == .timedOut || cause == .aborted {
      giveUp(.tooManyAttempts, into: &effects)
    } else if wasConnected, policy.fightsForSession {
      start(at: clock, into: &effects)
    } else {
      scheduleRetry(into: &effects)
    }
  }

  /// This end doubts the connection: closes it and tries again later.
  mutating func abandon(at clock: Clock, into effects: inout Effects<MQTTMessage>) {
    noteStability(at: clock)
    abandon(into: &effects)
  }

  mutating func abandon(into effects: inout Effects<MQTTMessage>) {
    drop(into: &effects)
    scheduleRetry(into: &effects)
  }

  /// The peer broke a rule (MQTT 5.0 §4.13).
  mutating func breakOff(
    _ rule: MQTTConduct, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    effects.append(.blame(rule: rule.rawValue, link))
    if settings.version5, phase == .connected {
      effects.send(.disconnect(.protocolError), on: link)
    }
    abandon(at: clock, into: &effects)
  }

  /// The app wants to be offline.
  mutating func leave(into effects: inout Effects<MQTTMessage>) {
    switch phase {
    case .connected, .handshake:
      effects.send(.disconnect(.normalDisconnection), on: link)
      drop(into: &effects)
    case .idle, .preparing, .opening, .waiting, .takenOver:
      break  // Nothing to close; a connection that opens later is closed then.
    }
    effects.cancelTimers(TimerKind.retry, TimerKind.refresh)
    phase = .idle
    attempts = 0
  }

  mutating func takeDisconnect(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let code = MQTTReasonCode(message.reason)
    noteStability(at: clock)
    drop(into: &effects)
    if code == .sessionTakenOver {
      if policy.fightsForSession {
        start(at: clock, into: &effects)
        return
      }
      // It may have been the own older attempt, late on its way, so waiting for ever is wrong.
      if !settings.fightsTakeover, wantsConnection {
        phase = .takenOver
        effects.setTimer(TimerKind.retry, after: pause(after: .max))
        return
      }
    }
    if code == .notAuthorized || code == .badUserNameOrPassword { discardCredential(at: clock) }
    scheduleRetry(into: &effects)
  }

  mutating func giveUp(_ reason: GiveUpReason, into effects: inout Effects<MQTTMessage>) {
    phase = .idle
    hasGivenUp = true
    effects.append(.giveUp(reason))
  }

  /// Closes the connection if there is one.
  mutating func drop(into effects: inout Effects<MQTTMessage>) {
    effects.append(.close(link))
    forgetConnection(into: &effects)
  }

  private mutating func forgetConnection(into effects: inout Effects<MQTTMessage>) {
    link = Self.noLink
    isPinging = false
    token.isReplacing = false
    effects.cancelTimers(TimerKind.handshake, TimerKind.keepAlive, TimerKind.pingTimeout)
    for index in outgoing.indices { outgoing[index].sentHere = false }
    if policy.forgetsReceivedOnDisconnect { received.removeAll(keepingCapacity: true) }
    for index in wishes.indices {
      if wishes[index].state == .requested { wishes[index].state = .needed }
      if wishes[index].state == .removalRequested { wishes[index].state = .removalNeeded }
    }
  }

  private mutating func noteStability(at clock: Clock) {
    if phase == .connected, clock.now - connectedAt >= Self.stable { attempts = 0 }
  }

  // MARK: - Back-off

  mutating func scheduleRetry(into effects: inout Effects<MQTTMessage>) {
    guard wantsConnection else {
      phase = .idle
      return
    }
    phase = .waiting
    let pause = policy.retriesWithoutPause ? .milliseconds(100) : pause(after: attempts)
    attempts &+= 1
    effects.setTimer(TimerKind.retry, after: pause)
  }

  func pause(after attempts: UInt32) -> Nanoseconds {
    let backOff = BackOff(
      minimum: settings.backOffMinimum, maximum: settings.backOffMaximum,
      jitter: (settings.jitterPercent, 100))
    return backOff.pause(after: attempts, of: node, attempt: allAttempts)
  }
}
