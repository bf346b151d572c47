public import Custody
public import Simulation
internal import Timeline

/// The front of APNs that providers talk to.
///
/// It judges provider tokens, answers requests, and knows which device tokens are valid. Nothing of
/// it outlives its program but the clock. What its parameters make it do, other than to answer, was
/// seen at the real one: GOAWAY at a restart and before SETTINGS, requests without an answer,
/// connections that answer 500 after an idle time.
public struct APNsProviderFront: ServerMachine {
  public typealias Message = APNsProviderMessage

  /// One connection.
  struct Peer: Sendable, BitwiseCopyable {
    var isOpen = false
    /// Its SETTINGS were got.
    var hasGreeted = false
    /// GOAWAY was sent with this last stream.
    var lastStream = UInt16.max
    var isLeaving = false
    var highest: UInt16 = 0
    /// Of the provider token that was taken last; 0: none.
    var issued: UInt32 = 0
    /// When another one was taken; `.never`: never yet.
    var updated = Instant.never
    /// After ExpiredProviderToken.
    var isStuck = false
    /// After an idle time: 500 for ever.
    var isWedged = false
    var lastIn = Instant.start
    var lastRequest = Instant.start
    var requests: UInt32 = 0
    /// Answers that wait.
    var open: UInt16 = 0
  }

  /// An answer that takes longer.
  struct Waiting: Sendable, BitwiseCopyable {
    var link: LinkID
    var answer: APNsProviderMessage
    var due: Instant
  }

  /// Requests of the present second for one device token.
  struct Rate: Sendable, BitwiseCopyable {
    var topic: UInt16
    var second: UInt64
    var count: UInt64
  }

  let policy: APNsProviderFrontPolicy
  var settings = APNsProviderFrontSettings()
  var peers: [Peer] = []
  var waiting: [Waiting] = []
  var rates: [Rate] = []
  var requests: UInt64 = 0
  var launched = Instant.start

  init() { self.init(policy: APNsProviderFrontPolicy()) }

  init(policy: APNsProviderFrontPolicy) {
    self.policy = policy
    peers.reserveCapacity(64)
    waiting.reserveCapacity(32)
    rates.reserveCapacity(8)
  }

  enum TimerKind {
    static func idle(_ link: LinkID) -> TimerID { TimerID(kind: 0, subject: link.index) }
    static func leaving(_ link: LinkID) -> TimerID { TimerID(kind: 1, subject: link.index) }
    static let answers = TimerID(kind: 2)
  }

  // MARK: - Machine

  public mutating func configure(scenario: Scenario) {
    settings = APNsProviderFrontSettings(scenario)
    reset()
  }

  public mutating func reset() {
    crash()
    requests = 0
    launched = .start
  }

  public mutating func crash() {
    peers.removeAll(keepingCapacity: true)
    waiting.removeAll(keepingCapacity: true)
    rates.removeAll(keepingCapacity: true)
  }

  public mutating func wipe() {}

  public func believesConnected(on link: LinkID) -> Bool {
    let index = Int(link.index)
    return index < peers.count && peers[index].isOpen && peers[index].hasGreeted
      && !peers[index].isLeaving
  }

  /// What it has answered with 200 is APNs' own; the provider is owed nothing.
  public func holds(publication: UInt16, for receiver: NodeID) -> Bool { false }

  /// Bits: 0–2 the connection (unknown, open, trusted, stuck, wedged, leaving), 3–4 answers that
  /// wait (none, one, more).
  @inline(__always)
  public func abstractState(on link: LinkID?) -> UInt16 {
    guard let link, Int(link.index) < peers.count, peers[Int(link.index)].isOpen else { return 0 }
    let peer = peers[Int(link.index)]
    var state: UInt16 =
      peer.isLeaving ? 5 : peer.isWedged ? 4 : peer.isStuck ? 3 : peer.issued != 0 ? 2 : 1
    state |= UInt16(truncatingIfNeeded: min(2, peer.open)) << 3
    return state
  }

