import Custody
import HTTP2
import Timeline
import Wire

/// Tells what happened to requests and connections, in lines that name time and packet.
struct APNsProviderStories {
  private typealias Text = APNsProviderText
  private let judge: APNsProviderJudge
  /// Pushes of a group that a story names one by one.
  private static let named = 3

  init(_ judge: APNsProviderJudge) { self.judge = judge }

  // MARK: Requests

  func unanswered(_ group: [APNsPush], _ state: DeliveryState) -> FindingRecord {
    let isGhost = state == .ghost
    let subscriber = group[0].subscriber
    return FindingRecord(
      isGhost ? .ghost : .lost, .violated, label: isGhost ? "GHOST" : "LOST",
      subscriber: subscriber, deliveries: group.map(\.id),
      headline: "\(Text.requests(group.count)) of \(subscriber) \(Text.were(group.count)) "
        + (isGhost ? "sent and never answered" : "refused unprocessed and never asked again"),
      reason: sentence(group[0].reason)
        + (isGhost ? " Whether APNs took \(Text.them(group.count)) is not known." : ""),
      story: inOrder(sending(group) + ending(group)))
  }

  func undecided(_ group: [APNsPush]) -> FindingRecord {
    let subscriber = group[0].subscriber
    return FindingRecord(
      .ghost, .inconclusive, label: "UNANSWERED", subscriber: subscriber,
      deliveries: group.map(\.id),
      headline: "\(Text.requests(group.count)) of \(subscriber) \(Text.were(group.count)) not "
        + "answered; what became of \(Text.them(group.count)) can't be told",
      reason: sentence(group[0].reason), story: inOrder(sending(group) + ending(group)))
  }

  func recovered(_ group: [APNsPush]) -> FindingRecord {
    let push = group[0]
    let isSafe = group.allSatisfy { push in
      push.requests.dropLast().allSatisfy {
        if case .refused = $0.outcome { true } else { false }
      }
    }
    var story = sending(group) + ending(group, first: true)
    for push in group.prefix(Self.named) {
      story.append(line(push.last.sent, "\(name(push.last)) is asked for again"))
      story.append(line(push.last.ended, "\(name(push.last)): \(outcome(push.last))"))
    }
    return FindingRecord(
      isSafe ? .lost : .duplicate, .holds, label: "RECOVERED", subscriber: push.subscriber,
      deliveries: group.map(\.id),
      headline: "\(Text.requests(group.count)) of \(push.subscriber) \(Text.were(group.count)) "
        + "asked again on another stream, and answered",
      reason: isSafe
        ? "APNs had not processed \(Text.them(group.count)), so nothing is delivered twice."
        : "Whether APNs had taken the first request is not known: it does not compare apns-ids, "
          + "so a device may get the push twice.",
      story: inOrder(story))
  }

  func repeated(_ push: APNsPush, accepted: Moment) -> FindingRecord {
    FindingRecord(
      .duplicate, .violated, label: "DUPLICATE", subscriber: push.subscriber,
      deliveries: [push.id],
      headline: "a request of \(push.subscriber) was made again after a 200",
      reason: "APNs does not compare apns-ids: the device may get the push twice.",
      story: inOrder([
        line(accepted, "\(name(push.first)): 200"),
        line(push.first.sent, "asked for again with the same apns-id"),
      ]))
  }

  func dead(_ all: [(push: APNsPush, first: Moment)]) -> FindingRecord {
    let push = all[0].push
    var story = [line(all[0].first, "410: APNs calls the device token dead")]
    story += all.prefix(Self.named).map {
      line($0.push.last.ended, "asked again, \(outcome($0.push.last))")
    }
    return FindingRecord(
      .protocolRule, .violated, label: "DEAD TOKEN", subscriber: push.subscriber,
      deliveries: all.map(\.push.id),
      headline:
        "\(Text.requests(all.count)) of \(push.subscriber) for device tokens that a 410 had "
        + "called dead",
      reason: "After 410 a token is not used again unless the app registers it anew.",
      rule: "APNs 410", story: inOrder(story))
  }

  /// What APNs said no to, each reason once.
  func rejected(_ observer: APNsProviderObserver) -> [FindingRecord] {
    observer.refusals.map { subscriber, refusals in
      let count = refusals.reduce(0) { $0 + $1.count }
      return FindingRecord(
        .lost, .holds, label: "REFUSED", subscriber: subscriber,
        headline: "\(Text.requests(count)) of \(subscriber) \(Text.were(count)) answered with "
          + "something else than 200",
        reason: "An answer is an end: whether to ask again depends on the reason.",
        story: refusals.map { refusal in
          let more = refusal.count > 1 ? ", the first of \(refusal.count)" : ""
          return line(refusal.first, "\(refusal.what)\(more)")
        })
    }
  }

