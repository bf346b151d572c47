internal import Custody
internal import Simulation
internal import Timeline

extension APNsProviderClient {
  /// The JWT that a provider makes itself.
  struct ProviderToken: Sendable, BitwiseCopyable {
    /// `iat`, by the own wall clock; 0: none.
    var issued: UInt32 = 0
    var madeAt = Instant.start
    /// Its age by a clock that stops while the host sleeps: only the defective machine counts it.
    var awakeAge = Nanoseconds.zero
  }

  /// Tokens are not changed more often than this (429 TooManyProviderTokenUpdates).
  private static let leastTokenAge = Nanoseconds.minutes(20)

  // MARK: - What the app says

  /// The app of a device has told its token (again).
  mutating func register(_ topic: UInt16, at clock: Clock) {
    for index in deviceTokens.indices where deviceTokens[index].topic == topic {
      deviceTokens[index].registered = clock.now
      deviceTokens[index].isDead = false
      return
    }
    deviceTokens.append(DeviceToken(topic: topic, registered: clock.now))
  }

  private func isDead(_ topic: UInt16) -> Bool {
    for token in deviceTokens where token.topic == topic { return token.isDead }
    return false
  }

  mutating func submit(
    _ submission: Submission, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    for entry in outgoing where entry.publication == submission.publication { return }
    outgoing.append(
      Outgoing(
        publication: submission.publication, topic: submission.topic,
        deadline: submission.expiry == .forever ? .never : clock.now + submission.expiry))
    sweep(at: clock, into: &effects)
  }

  // MARK: - The queue

  /// Gives up what is of no use, asks again where no answer came, and sends what may be sent.
  mutating func sweep(at clock: Clock, into effects: inout Effects<APNsProviderMessage>) {
    var next = Instant.never
    var kept = 0
    for index in outgoing.indices {
      var entry = outgoing[index]
      if entry.link != Self.noLink, !policy.waitsForEver,
        entry.sent + settings.requestTimeout <= clock.now
      {
        // Whether APNs has it is not known.
        effects.send(APNsProviderMessage(.reset, stream: entry.stream), on: entry.link)
        if entry.link == link, inFlight > 0 { inFlight &-= 1 }
        putBack(&entry, at: clock)
      }
      if entry.link == Self.noLink {
        if let reason = isUseless(entry, at: clock) {
          effects.append(
            .drop(publication: entry.publication, receiver: .server, reason))
          continue
        }
        if phase == .connected, entry.notBefore <= clock.now, inFlight < streams {
          ask(&entry, at: clock, into: &effects)
        }
      }
      if entry.link != Self.noLink {
        if !policy.waitsForEver { next = min(next, entry.sent + settings.requestTimeout) }
      } else if entry.notBefore > clock.now {
        next = min(next, entry.notBefore)
      }
      if policy.countsDoneOnWrite, entry.link != Self.noLink { continue }
      outgoing[kept] = entry
      kept &+= 1
    }
    outgoing.removeLast(outgoing.count &- kept)
    guard phase == .connected || draining != Self.noLink, next != .never, next < sweepAt else {
      return
    }
    sweepAt = next
    effects.setTimer(TimerKind.sweep, after: next - clock.now)
  }

  private func isUseless(_ entry: Outgoing, at clock: Clock) -> DropReason? {
    if entry.deadline <= clock.now { return .messageExpired }
    return isDead(entry.topic) && !policy.keepsDeadTokens ? .rejected : nil
  }

  private mutating func putBack(_ entry: inout Outgoing, at clock: Clock) {
    entry.link = Self.noLink
    entry.notBefore = clock.now + pause(after: UInt32(entry.failures))
    if entry.failures < 16 { entry.failures &+= 1 }
  }

  private mutating func ask(
    _ entry: inout Outgoing, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    renewToken(at: clock)
    entry.link = link
    entry.stream = nextStream
    entry.sent = clock.now
    nextStream &+= 1
    inFlight &+= 1
    var message = APNsProviderMessage(.request, stream: entry.stream)
    message.carried = entry.publication
    message.topic = entry.topic
    message.issued = token.issued
    if entry.deadline != .never {
      let left = UInt32(clamping: (entry.deadline - clock.now).count / 1_000_000_000 &+ 1)
      message.value = policy.expirationIsRelative ? left : clock.wall.wholeSeconds &+ left
    }
    effects.send(message, on: link)
    if policy.countsDoneOnWrite {
      effects.append(.countDone(publication: entry.publication, receiver: .server))
      inFlight &-= 1
    }
  }