  public mutating func receive(
    _ input: Input<APNsProviderMessage>, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    switch input {
    case .launched: launched = clock.now
    case .opened(let link, _): greet(link, at: clock, into: &effects)
    case .message(let message, let link):
      take(message, on: link, at: clock, into: &effects)
    case .closed(let link, _): forget(link, into: &effects)
    case .timer(let timer): fire(timer, at: clock, into: &effects)
    case .revoked: break  // Provider tokens end by their age.
    case .action, .openFailed, .credential:
      preconditionFailure("not for a server")
    }
  }

  private mutating func greet(
    _ link: LinkID, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    let index = Int(link.index)
    while peers.count <= index { peers.append(Peer()) }
    peers[index] = Peer()
    peers[index].isOpen = true
    peers[index].lastIn = clock.now
    peers[index].lastRequest = clock.now
    if clock.now - launched < settings.warmUp {
      goAway(link, after: 0, into: &effects)
      return
    }
    var message = APNsProviderMessage(.settings)
    message.value = settings.maximumStreams
    effects.send(message, on: link)
    effects.setTimer(TimerKind.idle(link), after: settings.idleDrop)
  }

  private mutating func take(
    _ message: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    let index = Int(link.index)
    guard index < peers.count, peers[index].isOpen else { return }  // Closed by this end already.
    peers[index].lastIn = clock.now
    switch message.type {
    case .settings: peers[index].hasGreeted = true
    case .request: takeRequest(message, on: link, at: clock, into: &effects)
    case .ping: effects.send(APNsProviderMessage(.pong), on: link)
    case .pong, .goAway: break  // It asks nothing and minds nothing.
    case .reset:
      let before = waiting.count
      waiting.removeAll { $0.link == link && $0.answer.stream == message.stream }
      peers[index].open &-= UInt16(before &- waiting.count)
    case .answer:
      effects.append(.blame(rule: APNsProviderConduct.wrongDirection.rawValue, link))
      end(link, into: &effects)
    }
  }

  private mutating func fire(
    _ timer: TimerID, at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    let link = LinkID(timer.subject)
    switch timer.kind {
    case 0:
      let index = Int(link.index)
      guard index < peers.count, peers[index].isOpen else { return }
      let due = peers[index].lastIn + settings.idleDrop
      if due > clock.now {
        effects.setTimer(TimerKind.idle(link), after: due - clock.now)
      } else if !policy.neverEndsSilentConnections {
        end(link, into: &effects)
      }
    case 1: end(link, into: &effects)
    case 2: answerWhatIsDue(at: clock, into: &effects)
    default: preconditionFailure("no timer \(timer.kind)")
    }
  }

  // MARK: - Ending

  private mutating func goAway(
    _ link: LinkID, after last: UInt16, into effects: inout Effects<APNsProviderMessage>
  ) {
    let index = Int(link.index)
    peers[index].isLeaving = true
    peers[index].lastStream = last
    effects.send(APNsProviderMessage(.goAway, stream: last), on: link)
    effects.setTimer(TimerKind.leaving(link), after: .seconds(5))
  }

  private mutating func end(_ link: LinkID, into effects: inout Effects<APNsProviderMessage>) {
    effects.append(.close(link))
    forget(link, into: &effects)
  }

  private mutating func forget(_ link: LinkID, into effects: inout Effects<APNsProviderMessage>) {
    guard Int(link.index) < peers.count else { return }
    peers[Int(link.index)].isOpen = false
    waiting.removeAll { $0.link == link }
    effects.cancelTimers(TimerKind.idle(link), TimerKind.leaving(link))
  }

  // MARK: - Requests

  private mutating func takeRequest(
    _ request: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    let index = Int(link.index)
    // Above the last stream of GOAWAY: ignored (RFC 9113 §6.8).
    if peers[index].isLeaving, request.stream > peers[index].lastStream { return }
    peers[index].highest = max(peers[index].highest, request.stream)
    peers[index].requests &+= 1
    requests &+= 1
    let (status, value) = judge(request, index, at: clock)
    peers[index].lastRequest = clock.now
    let isDropped =
      settings.unansweredEvery > 0 && requests % settings.unansweredEvery == 0
    if !isDropped {
      answer(.answer(status, to: request, value: value), on: link, at: clock, into: &effects)
    }
    let isEnough =
      settings.goAwayAfter > 0 && UInt64(peers[index].requests) >= settings.goAwayAfter
    if isEnough || requests == settings.goAwayAt, !peers[index].isLeaving {
      goAway(link, after: request.stream, into: &effects)
    }
  }