  func accepted(_ observer: APNsProviderObserver) -> [FindingRecord] {
    var subscribers: [String] = []
    var counts: [String: (count: UInt32, first: RecordedMoment)] = [:]
    for conversation in observer.closed where conversation.record.accepted > 0 {
      let record = conversation.record
      if counts[record.subscriber] == nil {
        subscribers.append(record.subscriber)
        counts[record.subscriber] = (0, record.began)
      }
      counts[record.subscriber]?.count += record.accepted
    }
    return subscribers.compactMap { subscriber in
      guard let (count, first) = counts[subscriber] else { return nil }
      return FindingRecord(
        .ghost, .holds, label: "ACCEPTED", subscriber: subscriber,
        headline: "\(Text.requests(Int(count))) of \(subscriber) \(Text.were(Int(count))) "
          + "answered with 200",
        reason: "A 200 is accepted, not delivered: whether a device exists, is there and gets the "
          + "push does not show on this connection.",
        story: [StoryLine(first, "the first of its connections begins")])
    }
  }

  // MARK: Connections

  func zombie(
    _ conversation: APNsProviderConversation, _ silence: APNsProviderConversation.Silence
  ) -> FindingRecord {
    let length = (silence.until.time - silence.since.time).seconds3
    return finding(
      .zombie, "ZOMBIE", conversation,
      "wrote \(Text.requests(silence.requests)) in \(length) to a connection on which APNs was "
        + "silent",
      "No answer, no PING, not a byte: the connection is half open, and nobody looked.",
      [
        line(silence.since, "the first request into the silence"),
        line(silence.until, "the last of \(silence.requests)"),
      ])
  }

  func ping(
    _ conversation: APNsProviderConversation, _ sender: Direction,
    _ ping: APNsProviderConversation.Ping, _ heard: Moment
  ) -> FindingRecord {
    let who = sender == .toServer ? "the provider" : "APNs"
    return finding(
      .zombie, "PING", conversation,
      "kept a connection on which a PING was not answered",
      "\(who) asked with PING, got no answer, and went on for "
        + "\((heard.time - ping.moment.time).seconds3) (RFC 9113 §6.7).",
      [line(ping.moment, "PING of \(who)"), line(heard, "\(who) still writes")],
      rule: "RFC 9113 §6.7")
  }

  func wedged(
    _ conversation: APNsProviderConversation, _ wedge: APNsProviderConversation.Wedge
  ) -> FindingRecord {
    finding(
      .stuck, "WEDGED", conversation,
      "got ExpiredProviderToken for a fresh token, \(wedge.refusedAfter.count) times",
      "After ExpiredProviderToken a connection may refuse good tokens too: a new token needs a new "
        + "connection.",
      [
        line(wedge.expired, "403 ExpiredProviderToken"),
        line(wedge.refusedAfter.first, "403 ExpiredProviderToken, with a token of this hour"),
      ])
  }

  func updates(
    _ conversation: APNsProviderConversation, _ refused: Moment
  ) -> FindingRecord {
    let tokens = conversation.tokens
    return finding(
      .protocolRule, "TOKEN UPDATES", conversation,
      "used \(tokens.count) provider tokens on one connection and was throttled for it",
      "A provider token is to be kept for 20 minutes at least, and 60 at most.",
      tokens.prefix(Self.named).map {
        line($0.first, "a token issued at \($0.issuedAt)")
      } + [line(refused, "429 TooManyProviderTokenUpdates")], rule: "APNs 429")
  }

  func blocked(
    _ conversation: APNsProviderConversation, _ stall: HTTP2Stall
  ) -> FindingRecord {
    let who = stall.direction == .toServer ? "the provider" : "APNs"
    let length = (stall.until.time - stall.since.time).seconds3
    return finding(
      .stuck, "BLOCKED", conversation,
      "could not send on for \(length): the window of "
        + (stall.isConnection ? "the connection" : "stream \(stall.stream)") + " was closed",
      "\(who) had begun stream \(stall.stream) and not ended it; a window that only shrinks stops "
        + "everything (RFC 9113 §5.2).",
      [
        line(stall.since, "the window is used up"),
        line(stall.until, "room again, or the end"),
      ], rule: "RFC 9113 §5.2")
  }

