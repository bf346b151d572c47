import Custody
import Timeline
import Wire

/// Decides, when the capture is over, what became of the deliveries that are still open, and turns
/// all that was seen into findings.
///
/// What a capture can't show is never held against anybody: a missing packet makes a delivery
/// `unknown`, and what time would still mend makes it `pending`.
struct MQTTJudge {
  let observer: MQTTCaptureObserver

  init(_ observer: MQTTCaptureObserver) { self.observer = observer }

  /// How long a connection must have gone on after it passed a delivery over, before that counts:
  /// brokers send what is new and what is old from different queues.
  static let passedOverFor = Nanoseconds.seconds(1)
  /// How long a subscriber must have been connected with nothing in flight: a server that holds
  /// something for it sends it within milliseconds.
  static let idleFor = Nanoseconds.seconds(1)

  func settle(_ subscribers: [MQTTSubscriber]) {
    for subscriber in subscribers {
      for delivery in subscriber.open where delivery.isOpen {
        settle(delivery, of: subscriber)
      }
      if observer.allowsRoutine { subscriber.forgetSettled() }
      subscriber.forEachFolded { delivery in
        settle(delivery, of: subscriber)
        observer.conclude(delivery)
      }
    }
  }

  private func settle(_ delivery: MQTTDelivery, of subscriber: MQTTSubscriber) {
    guard delivery.isCommitted else {
      delivery.phase = .settled
      return
    }
    if delivery.expires(before: observer.now) { return }
    if expiresWithState(delivery, of: subscriber) { return }
    switch delivery.phase {
    case .waiting: settleUnsent(delivery, of: subscriber)
    case .sent, .received: settleUnacknowledged(delivery, of: subscriber)
    case .settled: break
    }
  }

  private func expiresWithState(_ delivery: MQTTDelivery, of subscriber: MQTTSubscriber) -> Bool {
    let expires = subscriber.state.expires
    guard expires <= observer.now.time else { return false }
    delivery.note(
      .expired, Moment(time: expires, frame: 0), in: nil, holder: .nobody, "session expiry")
    delivery.settle(
      .expired,
      "the session state expired \(subscriber.state.expiry) after its subscriber had gone")
    return true
  }

  private func settleUnsent(_ delivery: MQTTDelivery, of subscriber: MQTTSubscriber) {
    let publication = delivery.publication
    if !delivery.taint.isEmpty {
      delivery.settle(.unknown, delivery.taint)
    } else if !delivery.excuse.isEmpty {
      delivery.settle(.superseded, delivery.excuse)
    } else if delivery.isTooLarge(for: subscriber.maximumPacketSize) {
      return
    } else if publication?.isOwed == false {
      delivery.settle(.pending, "its publisher has not released it (PUBREL)")
    } else if delivery.isLostAlready() {
      return
    } else if let moment = publication?.nobodySubscribed {
      delivery.note(.dropped, moment, in: publication?.session, holder: .nobody)
      delivery.settle(
        .lost, "the server said that nobody was subscribed (0x10), but the subscription stood")
    } else if subscriber.conversation == nil {
      delivery.settle(.pending, "the subscriber was not connected when the capture ended")
    } else {
      delivery.settle(.pending, "not yet sent when the capture ended")
    }
  }

  private func settleUnacknowledged(_ delivery: MQTTDelivery, of subscriber: MQTTSubscriber) {
    let half = delivery.phase == .received
    if !delivery.taint.isEmpty {
      delivery.settle(.unknown, delivery.taint)
    } else if let passing = delivery.passedOver, passing.counts {
      settlePassedOver(delivery, at: passing.moment, in: passing.session)
    } else if delivery.isDoubtful {
      delivery.settle(
        .unknown,
        "its acknowledgement was written, but TCP did not confirm it before the connection ended")
    } else if half {
      delivery.settle(.pending, "taken by the subscriber (PUBREC), the handshake was not finished")
    } else {
      delivery.settle(.pending, "sent, not acknowledged when the capture ended")
    }
  }

