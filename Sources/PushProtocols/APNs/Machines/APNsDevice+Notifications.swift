internal import Simulation
internal import Timeline

extension APNsDevice {
  /// How long a defective daemon takes to store what it has acknowledged.
  private static let lateness = Nanoseconds.milliseconds(200)

  mutating func takeNotification(
    _ message: APNsMessage, at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    if policy.chokesOnPayload, message.publication % 4 == 0 {
      abandon(at: clock, into: &effects)
      return
    }
    latestID = message.id
    guard
      let index = subscriptions.firstIndex(where: { $0.topic == message.topic && $0.isWanted })
    else {
      // The filter that takes it away is under way.
      acknowledge(message, .refused, into: &effects)
      return
    }
    if policy.acknowledgesBeforeStoring {
      acknowledge(message, .ok, into: &effects)
      unstored.append(Unstored(publication: message.publication, topic: message.topic))
      effects.setTimer(TimerKind.store, after: Self.lateness)
      return
    }
    // Stored first: an ack that goes out earlier loses the message with the program.
    let isRepeated = message.quality == 2 && seen.contains(message.publication)
    if !isRepeated || policy.forgetsSeen {
      if message.quality == 2, !isRepeated { seen.append(message.publication) }
      wake(for: index, message.publication, at: clock, into: &effects)
    }
    acknowledge(message, .ok, into: &effects)
    askServices(at: clock, into: &effects)
  }

  /// Gives a notification to the app.
  private mutating func wake(
    for index: Int, _ publication: UInt16, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    if policy.neverWakesApp { return }
    effects.append(.handOver(publication: publication))
    let isFetching =
      requests[RequestSlot.service.index].state == .asked
      && requests[RequestSlot.service.index].what == .fetch
      && requests[RequestSlot.service.index].topic == subscriptions[index].topic
    if subscriptions[index].kind != .push, !(policy.ignoresPushWhileFetching && isFetching) {
      subscriptions[index].isDue = true
    }
  }

  private mutating func acknowledge(
    _ message: APNsMessage, _ status: APNsStatus, into effects: inout Effects<APNsMessage>
  ) {
    if policy.neverAcknowledges { return }
    var ack = APNsMessage(.ack, status: status)
    ack.id = policy.acknowledgesLatestID ? latestID &+ 1 : message.id
    ack.token = message.token
    ack.topic = message.topic
    ack.publication = message.publication
    if policy.acknowledgesAcrossReconnect {
      lateAcks.append(ack)
    } else {
      effects.send(ack, on: link)
    }
  }

  /// The defective machine's acks of its last connection.
  mutating func sendLateAcks(into effects: inout Effects<APNsMessage>) {
    for ack in lateAcks { effects.send(ack, on: link) }
    lateAcks.removeAll(keepingCapacity: true)
  }

  /// The defective daemon gets round to storing.
  mutating func storeLate(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    for entry in unstored {
      if let index = subscriptions.firstIndex(where: { $0.topic == entry.topic && $0.isWanted }) {
        wake(for: index, entry.publication, at: clock, into: &effects)
      }
    }
    unstored.removeAll(keepingCapacity: true)
    for publication in unappliedChanges { effects.append(.apply(publication: publication)) }
    unappliedChanges.removeAll(keepingCapacity: true)
    askServices(at: clock, into: &effects)
  }

  // MARK: - A provider

  /// HTTP/2 has no handshake that a provider waits for: it writes at once.
  mutating func enterAsProvider(at clock: Clock, into effects: inout Effects<APNsMessage>) {
    phase = .ready
    connectedAt = clock.now
    awaitsKeepAlive = false
    effects.setTimer(TimerKind.keepAlive, after: interval)
    push(into: &effects)
  }

  mutating func push(into effects: inout Effects<APNsMessage>) {
    guard phase == .ready else { return }
    for index in outgoing.indices where !outgoing[index].sentHere {
      outgoing[index].sentHere = true
      effects.send(request(.push, for: outgoing[index].submission), on: link)
    }
  }

  /// What a submission looks like on its way up.
  func request(_ what: APNsMessageKind, for submission: Submission) -> APNsMessage {
    var message = APNsMessage(what)
    message.identity = identity
    message.publication = submission.publication
    message.topic = submission.topic
    message.quality = submission.quality
    message.first = submission.quality == 0 ? 0 : submission.expiry.count
    return message
  }

  /// 200 or 410: either way the provider is done with it. No answer would be an unknown outcome, so
  /// it is sent again on the next connection.
  mutating func takePushAnswer(
    _ message: APNsMessage, into effects: inout Effects<APNsMessage>
  ) {
    outgoing.removeAll { $0.submission.publication == message.publication }
  }
}
