internal import Custody
internal import Simulation
internal import Timeline

extension MQTTBroker {
  // MARK: - Connecting

  mutating func connect(
    _ message: MQTTMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    effects.cancelTimer(TimerID(kind: TimerKind.connect, subject: link.index))
    let identity = Int(message.identity)
    let isVersion5 = message.flags.contains(.version5)
    guard identity < sessions.count else {
      refuse(link, reason: isVersion5 ? .clientIdentifierNotValid : MQTTReasonCode(2), &effects)
      return
    }
    if message.flags.contains(.hasCredential), !accepts(message.credential, of: identity, at: clock)
    {
      refuse(link, reason: isVersion5 ? .notAuthorized : MQTTReasonCode(5), &effects)
      return
    }
    let startsClean = message.flags.contains(.cleanStart) || policy.treatsEveryStartAsClean
    takeOver(
      identity, keepsWill: !startsClean && isVersion5, at: clock, into: &effects)
    let isGone = expireIfDue(identity, at: clock, into: &effects)
    if startsClean || !sessions[identity].isKnown, sessions[identity].exists {
      if !startsClean, sessions[identity].will.due > clock.now { sessions[identity].will = Will() }
      endSession(identity, .sessionReplaced, at: clock, into: &effects)
    }
    publishWillIfDue(of: identity, at: clock, into: &effects)
    let isResumed = !isGone && sessions[identity].exists
    serve(message, on: link, identity: identity, at: clock, into: &effects)
    var connack = MQTTMessage(.connack)
    if isResumed { connack.flags.insert(.sessionPresent) }
    connack.packet = settings.receiveMaximum
    connack.keepAlive = isVersion5 ? settings.keepAlive : 0
    connack.expiry = sessions[identity].expiry
    effects.send(connack, on: link)
    if isResumed {
      if policy.forgetsSubscriptionsOnResume { forgetSubscriptions(of: identity) }
      resume(identity, at: clock, into: &effects)
    }
  }

  private mutating func refuse(
    _ link: LinkID, reason: MQTTReasonCode, _ effects: inout Effects<MQTTMessage>
  ) {
    var connack = MQTTMessage(.connack)
    connack.reason = reason.rawValue
    effects.send(connack, on: link)
    close(link, into: &effects)
  }

  /// MQTT-3.1.4-3: the connection that has the session until now ends.
  private mutating func takeOver(
    _ identity: Int, keepsWill: Bool, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let session = sessions[identity]
    guard session.exists, session.link != Self.noLink else { return }
    if session.isVersion5 { effects.send(.disconnect(.sessionTakenOver), on: session.link) }
    close(session.link, into: &effects)
    // Only a will that waits, in a session that goes on, can be saved (MQTT-3.1.2-26).
    let waits = min(session.will.delay, session.expiry) > .zero
    if policy.losesWillOnTakeover || (keepsWill && waits) {
      sessions[identity].will = Will()
    }
    leave(identity, at: clock, into: &effects)
  }

  private mutating func serve(
    _ message: MQTTMessage, on link: LinkID, identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let isVersion5 = message.flags.contains(.version5)
    connections[Int(link.index)] = Connection(phase: .served, identity: message.identity)
    if !sessions[identity].exists {
      sessions[identity] = Session()
      if !policy.keepsAwaitedAfterSession { forgetAwaited(of: identity) }
    }
    var session = sessions[identity]
    let isDeaf = policy.takeoverLeavesDeafSession && session.awaySince == clock.now
    session.exists = true
    session.isVersion5 = isVersion5
    session.link = isDeaf ? Self.noLink : link
    session.awaySince = .never
    session.connectedAt = clock.now
    session.lastIn = clock.now
    session.expiry = min(message.expiry, settings.sessionExpiryLimit)
    if !isVersion5 {
      session.expiry =
        message.flags.contains(.cleanStart) ? .zero : settings.sessionExpiryLimit
    }
    session.window = min(settings.maximumInFlight, isVersion5 ? message.packet : .max)
    session.keepAlive = .seconds(
      UInt64(
        isVersion5 && settings.keepAlive != 0 ? settings.keepAlive : message.keepAlive))
    session.will = Will()
    if message.flags.contains(.hasWill) {
      session.will.publication = message.willPublication
      session.will.topic = message.topic
      session.will.quality = message.quality
      session.will.delay = .seconds(UInt64(message.willDelay))
    }
    session.hasCredential = message.flags.contains(.hasCredential)
    session.credential = message.credential
    sessions[identity] = session
    effects.cancelTimers(
      timer(TimerKind.sessionExpiry, identity), timer(TimerKind.will, identity))
    if session.keepAlive != .zero, !policy.ignoresKeepAlive {
      effects.setTimer(
        timer(TimerKind.keepAlive, identity), after: session.keepAlive * 3 / 2)
    }
    watchCredential(of: identity, at: clock, into: &effects)
  }

