import Custody
import HTTP2
import Timeline
import Wire

/// What a capture proves about a provider and APNs: of requests without an answer, and of
/// connections that went wrong.
struct APNsProviderJudge {
  let observer: APNsProviderObserver
  private let conversations: [SessionID: APNsProviderConversation]

  init(_ observer: APNsProviderObserver) {
    self.observer = observer
    conversations = Dictionary(
      observer.closed.map { ($0.record.id, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func conversation(_ request: APNsRequest) -> APNsProviderConversation? {
    conversations[request.session]
  }

  // MARK: Requests without an answer

  /// Says how a push without an answer ended, by its last request.
  func settle(_ push: APNsPush) {
    let request = push.last
    let (state, reason) = Self.judge(request, push.subscriber, on: push.conversation)
    push.state = state
    push.reason = reason
    if state == .ghost || state == .lost {
      push.note(
        .dropped, request.ended ?? observer.now, request, reason, holder: .nobody)
    }
  }

  /// How it would have ended if the capture were over.
  static func judge(
    _ request: APNsRequest, _ subscriber: String, on conversation: APNsProviderConversation
  ) -> (state: DeliveryState, reason: String) {
    guard let sent = request.sent else { return (.unknown, "it was not sent whole") }
    let observer = conversation.observer
    if conversation.missedFromServer {
      return (.unknown, "an answer may be missing: " + conversation.record.evidenceMissing)
    }
    let passedOver = conversation.highestAnswered > request.stream
    let since = request.ended ?? sent
    let isLate = observer.now.time >= since.time + APNsProviderObserver.longestWait
    let cameBack = observer.cameBack(subscriber, after: since, than: request.session)
    switch request.outcome {
    case .answered: return (.unknown, "")
    case .waiting:
      if isLate {
        return (
          .ghost,
          "APNs did not answer it for \((observer.now.time - sent.time).seconds3), on a "
            + "connection that is still open" + (passedOver ? ", and answered later requests" : "")
        )
      }
      return (.pending, "the capture ended \((observer.now.time - sent.time).seconds3) after it")
    case .refused(let why):
      if cameBack || isLate {
        return (.lost, "APNs did not process it (\(why)), and nobody asked again")
      }
      return (.pending, "APNs did not process it (\(why)): it is safe to ask again")
    case .reset(let direction, let code):
      let who = direction == .toClient ? "APNs" : "the provider"
      return unanswered("\(who) reset its stream with \(code)", passedOver, cameBack || isLate)
    case .left:
      let goAway = request.isCovered ? ", not above the last stream of GOAWAY" : ""
      return unanswered(
        "the connection ended before an answer\(goAway)", passedOver, cameBack || isLate)
    }
  }

  /// Whether APNs has it is not known; whether anybody cares shows in what the provider did next.
  private static func unanswered(
    _ how: String, _ passedOver: Bool, _ wentOn: Bool
  ) -> (state: DeliveryState, reason: String) {
    if wentOn { return (.ghost, "\(how), and the provider went on without asking again") }
    if passedOver {
      return (
        .ghost, "\(how), later requests on it were answered, and nobody asked for it again"
      )
    }
    return (.unknown, "\(how), and the capture ended soon after")
  }

  // MARK: Findings

  /// - Parameter left: the pushes without an answer, in order.
  func findings(_ left: [APNsPush]) -> [FindingRecord] {
    let stories = APNsProviderStories(self)
    var violated: [FindingRecord] = []
    var inconclusive: [FindingRecord] = []
    for state in [DeliveryState.ghost, .lost] {
      violated += groups(left.filter { $0.state == state }).map { stories.unanswered($0, state) }
    }
    for conversation in observer.closed { violated += connectionFindings(conversation, stories) }
    violated += observer.repeated.map { stories.repeated($0.push, accepted: $0.accepted) }
    if !observer.deadAgain.isEmpty { violated.append(stories.dead(observer.deadAgain)) }
    violated += observer.violations.findings { session in
      conversations[session]?.record.subscriber ?? "?"
    }
    let doubtful = left.filter { push in
      push.state == .unknown || push.state == .pending && isOverdue(push.last)
    }
    inconclusive += groups(doubtful).map { stories.undecided($0) }
    var good = groups(observer.recovered).map { stories.recovered($0) }
    good += stories.rejected(observer)
    good += stories.accepted(observer)
    return violated + inconclusive + good
  }

  private func isOverdue(_ request: APNsRequest) -> Bool {
    guard let sent = request.sent else { return false }
    return observer.now.time >= sent.time + APNsProviderObserver.patience
  }

  /// Those whose first request was on one connection and that ended in one way belong together.
  private func groups(_ pushes: [APNsPush]) -> [[APNsPush]] {
    var groups: [[APNsPush]] = []
    var index: [String: Int] = [:]
    for push in pushes {
      let key = "\(push.last.session.number) \(push.requests.count > 1) \(push.reason)"
      if let at = index[key] {
        groups[at].append(push)
      } else {
        index[key] = groups.count
        groups.append([push])
      }
    }
    return groups
  }

  private func connectionFindings(
    _ conversation: APNsProviderConversation, _ stories: APNsProviderStories
  ) -> [FindingRecord] {
    if !conversation.record.evidenceMissing.isEmpty { return [] }
    var findings: [FindingRecord] = []
    if let silence = conversation.longestSilence,
      silence.until.time >= silence.since.time + APNsProviderObserver.longestWait
    {
      findings.append(stories.zombie(conversation, silence))
    }
    if let wedge = conversation.wedge, !wedge.refusedAfter.isEmpty {
      findings.append(stories.wedged(conversation, wedge))
    }
    if let refused = conversation.refusedUpdates, conversation.tokens.count > 1 {
      findings.append(stories.updates(conversation, refused))
    }
    for stall in conversation.stalls {
      findings.append(stories.blocked(conversation, stall))
    }
    for direction in Direction.allCases where conversation.unacknowledgedSettings[direction] > 0 {
      guard let sent = conversation.hasSettings[direction],
        let heard = conversation.lastBytes[direction.opposite],
        heard.time >= sent.time + APNsProviderObserver.patience
      else { continue }
      findings.append(stories.settings(conversation, direction, sent, heard))
    }
    for direction in Direction.allCases {
      guard let ping = conversation.pings[direction].first,
        let heard = conversation.lastBytes[direction],
        heard.time >= ping.moment.time + APNsProviderObserver.patience
      else { continue }
      findings.append(stories.ping(conversation, direction, ping, heard))
    }
    return findings
  }
}