  func settings(
    _ conversation: APNsProviderConversation, _ sender: Direction, _ sent: Moment, _ heard: Moment
  ) -> FindingRecord {
    let who = sender == .toServer ? "APNs" : "the provider"
    return finding(
      .protocolRule, "SETTINGS", conversation,
      "SETTINGS were never acknowledged by \(who)",
      "Who gets SETTINGS acknowledges them as soon as possible (RFC 9113 §6.5.3).",
      [line(sent, "SETTINGS"), line(heard, "\(who) still writes, and has not acknowledged")],
      rule: "RFC 9113 §6.5.3")
  }

  private func finding(
    _ oracle: FindingRecord.Oracle, _ label: String, _ conversation: APNsProviderConversation,
    _ headline: String, _ reason: String, _ story: [StoryLine], rule: String = ""
  ) -> FindingRecord {
    FindingRecord(
      oracle, .violated, label: label, subscriber: conversation.record.subscriber,
      headline: "\(conversation.record.subscriber), session \(conversation.record.id.number): "
        + headline,
      reason: sentence(reason), rule: rule, story: inOrder(story))
  }

  // MARK: Lines

  private func line(_ moment: Moment?, _ text: String) -> StoryLine {
    StoryLine(RecordedMoment(moment ?? Moment(time: .start, frame: 0)), text)
  }

  private func name(_ request: APNsRequest) -> String {
    "stream \(request.stream)" + (request.path.map { " (\($0.text))" } ?? "")
  }

  private func outcome(_ request: APNsRequest) -> String {
    switch request.outcome {
    case .waiting: "no answer"
    case .answered(let status, let reason, let timestamp):
      APNsProviderObserver.words(status, reason, timestamp)
    case .reset(let direction, let code):
      "reset by \(direction == .toClient ? "APNs" : "the provider") with \(code)"
    case .refused(let why): "not processed: \(why)"
    case .left: "the connection ends first"
    }
  }

  /// The first requests of a group, and what TCP says of them.
  private func sending(_ group: [APNsPush]) -> [StoryLine] {
    var lines: [StoryLine] = []
    for push in group.prefix(Self.named) {
      let request = push.first
      lines.append(line(request.sent, "\(name(request)) is asked for: \(request.note)"))
    }
    if let reached = group.first?.first.reached {
      lines.append(line(reached, "TCP acknowledges it: APNs' host has it"))
    }
    if group.count > Self.named, let last = group.last {
      lines.append(line(last.first.sent, "the last of \(group.count) is asked for"))
    }
    return lines
  }

  /// What ended the waiting: GOAWAY, a reset, the end of the connection.
  ///
  /// - Parameter first: of the first requests, else of the last ones.
  private func ending(_ group: [APNsPush], first: Bool = false) -> [StoryLine] {
    var lines: [StoryLine] = []
    let request = first ? group[0].first : group[0].last
    guard let conversation = judge.conversation(request) else { return [] }
    if let goAway = conversation.goAways[.toClient] {
      let said = goAway.reason.isEmpty ? "" : " (\(goAway.reason))"
      lines.append(
        line(
          goAway.moment, "GOAWAY \(goAway.code), last stream \(goAway.lastStream)\(said)"))
    }
    if !first, group[0].requests.count > 1 {
      lines.append(line(request.sent, "asked for again: \(name(request))"))
    }
    if case .reset = request.outcome {
      lines.append(line(request.ended, outcome(request)))
    } else if let departed = conversation.departed {
      lines.append(
        line(departed, "session \(conversation.record.id.number): \(end(conversation))"))
    }
    return lines
  }

  private func end(_ conversation: APNsProviderConversation) -> String {
    switch conversation.record.end {
    case .clientClosed: "the provider closes the connection"
    case .clientReset: "the provider's host resets the connection"
    case .serverClosed: "APNs closes the connection"
    case .serverReset: "APNs' host resets the connection"
    case .dismissed, .disconnected: "the connection is closed"
    case .open, .takenOver, .refused, .unknown: "nothing more is known of the connection"
    }
  }

  private func inOrder(_ lines: [StoryLine]) -> [StoryLine] {
    lines.enumerated().sorted { a, b in
      (a.element.moment.time, a.offset) < (b.element.moment.time, b.offset)
    }.map(\.element)
  }

  private func sentence(_ text: String) -> String {
    if text.isEmpty { return "" }
    let end = text.hasSuffix(".") ? "" : "."
    return text.prefix(1).uppercased() + text.dropFirst() + end
  }
}