  func timer(_ kind: UInt8, _ identity: Int) -> TimerID {
    TimerID(kind: kind, subject: UInt16(truncatingIfNeeded: identity))
  }

  // MARK: - Ending

  mutating func close(_ link: LinkID, into effects: inout Effects<MQTTMessage>) {
    connections[Int(link.index)].phase = .over
    effects.append(.close(link))
  }

  /// A connection is over, not by this end.
  mutating func end(
    _ link: LinkID, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    guard Int(link.index) < connections.count else { return }
    let connection = connections[Int(link.index)]
    connections[Int(link.index)].phase = .over
    guard connection.phase == .served else { return }
    let identity = Int(connection.identity)
    if sessions[identity].link == link { leave(identity, at: clock, into: &effects) }
  }

  /// Closes the connection of a live session, with a reason where the version has one.
  mutating func disconnect(
    _ identity: Int, _ reason: MQTTReasonCode, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let link = sessions[identity].link
    if sessions[identity].isVersion5 { effects.send(.disconnect(reason), on: link) }
    close(link, into: &effects)
    leave(identity, at: clock, into: &effects)
  }

  mutating func breakOff(
    _ identity: Int, _ rule: MQTTConduct, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    guard sessions[identity].link != Self.noLink else { return }
    effects.append(.blame(rule: rule.rawValue, sessions[identity].link))
    disconnect(identity, .protocolError, at: clock, into: &effects)
  }

  mutating func takeDisconnect(
    _ message: MQTTMessage, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    guard sessions[identity].link != Self.noLink else { return }
    if message.reason != MQTTReasonCode.disconnectWithWill.rawValue {
      sessions[identity].will = Will()  // MQTT-3.14.4-3
    }
    if sessions[identity].isVersion5, message.expiry != .forever,
      sessions[identity].expiry != .zero
    {
      sessions[identity].expiry = min(message.expiry, settings.sessionExpiryLimit)
    }
    close(sessions[identity].link, into: &effects)
    leave(identity, at: clock, into: &effects)
  }

  /// The session's connection is over: the session is away, or over too.
  private mutating func leave(
    _ identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    suspend(identity)
    sessions[identity].awaySince = clock.now
    effects.cancelTimers(
      timer(TimerKind.keepAlive, identity), timer(TimerKind.credential, identity))
    if sessions[identity].will.exists {
      sessions[identity].will.due = clock.now + sessions[identity].will.delay
    }
    let expiry = sessions[identity].expiry
    if expiry == .zero {
      endSession(identity, .sessionExpired, at: clock, into: &effects)
      return
    }
    if expiry != .forever {
      effects.setTimer(timer(TimerKind.sessionExpiry, identity), after: expiry)
    }
    publishWillIfDue(of: identity, at: clock, into: &effects)
    if sessions[identity].will.exists {
      effects.setTimer(timer(TimerKind.will, identity), after: sessions[identity].will.delay)
    }
  }

  /// Everything of the connection is forgotten, everything of the session kept.
  mutating func suspend(_ identity: Int) {
    sessions[identity].link = Self.noLink
    sessions[identity].awaySince = .never
    if !policy.leaksWindowOnResume { sessions[identity].inFlight = 0 }
    if policy.forgetsInFlightOnDisconnect { discardInFlight(of: identity, quality: 1) }
    if policy.dropsQoS2OnDisconnect { discardInFlight(of: identity, quality: 2) }
    var index = sessions[identity].head
    sessions[identity].cursor = index
    while index >= 0 {
      entries[Int(index)].releasedHere = false
      index = entries[Int(index)].next
    }
  }

  /// After the start of the program: sessions that were live when it ended are away since now.
  mutating func launch(at clock: Clock, into effects: inout Effects<MQTTMessage>) {
    for identity in sessions.indices where sessions[identity].exists {
      if sessions[identity].awaySince == .never { sessions[identity].awaySince = clock.now }
      let expiry = sessions[identity].expiry
      if expiry != .forever {
        effects.setTimer(
          timer(TimerKind.sessionExpiry, identity),
          after: sessions[identity].awaySince + expiry - clock.now)
      }
    }
  }

  /// Ends the session if it has been away for longer than its expiry; `true`: it did.
  mutating func expireIfDue(
    _ identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) -> Bool {
    let session = sessions[identity]
    guard session.exists, session.awaySince != .never, session.expiry != .forever else {
      return false
    }
    let since = policy.countsExpiryFromConnect ? session.connectedAt : session.awaySince
    guard since + session.expiry <= clock.now else { return false }
    endSession(identity, .sessionExpired, at: clock, into: &effects)
    return true
  }