  // MARK: - Provider tokens

  private mutating func renewToken(at clock: Clock) {
    let wall = clock.wall.wholeSeconds
    if token.issued != 0, !policy.makesTokenPerRequest {
      // By both clocks: the wall clock may be set, and the other one may have slept.
      let byWall = Nanoseconds.seconds(UInt64(wall > token.issued ? wall &- token.issued : 0))
      var age = max(byWall, clock.now - token.madeAt)
      if policy.trustsWallClock { age = byWall }
      if policy.ageStopsInSleep { age = token.awakeAge }
      if age < settings.renewAfter { return }
      // A wall clock that jumps is no reason to be throttled: what APNs does not take it says.
      if !policy.trustsWallClock, !policy.ageStopsInSleep,
        clock.now - token.madeAt < Self.leastTokenAge
      {
        return
      }
    }
    // In one second only one.
    let isSame = policy.makesTokenPerRequest && token.issued >= wall && token.issued < wall &+ 60
    token = ProviderToken(issued: isSame ? token.issued &+ 1 : wall, madeAt: clock.now)
  }

  // MARK: - Answers

  mutating func takeAnswer(
    _ message: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    // None when the request was given up meanwhile.
    guard let index = entry(answeredBy: message, on: link) else { return }
    var entry = outgoing[index]
    if link == self.link, inFlight > 0 { inFlight &-= 1 }
    entry.link = Self.noLink
    if message.status != .serverError, link == self.link { errors = 0 }
    switch message.status {
    case .accepted:
      effects.append(.countDone(publication: entry.publication, receiver: .server))
      outgoing.remove(at: index)
    case .unregistered:
      bury(entry.topic, timestamp: message.value)
      effects.append(.drop(publication: entry.publication, receiver: .server, .rejected))
      outgoing.remove(at: index)
    case .tooManyRequests, .tooManyTokenUpdates:
      entry.notBefore = max(
        clock.now + .seconds(UInt64(message.value == .max ? 1 : message.value)),
        clock.now + pause(after: UInt32(entry.failures)))
      if entry.failures < 16 { entry.failures &+= 1 }
      outgoing[index] = entry
    case .expiredToken, .tokenFromTheFuture:
      outgoing[index] = entry
      replaceToken(after: message, on: link, at: clock, into: &effects)
      return
    case .serverError, .unavailable:
      putBack(&entry, at: clock)
      outgoing[index] = entry
      if message.status == .serverError, link == self.link,
        noteError(at: clock, into: &effects)
      {
        return
      }
    }
    if link == draining, !hasOpenRequests(on: link) {
      effects.append(.close(link))
      endDraining(at: clock, into: &effects)
      return
    }
    sweep(at: clock, into: &effects)
  }

  private func entry(answeredBy message: APNsProviderMessage, on link: LinkID) -> Int? {
    if policy.matchesAnswersInOrder { return outgoing.firstIndex { $0.link == link } }
    return outgoing.firstIndex { $0.link == link && $0.stream == message.stream }
  }

  /// Dead, unless the app has registered the device token since.
  private mutating func bury(_ topic: UInt16, timestamp: UInt32) {
    for index in deviceTokens.indices where deviceTokens[index].topic == topic {
      if deviceTokens[index].registered.wholeSeconds <= timestamp || policy.ignoresTimestamp {
        deviceTokens[index].isDead = true
      }
      return
    }
    deviceTokens.append(DeviceToken(topic: topic, isDead: true))
  }

  /// A token that APNs does not take needs another one, and another connection: the old one may
  /// refuse good tokens too.
  private mutating func replaceToken(
    after message: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    let keeps =
      policy.ageStopsInSleep || policy.trustsWallClock && clock.wall.wholeSeconds < token.issued
    if !keeps { token = ProviderToken() }
    if policy.keepsConnectionAfterExpired || keeps {
      for index in outgoing.indices
      where outgoing[index].link == Self.noLink && outgoing[index].notBefore <= clock.now {
        var entry = outgoing[index]
        putBack(&entry, at: clock)
        outgoing[index] = entry
      }
      sweep(at: clock, into: &effects)
      return
    }
    leave(link, at: clock, into: &effects)
  }
}
