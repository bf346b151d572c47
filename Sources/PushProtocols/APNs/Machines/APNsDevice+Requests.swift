internal import Simulation
internal import Timeline

extension APNsDevice {
  /// A place for one exchange at a time with a service.
  enum RequestSlot: UInt8, CaseIterable, Sendable {
    case service = 0
    case management = 1
    /// The predictive prefetch of the same service, which races what `service` does.
    case prefetch = 2

    var index: Int { Int(rawValue) }
    var port: Port {
      switch self {
      case .service: .service
      case .management: .management
      case .prefetch: .prefetch
      }
    }

    init?(_ port: Port) {
      guard let slot = Self.allCases.first(where: { $0.port == port }) else { return nil }
      self = slot
    }
  }

  struct Request: Sendable, BitwiseCopyable {
    enum State: UInt8, Sendable, BitwiseCopyable { case idle, opening, asked, pausing }
    var state = State.idle
    var link = APNsDevice.noLink
    var what = APNsMessageKind.fetch
    var topic: UInt16 = 0
    var publication: UInt16 = 0
    /// The change token that was shown.
    var cursor: UInt32 = 0
    /// Rounds of one catch-up that brought nothing new.
    var idleRounds: UInt16 = 0
    var attempts: UInt32 = 0
  }

  func slot(of link: LinkID) -> RequestSlot? {
    for slot in RequestSlot.allCases where requests[slot.index].link == link { return slot }
    return nil
  }

  // MARK: - What there is to ask

  /// Every app looks for changes; devices that were offline miss pushes, and some never come.
  mutating func fetchAll(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    for index in subscriptions.indices where subscriptions[index].kind == .sync {
      subscriptions[index].isDue = true
    }
    askServices(at: clock, into: &effects)
  }

  mutating func askServices(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    guard !settings.isProvider else { return }
    openIfNeeded(.service, at: clock, into: &effects)
    openIfNeeded(.management, at: clock, into: &effects)
  }

  mutating func openIfNeeded(
    _ slot: RequestSlot, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard wantsConnection, requests[slot.index].state == .idle,
      nextRequest(in: slot, at: clock) != nil
    else { return }
    requests[slot.index].state = .opening
    effects.append(.open(slot.port))
    effects.setTimer(TimerKind.requestTimeout(slot), after: settings.requestTimeout)
  }

  /// Registration before everything else: without it nothing comes.
  private func nextRequest(in slot: RequestSlot, at clock: Clock) -> APNsMessage? {
    if slot == .prefetch {
      let first = subscriptions.first { $0.kind == .sync && $0.isWanted }
      return first.map { fetch($0) }
    }
    for entry in subscriptions where entry.isWanted && entry.kind.port == slot.port {
      if token != 0, entry.registeredToken != token,
        !(policy.believesRegistered && entry.registeredToken != 0)
      {
        var message = APNsMessage(.register)
        message.identity = identity
        message.topic = entry.topic
        message.token = token
        return message
      }
    }
    if slot == .service, let first = outgoing.first {
      return request(.save, for: first.submission)
    }
    for entry in subscriptions
    where entry.isWanted && entry.isDue && entry.kind.port == slot.port && entry.kind != .push
      && entry.notBefore <= clock.now
    {
      if slot == .service { return fetch(entry) }
      var message = APNsMessage(.idle)
      message.identity = identity
      message.topic = entry.topic
      return message
    }
    return nil
  }

  private func fetch(_ entry: Subscription) -> APNsMessage {
    var message = APNsMessage(.fetch)
    message.identity = identity
    message.topic = entry.topic
    message.cursor = entry.cursor
    return message
  }

  // MARK: - Asking

  mutating func beginRequest(
    on link: LinkID, _ port: Port, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard let slot = RequestSlot(port), requests[slot.index].state == .opening else {
      effects.append(.close(link))  // Nobody wants it any more.
      return
    }
    requests[slot.index].link = link
    ask(in: slot, at: clock, into: &effects)
  }

  mutating func ask(
    in slot: RequestSlot, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard let message = nextRequest(in: slot, at: clock) else {
      requests[slot.index].attempts = 0
      closeRequest(in: slot, into: &effects)
      return
    }
    send(message, in: slot, into: &effects)
  }

  mutating func send(
    _ message: APNsMessage, in slot: RequestSlot, into effects: inout Effects<APNsMessage>
  ) {
    requests[slot.index].state = .asked
    requests[slot.index].what = message.what
    requests[slot.index].topic = message.topic
    requests[slot.index].publication = message.publication
    requests[slot.index].cursor = message.cursor
    // What arrives from now on is news.
    if message.what == .fetch || message.what == .idle, slot != .prefetch {
      setDue(message.topic, false)
    }
    effects.send(message, on: requests[slot.index].link)
    if policy.waitsForAnswers {
      effects.cancelTimer(TimerKind.requestTimeout(slot))
    } else {
      effects.setTimer(TimerKind.requestTimeout(slot), after: settings.requestTimeout)
    }
  }

  func place(of topic: UInt16) -> Int? {
    subscriptions.firstIndex { $0.topic == topic }
  }

  mutating func setDue(_ topic: UInt16, _ isDue: Bool) {
    if let index = place(of: topic) { subscriptions[index].isDue = isDue }
  }

  mutating func closeRequest(
    in slot: RequestSlot, into effects: inout Effects<APNsMessage>
  ) {
    if requests[slot.index].link != Self.noLink {
      effects.append(.close(requests[slot.index].link))
    }
    let attempts = requests[slot.index].attempts
    requests[slot.index] = Request()
    requests[slot.index].attempts = attempts
    effects.cancelTimers(TimerKind.requestTimeout(slot), TimerKind.requestRetry(slot))
  }

  // MARK: - Failing

  /// No connection, no answer, or the end of the connection before the answer.
  mutating func failRequest(
    in slot: RequestSlot, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    let request = requests[slot.index]
    guard request.state != .idle, request.state != .pausing else { return }
    closeRequest(in: slot, into: &effects)
    if policy.forgetsRequestOnError {
      forget(request)
    } else if request.state == .asked, request.what == .fetch || request.what == .idle
      || request.what == .result, slot != .prefetch
    {
      setDue(request.topic, true)
    }
    guard slot != .prefetch else { return }
    let wait = pause(after: requests[slot.index].attempts)
    requests[slot.index].attempts &+= 1
    requests[slot.index].state = .pausing
    effects.setTimer(TimerKind.requestRetry(slot), after: wait)
  }

  /// What only the defective machine does: whoever waited for the answer is told nothing.
  private mutating func forget(_ request: Request) {
    switch request.what {
    case .register:
      if let index = place(of: request.topic) { subscriptions[index].registeredToken = token }
    case .save:
      outgoing.removeAll { $0.submission.publication == request.publication }
    default:
      break
    }
  }

  mutating func retryRequest(
    in slot: RequestSlot, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    guard requests[slot.index].state == .pausing else { return }
    requests[slot.index].state = .idle
    openIfNeeded(slot, at: clock, into: &effects)
  }
}

extension Port {
  /// The prefetch's own connection to the service.
  static var prefetch: Port { Port(10) }
}
