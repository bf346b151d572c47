internal import Custody
internal import Simulation
internal import Timeline

// The services of apps: registrations, providers' pushes, and zones of changes.
extension APNsServer {
  mutating func takeRegistration(
    _ message: APNsMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let device = book(message.identity)
    // An older token comes late from a connection that was given up.
    if message.token >= registration(device, Int(message.topic)) {
      setRegistration(device, Int(message.topic), message.token)
    }
    connections[Int(link.index)].identity = message.identity
    var answer = APNsMessage(.registered)
    answer.identity = message.identity
    answer.topic = message.topic
    answer.token = message.token
    effects.send(answer, on: link)
    // A re-enrolment: the commands that wait can be announced again.
    if kinds[Int(message.topic)] == .mdm { announce(device, at: clock, into: &effects) }
  }

  /// Something new from a provider, from an app, or from an administrator: answered at once, then
  /// passed on to everybody who registered for it.
  mutating func submit(
    _ message: APNsMessage, author: UInt16, on link: LinkID, answer: APNsMessageKind,
    at clock: Clock, into effects: inout Effects<APNsMessage>
  ) {
    var response = APNsMessage(answer)
    response.identity = message.identity
    response.publication = message.publication
    response.topic = message.topic
    effects.send(response, on: link)
    guard Int(message.topic) < kinds.count else { return }
    switch kinds[Int(message.topic)] {
    case .push:
      announce(message, except: author, at: clock, into: &effects)
    case .sync:
      // The answer to an earlier attempt was lost: the change is there.
      if changes.contains(where: { $0.publication == message.publication }) { return }
      var change = Change(
        topic: message.topic, publication: message.publication, author: author)
      change.isSkipped = policy.skipsConcurrentChange && isSomebodyFetching
      changes.append(change)
      var silent = message
      silent.first = .max
      announce(silent, except: author, at: clock, into: &effects)
    case .mdm:
      enqueue(message, at: clock, into: &effects)
    }
  }

  private var isSomebodyFetching: Bool {
    connections.contains { $0.state != .over && $0.isFetching }
  }

  /// Pushes to every device that registered. What has another token now is unregistered (410).
  private mutating func announce(
    _ message: APNsMessage, except author: UInt16, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    for identity in devices.indices where identity != Int(author) {
      push(message, to: identity, at: clock, into: &effects)
    }
  }

  /// - Returns: whether APNs accepts it (200).
  @discardableResult
  mutating func push(
    _ message: APNsMessage, to identity: Int, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) -> Bool {
    let registered = registration(identity, Int(message.topic))
    guard registered != 0 else { return false }
    guard registered == devices[identity].token || policy.sendsToOldToken else {
      setRegistration(identity, Int(message.topic), 0)
      return false
    }
    let waiting = entries.firstIndex {
      $0.publication == message.publication && Int($0.identity) == identity
    }
    if let waiting {
      // Its provider had no answer and sent it again: it lives anew.
      let deadline =
        message.first == .max ? Instant.never : clock.now + Nanoseconds(message.first)
      entries[waiting].deadline = max(entries[waiting].deadline, deadline)
    } else {
      route(message, to: identity, at: clock, into: &effects)
    }
    if settings.countsAccepted, kinds[Int(message.topic)] != .mdm || policy.dashboardCountsPush {
      effects.append(
        .countDone(publication: message.publication, receiver: NodeID(device: identity)))
    }
    return true
  }

  // MARK: - Changes

  /// The bit of a change token that says that it belongs to a catch-up from the beginning.
  private static let fromBeginning: UInt32 = 1 << 31

  mutating func takeFetch(
    _ message: APNsMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsMessage>
  ) {
    let device = book(message.identity)
    connections[Int(link.index)].identity = message.identity
    var answer = APNsMessage(.changes)
    answer.identity = message.identity
    answer.topic = message.topic
    answer.cursor = message.cursor
    if registration(device, Int(message.topic)) != 0 { answer.flags.insert(.isRegistered) }
    if let wait = waitingTime(of: device, at: clock) {
      answer.status = APNsStatus.rateLimited.rawValue
      answer.first = wait.count
      effects.send(answer, on: link)
      return
    }
    let length = changes.reduce(into: UInt32(0)) { $0 += $1.topic == message.topic ? 1 : 0 }
    // A token that belongs to a catch-up from the beginning is a new one.
    let isNew = message.cursor & Self.fromBeginning != 0
    if settings.changeHorizon > 0, message.cursor > 0, !isNew,
      message.cursor &+ settings.changeHorizon < length
    {
      answer.status = APNsStatus.changeTokenExpired.rawValue
      effects.send(answer, on: link)
      return
    }
    fill(&answer, for: message)
    if policy.cursorStands, answer.publication != 0 {
      answer.cursor = message.cursor
      answer.flags.insert(.moreComing)
    }
    if policy.endsEarly { answer.flags.remove(.moreComing) }
    connections[Int(link.index)].isFetching = answer.flags.contains(.moreComing)
    effects.send(answer, on: link)
  }

  /// The first change from the change token on that somebody else made.
  private func fill(_ answer: inout APNsMessage, for message: APNsMessage) {
    let mark = message.cursor == 0 ? Self.fromBeginning : message.cursor & Self.fromBeginning
    let start = message.cursor & ~Self.fromBeginning
    answer.cursor = start
    var position: UInt32 = 0
    for change in changes where change.topic == message.topic {
      position &+= 1
      if position <= start { continue }
      if change.author == message.identity || change.isSkipped {
        if answer.publication == 0 { answer.cursor = position }
        continue
      }
      if answer.publication != 0 {
        answer.flags.insert(.moreComing)
        answer.cursor |= mark
        return
      }
      answer.publication = change.publication
      answer.cursor = position
    }
  }

  /// How long a device that asks too often has to wait; `nil`: it may go on.
  private mutating func waitingTime(of device: Int, at clock: Clock) -> Nanoseconds? {
    guard settings.fetchLimit > 0 else { return nil }
    if devices[device].fetchWindow <= clock.now {
      devices[device].fetchWindow = clock.now + .minutes(1)
      devices[device].fetches = 0
    }
    devices[device].fetches &+= 1
    guard devices[device].fetches > settings.fetchLimit else { return nil }
    return devices[device].fetchWindow - clock.now
  }
}
