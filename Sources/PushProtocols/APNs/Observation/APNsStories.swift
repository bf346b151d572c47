import Custody
import Timeline
import Wire

/// Tells what happened to notifications, in lines that name time and packet.
struct APNsStories {
  let observer: APNsCaptureObserver
  private let conversations: [SessionID: APNsConversation]

  init(_ observer: APNsCaptureObserver) {
    self.observer = observer
    conversations = Dictionary(
      observer.closed.lazy.map { ($0.record.id, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Whose session it was.
  func name(of session: SessionID) -> String { conversations[session]?.name ?? "?" }

  // MARK: Violations

  func ghost(_ group: [APNsDelivery]) -> FindingRecord {
    FindingRecord(
      .ghost, .violated, label: "GHOST", subscriber: group[0].device.name,
      deliveries: group.map(\.id),
      headline: "\(count(group)) to \(group[0].device.name) \(were(group)) sent, never "
        + "acknowledged, and \(group.count == 1 ? "is" : "are") in no store any more",
      reason: sentence(group[0].reason)
        + " The capture shows no connection of it in between.",
      story: inOrder(sending(group) + ending(group) + comeback(group) + drop(group[0])))
  }

  func stuck(_ group: [APNsDelivery]) -> FindingRecord {
    let name = group[0].device.name
    let isAgain = group[0].attempts >= APNsJudge.mostAttempts
    var story = sending(group)
    if isAgain {
      story += group[0].events.filter { $0.step == .redelivered }.prefix(5).map {
        StoryLine($0.moment, "sent again on session \($0.session?.number ?? 0)")
      }
    } else if let heard = group[0].conversation?.lastClientFrame {
      story.append(StoryLine(RecordedMoment(heard), "\(name) still talks on this connection"))
    }
    return FindingRecord(
      .stuck, .violated, label: "STUCK", subscriber: name, deliveries: group.map(\.id),
      headline: isAgain
        ? "\(count(group)) to \(name) \(were(group)) sent \(group[0].attempts) times and never "
          + "acknowledged"
        : "\(count(group)) to \(name) \(were(group)) left unacknowledged although it talked on",
      reason: "A device acknowledges every notification, also one that no app wants; couriers "
        + "close connections that don't.",
      story: inOrder(story))
  }

  func zombie(_ zombie: APNsZombie, _ conversation: APNsConversation) -> FindingRecord {
    let silence = zombie.silence.seconds3
    let name = conversation.name
    let until =
      zombie.hasClosed
      ? "\(name) closes the connection, \(silence) after it asked"
      : "\(name) still uses the connection, \(silence) after it asked"
    return FindingRecord(
      .zombie, .violated, label: "ZOMBIE", subscriber: name,
      headline: "\(name) kept a connection for \(silence) on which its KeepAlive was not answered; "
        + "\(APNsKeepAliveWatch.bound) are allowed",
      reason: "A device that gets no KeepAliveResponse within \(APNsKeepAliveWatch.bound) takes "
        + "the connection for dead and makes a new one.",
      rule: "apns-keep-alive",
      story: [
        StoryLine(RecordedMoment(zombie.asked), "KeepAlive  \(name) → courier"),
        StoryLine(RecordedMoment(zombie.until), until),
      ])
  }

  func refused(_ device: APNsObservedDevice) -> FindingRecord {
    let count = device.refusals.count
    return FindingRecord(
      .protocolRule, .violated, label: "LOOP", subscriber: device.name,
      headline: "\(device.name) presented the same token \(count) times although the courier "
        + "refused it",
      reason: "After a refusal a device forgets its token and connects without one.",
      rule: "apns-refused-token",
      story: device.refusals.prefix(5).map {
        StoryLine(
          RecordedMoment($0.moment),
          "Connect with that token on session \($0.session.number): refused")
      })
  }

  // MARK: Not decided

  func unknown(_ group: [APNsDelivery]) -> FindingRecord {
    FindingRecord(
      .lost, .inconclusive, label: "UNKNOWN", subscriber: group[0].device.name,
      deliveries: group.map(\.id),
      headline: "what became of \(count(group)) to \(group[0].device.name) can't be told",
      reason: sentence(group[0].reason), story: inOrder(sending(group)))
  }

  // MARK: Ended by the rules

  func recovered(_ group: [APNsDelivery]) -> FindingRecord {
    let name = group[0].device.name
    let reached = group.allSatisfy { delivery in
      let first = delivery.events.first
      return delivery.events.contains {
        $0.step == .transportAcknowledged && $0.session == first?.session
      }
    }
    let longest = group.compactMap(\.lateness).max() ?? .zero
    return FindingRecord(
      .ghost, .holds, label: "RECOVERED", subscriber: name, deliveries: group.map(\.id),
      headline: "\(count(group)) to \(name) \(were(group)) "
        + (reached
          ? "sent to a device that did not answer any more" : "sent into a dead connection")
        + ", and again later",
      reason: "The courier held \(group.count == 1 ? "it" : "them") for up to "
        + "\(longest.seconds3). Nothing was lost.",
      story: inOrder(sending(group) + ending(group) + again(group)))
  }

  func superseded(_ group: [APNsDelivery]) -> FindingRecord {
    FindingRecord(
      .lost, .holds, label: "COALESCED", subscriber: group[0].device.name,
      deliveries: group.map(\.id),
      headline: "\(count(group)) to \(group[0].device.name) made room for something newer of the "
        + "same app",
      reason: sentence(group[0].reason) + " An app that fetches what changed loses nothing.",
      story: inOrder(sending(group) + ending(group)))
  }

  func expired(_ group: [APNsDelivery]) -> FindingRecord {
    var story = sending(group) + ending(group)
    if let expired = group[0].event(.expired) {
      story.append(StoryLine(expired.moment, "its time is over"))
    }
    return FindingRecord(
      .lost, .holds, label: "EXPIRED", subscriber: group[0].device.name,
      deliveries: group.map(\.id),
      headline: "\(count(group)) to \(group[0].device.name) ended unacknowledged, as \(its(group)) "
        + "sender allowed",
      reason: sentence(group[0].reason), story: inOrder(story))
  }

  func newToken(_ change: APNsNewToken) -> FindingRecord {
    FindingRecord(
      .protocolRule, .holds, label: "NEW TOKEN", subscriber: change.to.name,
      headline: "\(change.from.name) was given another token: \(change.to.name) from now on",
      reason: "Whoever still sends to the old token, or to a token of an app that came from it, "
        + "reaches nobody.",
      story: [
        StoryLine(
          RecordedMoment(change.moment),
          "ConnectResponse of session \(change.session.number) has another token than was presented"
        )
      ])
  }

  // MARK: Lines

  /// The first sendings, and what TCP says of them.
  private func sending(_ group: [APNsDelivery]) -> [StoryLine] {
    guard let event = group[0].event(.sent) else { return [] }
    let name = group[0].device.name
    var lines = [
      StoryLine(
        event.moment,
        "Notification \(group[0].topicShort)  courier → \(name)  (\(event.note))")
    ]
    if let reached = group[0].events.first(where: {
      $0.step == .transportAcknowledged && $0.session == event.session
    }) {
      lines.append(
        StoryLine(reached.moment, "TCP acknowledges it: the device's kernel has it"))
    }
    if group.count > 1, let last = group.last?.event(.sent) {
      lines.append(StoryLine(last.moment, "the last of \(group.count) is sent (\(last.note))"))
    }
    return lines
  }

  /// How the connection of the first sending ended, and answers that did not count.
  private func ending(_ group: [APNsDelivery]) -> [StoryLine] {
    guard let session = group[0].event(.sent)?.session, let conversation = conversations[session]
    else { return [] }
    let name = conversation.name
    var lines: [StoryLine] = []
    if let client = conversation.client {
      let how =
        switch client.how {
        case .saidGoodbye: "\(name) says that it goes"
        case .finished: "\(name) closes the connection"
        case .reset: "\(name)'s host resets the connection"
        }
      lines.append(StoryLine(RecordedMoment(client.moment), how))
    }
    if let server = conversation.server {
      let how =
        server.how == .reset
        ? "the courier's host resets the connection" : "the courier closes the connection"
      lines.append(StoryLine(RecordedMoment(server.moment), how))
    }
    for delivery in group.prefix(5) {
      if let late = delivery.event(.lateAcknowledgement) {
        lines.append(
          StoryLine(
            late.moment,
            "\(delivery.idText) is acknowledged on the closed connection: too late to count"))
      }
      if let doubtful = delivery.event(.unconfirmedAcknowledgement) {
        lines.append(
          StoryLine(
            doubtful.moment,
            "the acknowledgement of \(delivery.idText) did not reach the courier's TCP"))
      }
    }
    return lines
  }

  /// The connection on which it should have come again.
  private func comeback(_ group: [APNsDelivery]) -> [StoryLine] {
    guard let conversation = group[0].passedOver?.conversation else { return [] }
    var lines = [
      StoryLine(
        conversation.record.began,
        "\(conversation.name) is back (session "
          + "\(conversation.record.id.number))")
    ]
    if let filter = conversation.firstFilter {
      lines.append(
        StoryLine(RecordedMoment(filter), "it says which topics it wants, this among them"))
    }
    return lines
  }

  private func again(_ group: [APNsDelivery]) -> [StoryLine] {
    var lines: [StoryLine] = []
    if let again = group[0].event(.redelivered) {
      lines.append(StoryLine(again.moment, "sent again on a new connection (\(again.note))"))
    }
    if let last = group.compactMap(\.acknowledged).max(by: { $0.moment.time < $1.moment.time }) {
      lines.append(
        StoryLine(
          RecordedMoment(last.moment),
          group.count == 1 ? "acknowledged" : "the last of \(group.count) is acknowledged"))
    }
    return lines
  }

  private func drop(_ delivery: APNsDelivery) -> [StoryLine] {
    delivery.event(.dropped).map { [StoryLine($0.moment, $0.note)] } ?? []
  }

  private func inOrder(_ lines: [StoryLine]) -> [StoryLine] {
    lines.enumerated().sorted { a, b in
      (a.element.moment.time, a.offset) < (b.element.moment.time, b.offset)
    }.map(\.element)
  }

  // MARK: Words

  private func count(_ group: [APNsDelivery]) -> String {
    group.count == 1 ? "1 notification" : "\(group.count) notifications"
  }

  private func were(_ group: [APNsDelivery]) -> String { group.count == 1 ? "was" : "were" }

  private func its(_ group: [APNsDelivery]) -> String { group.count == 1 ? "its" : "their" }

  private func sentence(_ text: String) -> String {
    text.isEmpty ? "" : text.prefix(1).uppercased() + text.dropFirst() + "."
  }
}
