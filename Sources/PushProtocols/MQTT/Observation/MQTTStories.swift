import Custody
import Timeline
import Wire

/// Tells what happened to deliveries, in lines that name time and packet.
struct MQTTStories {
  let observer: MQTTCaptureObserver
  /// Places in the observer's list.
  private let conversations: [SessionID: Int]

  init(_ observer: MQTTCaptureObserver) {
    self.observer = observer
    conversations = Dictionary(
      observer.closed.enumerated().lazy.map { ($0.element.record.id, $0.offset) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Whose session it was.
  func name(of session: SessionID) -> String {
    conversations[session].map { observer.closed[$0].name } ?? "?"
  }

  // MARK: Violations

  func ghost(_ group: MQTTDeliveryGroup) -> FindingRecord {
    let subscriber = group.first.subscriber
    return FindingRecord(
      .ghost, .violated, label: "GHOST", subscriber: subscriber,
      deliveries: group.numbersInOrder,
      headline: "\(count(group.count)) to \(subscriber) \(were(group.count)) sent, never "
        + "acknowledged, and given up by the server",
      reason: sentence(group.first.reason),
      story: inOrder(
        acceptance(group) + sending(group) + ending(group.deliveries)
          + drop(group.first, "the server goes on without \(them(group.count))")))
  }

  func lost(_ group: MQTTDeliveryGroup) -> FindingRecord {
    let subscriber = group.first.subscriber
    let sent = group.deliveries.contains { $0.firstSent != nil }
    return FindingRecord(
      .lost, .violated, label: "LOST", subscriber: subscriber,
      deliveries: group.numbersInOrder,
      headline: "\(count(group.count)) to \(subscriber) \(were(group.count)) accepted and "
        + (sent ? "never acknowledged" : "never sent"),
      reason: sentence(group.first.reason)
        + " Nobody will ever send \(them(group.count))\(sent ? " again" : "").",
      story: inOrder(
        acceptance(group) + sending(group)
          + drop(group.first, group.first.reason)))
  }

  func stuck(_ group: MQTTDeliveryGroup) -> FindingRecord {
    let subscriber = group.first.subscriber
    return FindingRecord(
      .stuck, .violated, label: "STUCK", subscriber: subscriber,
      deliveries: group.numbersInOrder,
      headline: "\(count(group.count)) to \(subscriber) \(were(group.count)) left over although "
        + "both ends were connected and talked",
      reason: sentence(group.first.reason),
      story: inOrder(acceptance(group) + sending(group)))
  }

  func zombie(_ zombie: MQTTZombie, _ conversation: MQTTConversation) -> FindingRecord {
    let name = conversation.name
    let sentInVain = observer.deliveries.filter { delivery in
      delivery.log.events.contains {
        ($0.step == .sent || $0.step == .redelivered) && $0.session == conversation.record.id
          && $0.moment.time >= zombie.lastHeard.time
          && delivery.acknowledgedIn != conversation.record.id
      }
    }
    let silence = zombie.silence.seconds3
    let until =
      switch zombie.proof {
      case .closed: "the server closes the connection, \(silence) after \(name)'s last packet"
      case .reset: "the server resets the connection, \(silence) after \(name)'s last packet"
      case .dismissed: "the server says goodbye, \(silence) after \(name)'s last packet"
      case .sent: "the server still sends, \(silence) after \(name)'s last packet"
      case .answered: "\(name) is heard again after \(silence), and the server takes it"
      case .captureOver: "the capture ends: the server has kept \(name) for \(silence)"
      }
    let statement = conversation.version == .v5 ? "MQTT-3.1.2-22" : "MQTT-3.1.2-24"
    var story = [
      StoryLine(
        RecordedMoment(zombie.lastHeard),
        "last packet of \(name); its keep-alive is \(conversation.keepAlive)")
    ]
    if let first = sentInVain.first?.log.events.first(where: {
      $0.session == conversation.record.id && ($0.step == .sent || $0.step == .redelivered)
    }) {
      story.append(
        StoryLine(
          first.moment, "the server sends \(count(sentInVain.count)) into the silence"))
    }
    story.append(StoryLine(RecordedMoment(zombie.until), until))
    return FindingRecord(
      .zombie, .violated, label: "ZOMBIE", subscriber: name,
      deliveries: sentInVain.map(\.id),
      headline: "the server kept \(name) for \(silence) without hearing it; "
        + "\(conversation.silence.bound) are allowed",
      reason: "A server closes after one and a half keep-alives of silence (\(statement)); "
        + "\((conversation.silence.tolerated - conversation.silence.bound)) more are tolerated "
        + "here for the grain of its clock.",
      rule: statement, story: story)
  }

  func duplicate(
    _ delivery: MQTTDelivery, _ moment: Moment, _ session: SessionID
  ) -> FindingRecord {
    let subscriber = delivery.subscriber
    var story = sending(MQTTDeliveryGroup([delivery]))
    if let done = delivery.event(.acknowledged) {
      story.append(StoryLine(done.moment, "\(subscriber) completes it (PUBCOMP)"))
    }
    story.append(StoryLine(RecordedMoment(moment), "the server sends it again"))
    return FindingRecord(
      .duplicate, .violated, label: "DUPLICATE", subscriber: subscriber,
      deliveries: [delivery.id],
      headline: "a QoS 2 delivery to \(subscriber) was sent again after it was completed",
      reason: "Exactly once means that nothing follows PUBCOMP (MQTT-4.3.3-6).",
      rule: "MQTT-4.3.3-6", story: story)
  }

  // MARK: Not decided

  func unknown(_ group: MQTTDeliveryGroup) -> FindingRecord {
    let subscriber = group.first.subscriber
    return FindingRecord(
      .lost, .inconclusive, label: "UNKNOWN", subscriber: subscriber,
      deliveries: group.numbersInOrder,
      headline: "what became of \(count(group.count)) to \(subscriber) can't be told",
      reason: sentence(group.first.reason),
      story: inOrder(acceptance(group) + sending(group)))
  }

  // MARK: Ended by the rules

  func recovered(_ deliveries: [MQTTDelivery]) -> FindingRecord {
    let subscriber = deliveries[0].subscriber
    let first = conversation(of: deliveries[0])
    let session = deliveries[0].event(.sent)?.session
    let reached = deliveries.allSatisfy { delivery in
      delivery.log.events.contains {
        $0.step == .transportAcknowledged && $0.session == session
      }
    }
    let what =
      if deliveries.allSatisfy({ $0.event(.received)?.session == session }) {
        "taken (PUBREC), and the handshake was cut off"
      } else if !reached {
        "sent into a dead connection"
      } else if first?.takenOver != nil {
        "unacknowledged when another connection took over"
      } else {
        "sent to a client that did not answer any more"
      }
    return FindingRecord(
      .ghost, .holds, label: "RECOVERED", subscriber: subscriber,
      deliveries: deliveries.map(\.id),
      headline: "\(count(deliveries.count)) to \(subscriber) \(were(deliveries.count)) \(what)",
      reason: held(deliveries),
      story: inOrder(
        sending(MQTTDeliveryGroup(deliveries)) + ending(deliveries) + again(deliveries)))
  }

  func expired(_ group: MQTTDeliveryGroup) -> FindingRecord {
    let subscriber = group.first.subscriber
    var story = acceptance(group) + sending(group) + ending(group.deliveries)
    if let end = group.first.event(.expired) {
      let what = end.moment.frame == 0 ? "time is up" : "\(subscriber)'s session state is over"
      story.append(StoryLine(end.moment, what))
    }
    return FindingRecord(
      .lost, .holds, label: "EXPIRED", subscriber: subscriber,
      deliveries: group.numbersInOrder,
      headline:
        "\(count(group.count)) to \(subscriber) ended unacknowledged, as the protocol allows",
      reason: sentence(group.first.reason), story: inOrder(story))
  }

  // MARK: Lines

  private func conversation(of delivery: MQTTDelivery) -> MQTTPastConversation? {
    delivery.event(.sent)?.session.flatMap { conversations[$0] }.map { observer.closed[$0] }
  }

  /// Publisher's PUBLISH and the server's yes.
  private func acceptance(_ group: MQTTDeliveryGroup) -> [StoryLine] {
    let first = group.first
    guard let publication = first.publication else { return [] }
    var lines = [
      StoryLine(
        RecordedMoment(publication.submitted),
        "PUBLISH \(first.topic) (QoS \(publication.qos.rawValue))  "
          + "\(publication.publisher) → server")
    ]
    if let accepted = publication.accepted {
      lines.append(
        StoryLine(
          RecordedMoment(accepted),
          "\(publication.qos == .exactlyOnce ? "PUBREC" : "PUBACK"): the server takes it over"))
    }
    if group.count > 1, let last = group.deliveries.last?.publication?.accepted {
      lines.append(
        StoryLine(RecordedMoment(last), "the last of \(group.count) is accepted"))
    }
    return lines
  }

  /// The server's first PUBLISHes, and what TCP says of them.
  private func sending(_ group: MQTTDeliveryGroup) -> [StoryLine] {
    let sent = group.deliveries.filter { $0.event(.sent) != nil }
    guard let first = sent.first, let event = first.event(.sent) else { return [] }
    let subscriber = first.subscriber
    var lines = [
      StoryLine(
        event.moment,
        "PUBLISH \(first.topic) id \(first.packetID) (QoS \(first.qos.rawValue))  "
          + "server → \(subscriber)" + (event.note.isEmpty ? "" : "  (\(event.note))"))
    ]
    if let reached = first.log.events.first(where: {
      $0.step == .transportAcknowledged && $0.session == event.session
    }) {
      lines.append(
        StoryLine(reached.moment, "TCP acknowledges it: \(subscriber)'s host has it"))
    } else if let conversation = conversation(of: first),
      let last = conversation.lastRepetition
    {
      lines.append(
        StoryLine(
          RecordedMoment(last),
          "TCP has sent it again and again (\(conversation.repetitions) times), "
            + "and nothing came back"))
    }
    if group.sentCount > 1, let last = sent.last?.event(.sent) {
      lines.append(StoryLine(last.moment, "the last of \(group.sentCount) is sent"))
    }
    return lines
  }

  /// How the connection of the first sending ended, and answers that did not count.
  private func ending(_ deliveries: [MQTTDelivery]) -> [StoryLine] {
    guard let conversation = conversation(of: deliveries[0]) else { return [] }
    let subscriber = conversation.name
    var lines: [StoryLine] = []
    if let client = conversation.client {
      let how =
        switch client.how {
        case .saidGoodbye: "\(subscriber) says DISCONNECT"
        case .finished: "\(subscriber) closes the connection without DISCONNECT"
        case .reset: "\(subscriber)'s host resets the connection"
        }
      lines.append(StoryLine(RecordedMoment(client.moment), how))
    }
    if let server = conversation.server {
      let how =
        switch server.how {
        case .saidGoodbye: "the server says DISCONNECT: \(conversation.record.endNote)"
        case .finished:
          conversation.takenOver == nil
            ? "the server closes the connection"
            : "the server closes the connection: another one of \(subscriber) is there"
        case .reset: "the server's host resets the connection"
        }
      lines.append(StoryLine(RecordedMoment(server.moment), how))
    }
    if let takenOver = conversation.takenOver, conversation.server == nil {
      lines.append(
        StoryLine(
          RecordedMoment(takenOver), "the server lets in another connection of \(subscriber)"))
    }
    for delivery in deliveries {
      if let late = delivery.event(.lateAcknowledgement) {
        lines.append(
          StoryLine(
            late.moment,
            "id \(delivery.packetID) is acknowledged on the closed connection: too late to count"))
      }
      if let doubtful = delivery.event(.unconfirmedAcknowledgement) {
        lines.append(
          StoryLine(
            doubtful.moment,
            "the acknowledgement of id \(delivery.packetID) did not reach the server's TCP"))
      }
    }
    return inOrder(lines)
  }

  private func again(_ deliveries: [MQTTDelivery]) -> [StoryLine] {
    guard let first = deliveries.first else { return [] }
    var lines: [StoryLine] = []
    if let received = first.event(.received) {
      lines.append(StoryLine(received.moment, "\(first.subscriber) answers PUBREC"))
    }
    if let again = first.event(.redelivered) {
      lines.append(
        StoryLine(
          again.moment,
          "sent again on a new connection" + (again.note.isEmpty ? "" : " (\(again.note))")))
    } else if let again = first.log.events.last(where: { $0.step == .completing }) {
      lines.append(StoryLine(again.moment, "PUBREL is sent on a new connection"))
    }
    if let last = deliveries.compactMap(\.acknowledgedAt).max(by: { $0.time < $1.time }) {
      lines.append(
        StoryLine(
          RecordedMoment(last),
          deliveries.count == 1 ? "acknowledged" : "the last of \(deliveries.count) is acknowledged"
        ))
    }
    return lines
  }

  private func drop(_ delivery: MQTTDelivery, _ text: String) -> [StoryLine] {
    guard let event = delivery.event(.dropped) else { return [] }
    return [StoryLine(event.moment, event.note.isEmpty ? text : event.note)]
  }

  private func held(_ deliveries: [MQTTDelivery]) -> String {
    let longest = deliveries.compactMap(\.lateness).max() ?? .zero
    return
      "The server held \(them(deliveries.count)) for up to \(longest.seconds3). Nothing was lost."
  }

  private func inOrder(_ lines: [StoryLine]) -> [StoryLine] {
    lines.enumerated().sorted { a, b in
      (a.element.moment.time, a.offset) < (b.element.moment.time, b.offset)
    }.map(\.element)
  }

  // MARK: Words

  private func count(_ count: Int) -> String {
    count == 1 ? "1 delivery" : "\(count) deliveries"
  }

  private func were(_ count: Int) -> String { count == 1 ? "was" : "were" }

  private func them(_ count: Int) -> String { count == 1 ? "it" : "them" }

  private func sentence(_ text: String) -> String {
    text.isEmpty ? "" : text.prefix(1).uppercased() + text.dropFirst() + "."
  }
}