  private func settlePassedOver(
    _ delivery: MQTTDelivery, at moment: Moment, in session: SessionID
  ) {
    if delivery.isDoubtful {
      // The server resumed and went on without it: so it had the acknowledgement.
      delivery.settle(
        .acknowledged, "TCP did not confirm the acknowledgement, but the server went on with it")
      return
    }
    delivery.note(.dropped, moment, in: session, holder: .nobody, MQTTCustodyLog.goesOn)
    delivery.settle(
      .ghost,
      delivery.phase == .received
        ? "the session was resumed without its PUBREL, and went on with newer messages"
        : "the session was resumed without sending it again, and went on with newer messages")
  }

  // MARK: Findings

  /// Violations, then what could not be decided, then stories that ended well.
  func findings(stuck: [MQTTDeliveryGroup]) -> [FindingRecord] {
    let stories = MQTTStories(observer)
    var findings: [FindingRecord] = []
    findings += observer.groups(.ghost).map(stories.ghost)
    findings += observer.groups(.lost).map(stories.lost)
    findings += stuck.map(stories.stuck)
    findings += observer.zombies.map { stories.zombie($0.zombie, $0.conversation) }
    findings += observer.repeatedExactlyOnce.map { stories.duplicate($0, $1, $2) }
    findings += observer.violations.findings(name: stories.name(of:))
    findings += observer.groups(.unknown).map(stories.unknown)
    findings += recovered().map(stories.recovered)
    findings += observer.groups(.expired).map(stories.expired)
    return findings
  }

  /// Acknowledged at last, after a sending that was not: by the sessions of the first and the last
  /// sending.
  private func recovered() -> [[MQTTDelivery]] {
    var groups: [[MQTTDelivery]] = []
    var index: [[UInt32]: Int] = [:]
    for delivery in observer.deliveries where delivery.state == .acknowledged {
      guard let first = delivery.event(.sent)?.session, let last = delivery.acknowledgedIn,
        first != last
      else { continue }
      let key = [first.number, last.number]
      if let at = index[key] {
        groups[at].append(delivery)
      } else {
        index[key] = groups.count
        groups.append([delivery])
      }
    }
    return groups
  }

  /// Pending although both ends were there and talked for long enough, on an open connection.
  func stuck() -> [MQTTDeliveryGroup] {
    observer.stillOpen.compactMap { conversation in
      guard let subscriber = conversation.subscriber, subscriber.conversation === conversation,
        conversation.evidenceMissing.isEmpty, let heard = conversation.silence.lastHeard,
        let server = conversation.lastServerPacket
      else { return nil }
      let talked = min(heard.time, server.time)
      let bound = max(.seconds(30), conversation.keepAlive * 3 / 2)
      let began = Instant(nanoseconds: conversation.record.began.time.nanoseconds)
      var stuck = MQTTDeliveryGroup()
      for delivery in subscriber.open {
        guard delivery.state == .pending, delivery.isReported, delivery.taint.isEmpty,
          let since = delivery.lastSent ?? delivery.publication?.accepted,
          talked - max(since.time, began) >= bound
        else { continue }
        stuck.add(delivery)
      }
      subscriber.forEachFolded(where: { talked - max($0.sent.time, began) >= bound }) {
        settle($0, of: subscriber)
        if $0.state == .pending { stuck.add($0) }
      }
      return stuck.count == 0 ? nil : stuck
    }
  }
}

extension MQTTDelivery {
  /// Another message took its packet identifier: the server has given it up.
  func settleReplaced(in session: SessionID, at moment: Moment) {
    note(.dropped, moment, in: session, holder: .nobody, MQTTCustodyLog.identifierTaken)
    settle(
      .ghost, "the server gave its packet identifier to another message before any acknowledgement")
  }
}

extension MQTTConversation {
  /// The server was seen for long enough after `moment`.
  func wentOn(after moment: Moment) -> Bool {
    guard let lastServerSign else { return false }
    return lastServerSign.time - moment.time >= MQTTJudge.passedOverFor
  }
}