  private mutating func judge(
    _ request: APNsProviderMessage, _ index: Int, at clock: Clock
  ) -> (APNsProviderStatus, UInt32) {
    if clock.now - peers[index].lastRequest >= settings.idleWedge { peers[index].isWedged = true }
    if peers[index].isWedged { return (.serverError, .max) }
    if peers[index].isStuck { return (.expiredToken, .max) }
    if let refusal = judgeToken(request.issued, index, at: clock) { return (refusal, .max) }
    if clock.now - launched < settings.busyFor { return (.unavailable, .max) }
    if let since = goneSince(request.topic, at: clock.now) { return (.unregistered, since) }
    if settings.throttle > 0, isTooMany(request.topic, at: clock.now) {
      return (.tooManyRequests, 1)
    }
    return (.accepted, .max)
  }

  /// Apple: 403 when older than an hour or from the future, 429 when changed within 20 minutes.
  private mutating func judgeToken(
    _ issued: UInt32, _ index: Int, at clock: Clock
  ) -> APNsProviderStatus? {
    let age = Int64(clock.wall.wholeSeconds) - Int64(issued)
    let tolerance = Int64(settings.clockTolerance.count / 1_000_000_000)
    if age > Int64(settings.tokenLifetime.count / 1_000_000_000) + tolerance {
      peers[index].isStuck = true
      return .expiredToken
    }
    if age < -tolerance { return .tokenFromTheFuture }
    if peers[index].issued == issued { return nil }
    if peers[index].issued != 0 {
      // The first token of a connection is no update.
      let last = peers[index].updated
      if last != .never,
        clock.now - last + settings.clockTolerance < settings.updateInterval
      {
        return .tooManyTokenUpdates
      }
      peers[index].updated = clock.now
    }
    peers[index].issued = issued
    return nil
  }

  private func goneSince(_ topic: UInt16, at now: Instant) -> UInt32? {
    guard topic == settings.goneTopic, now >= .start + settings.goneSince,
      settings.backAfter == .forever || now < .start + settings.backAfter
    else { return nil }
    return (Instant.start + settings.goneSince).wholeSeconds
  }

  private mutating func isTooMany(_ topic: UInt16, at now: Instant) -> Bool {
    let second = now.nanoseconds / 1_000_000_000
    for index in rates.indices where rates[index].topic == topic {
      if rates[index].second != second {
        rates[index] = Rate(topic: topic, second: second, count: 0)
      }
      rates[index].count &+= 1
      return rates[index].count > settings.throttle
    }
    rates.append(Rate(topic: topic, second: second, count: 1))
    return false
  }

  // MARK: - Answers

  private mutating func answer(
    _ answer: APNsProviderMessage, on link: LinkID, at clock: Clock,
    into effects: inout Effects<APNsProviderMessage>
  ) {
    guard settings.answerSpread > .zero, answer.stream & 1 == 1 else {
      effects.send(answer, on: link)
      return
    }
    peers[Int(link.index)].open &+= 1
    waiting.append(Waiting(link: link, answer: answer, due: clock.now + settings.answerSpread))
    effects.setTimer(TimerKind.answers, after: settings.answerSpread)
  }

  private mutating func answerWhatIsDue(
    at clock: Clock, into effects: inout Effects<APNsProviderMessage>
  ) {
    var next = Instant.never
    var kept = 0
    for index in waiting.indices {
      let entry = waiting[index]
      if entry.due <= clock.now {
        effects.send(entry.answer, on: entry.link)
        peers[Int(entry.link.index)].open &-= 1
        continue
      }
      next = min(next, entry.due)
      waiting[kept] = entry
      kept &+= 1
    }
    waiting.removeLast(waiting.count &- kept)
    if next != .never { effects.setTimer(TimerKind.answers, after: next - clock.now) }
  }
}

/// What the front does differently from what Apple says of it.
struct APNsProviderFrontPolicy: Sendable, BitwiseCopyable {
  /// A connection on which nothing comes is kept for ever.
  var neverEndsSilentConnections = false
}