  func isExpired(_ identity: Int, at clock: Clock) -> Bool {
    let session = sessions[identity]
    guard session.awaySince != .never, session.expiry != .forever else { return false }
    let since = policy.countsExpiryFromConnect ? session.connectedAt : session.awaySince
    return since + session.expiry <= clock.now
  }

  mutating func endSession(
    _ identity: Int, _ reason: DropReason, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    var index = sessions[identity].head
    while index >= 0 {
      let entry = entries[Int(index)]
      effects.append(
        .drop(
          publication: entry.publication, receiver: NodeID(device: identity), reason))
      index = entry.next
    }
    discardList(of: identity)
    let will = sessions[identity].will
    forget(identity)
    effects.cancelTimers(
      timer(TimerKind.sessionExpiry, identity), timer(TimerKind.will, identity))
    // The end of the session is the latest time for its will (MQTT-3.1.2-8).
    if will.exists { publish(will, at: clock, into: &effects) }
  }

  /// The session and its subscriptions, once its list is empty.
  mutating func forget(_ identity: Int) {
    sessions[identity] = Session()
    forgetSubscriptions(of: identity)
    if !policy.keepsAwaitedAfterSession { forgetAwaited(of: identity) }
  }

  mutating func forgetSubscriptions(of identity: Int) {
    for filter in 0..<topics.count { granted[identity &* topics.count &+ filter] = 0 }
    sessions[identity].subscriptions = 0
  }

  private mutating func forgetAwaited(of identity: Int) {
    var kept = 0
    for index in awaited.indices where Int(awaited[index].identity) != identity {
      awaited[kept] = awaited[index]
      kept &+= 1
    }
    awaited.removeLast(awaited.count &- kept)
  }

  // MARK: - Wills

  mutating func publishWillIfDue(
    of identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let will = sessions[identity].will
    guard will.exists, will.due <= clock.now else { return }
    sessions[identity].will = Will()
    publish(will, at: clock, into: &effects)
  }

  private mutating func publish(
    _ will: Will, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    route(
      .publish(will.publication, topic: will.topic, quality: will.quality, packet: 0),
      at: clock, into: &effects)
  }

  // MARK: - Keep-alive and credentials

  mutating func checkKeepAlive(
    of identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let session = sessions[identity]
    guard session.link != Self.noLink, session.keepAlive != .zero else { return }
    let due = session.lastIn + session.keepAlive * 3 / 2
    if due > clock.now {
      effects.setTimer(timer(TimerKind.keepAlive, identity), after: due - clock.now)
      return
    }
    if policy.losesWillOnKeepAliveTimeout { sessions[identity].will = Will() }
    disconnect(identity, .keepAliveTimeout, at: clock, into: &effects)
  }

  private func accepts(_ credential: Instant, of identity: Int, at clock: Clock) -> Bool {
    credential + settings.clockTolerance > clock.wall && credential > revokedUpTo[identity]
  }

  private mutating func watchCredential(
    of identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    guard sessions[identity].hasCredential, settings.enforcesCredentials else {
      effects.cancelTimer(timer(TimerKind.credential, identity))
      return
    }
    let end = sessions[identity].credential + settings.clockTolerance
    effects.setTimer(timer(TimerKind.credential, identity), after: end - clock.wall)
  }

  mutating func checkCredential(
    of identity: Int, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let session = sessions[identity]
    guard session.link != Self.noLink, session.hasCredential else { return }
    if accepts(session.credential, of: identity, at: clock) {
      // The wall clock was set back since the timer was set.
      watchCredential(of: identity, at: clock, into: &effects)
    } else {
      disconnect(identity, .notAuthorized, at: clock, into: &effects)
    }
  }

  mutating func reauthenticate(
    _ message: MQTTMessage, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let session = sessions[identity]
    guard session.link != Self.noLink else { return }
    guard session.isVersion5, session.hasCredential else {
      breakOff(identity, .wrongDirection, at: clock, into: &effects)
      return
    }
    guard accepts(message.credential, of: identity, at: clock) else {
      disconnect(identity, .notAuthorized, at: clock, into: &effects)
      return
    }
    sessions[identity].credential = message.credential
    watchCredential(of: identity, at: clock, into: &effects)
    effects.send(.auth(.success), on: session.link)
  }

  mutating func revoke(
    _ identity: UInt16, upTo: Instant, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let identity = Int(identity)
    guard identity < sessions.count else { return }
    revokedUpTo[identity] = max(revokedUpTo[identity], upTo)
    let session = sessions[identity]
    guard session.link != Self.noLink, session.hasCredential, settings.enforcesCredentials,
      session.credential <= upTo
    else { return }
    disconnect(identity, .notAuthorized, at: clock, into: &effects)
  }
}
