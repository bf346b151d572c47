import Custody
import Timeline
import Wire

/// Decides, when the capture is over, what became of the notifications that are still open, and
/// turns all that was seen into findings.
///
/// What a capture can't show is never held against anybody: a missing packet makes a delivery
/// `unknown`, and what a reconnect would still mend makes it `pending`.
struct APNsJudge {
  let observer: APNsCaptureObserver

  init(_ observer: APNsCaptureObserver) { self.observer = observer }

  /// How long a device may talk on without acknowledging something.
  static let patience = Nanoseconds.seconds(30)
  /// How often a notification may be sent without ever being acknowledged.
  static let mostAttempts: UInt32 = 5
  /// How often a token may be refused.
  static let mostRefusals = 3
  /// The courier's clock decides when a notification expires, and it is not that of the capture.
  static let clockTolerance = Nanoseconds.seconds(60)

  func settle(_ device: APNsObservedDevice) {
    for delivery in device.open {
      settle(delivery)
      observer.file(delivery)
    }
  }

  private func settle(_ delivery: APNsDelivery) {
    let isGone = delivery.conversation?.isOver ?? true
    if !delivery.taint.isEmpty {
      delivery.settle(.unknown, delivery.taint)
    } else if let superseded = delivery.superseded {
      delivery.note(.superseded, superseded.moment, in: superseded.session, holder: .nobody)
      delivery.settle(
        .superseded,
        "something newer of the same app took its place: the store keeps one for each app")
    } else if let passed = delivery.passedOver, !expires(delivery, before: passed.moment) {
      settlePassedOver(delivery, passed.moment, passed.conversation)
    } else if isGone, isExpired(delivery) {
      expire(delivery)
    } else if delivery.isDoubtful {
      delivery.settle(
        .unknown,
        "its acknowledgement was written, but TCP did not confirm it before the connection ended")
    } else if isGone {
      delivery.settle(
        .pending, "sent, not acknowledged, and the device had not come back for it")
    } else {
      delivery.settle(.pending, "sent, not acknowledged when the capture ended")
    }
  }

  private func settlePassedOver(
    _ delivery: APNsDelivery, _ moment: Moment, _ conversation: APNsConversation
  ) {
    if delivery.isDoubtful {
      delivery.settle(
        .acknowledged,
        "TCP did not confirm the acknowledgement, but the courier had nothing more in store")
      delivery.acknowledged = (moment, conversation.record.id)
      return
    }
    let saidSo = conversation.saidNothingStored
    delivery.note(
      .dropped, moment, in: conversation.record.id, holder: .nobody,
      saidSo ? "the courier has nothing in store" : "the courier does not send it again")
    delivery.settle(
      .ghost,
      saidSo
        ? "the device came back and wanted its topic, and the courier said that nothing was stored"
        : "the device came back and wanted its topic, and the courier sent nothing of it for "
          + "\(APNsConversation.flushBound)")
  }

  /// Its time was over, or might have been, before that.
  private func expires(_ delivery: APNsDelivery, before moment: Moment) -> Bool {
    guard let expiry = delivery.expiry, expiry != .max else { return false }
    return Instant(nanoseconds: UInt64(expiry) * 1_000_000_000)
      < moment.time + Self.clockTolerance
  }

  private func isExpired(_ delivery: APNsDelivery) -> Bool {
    guard let expiry = delivery.expiry, expiry != .max else { return false }
    return Instant(nanoseconds: UInt64(expiry) * 1_000_000_000) <= observer.now.time
  }

  private func expire(_ delivery: APNsDelivery) {
    let time = Instant(nanoseconds: UInt64(delivery.expiry ?? 0) * 1_000_000_000)
    let first = delivery.event(.sent)?.moment.time ?? .start
    delivery.note(
      .expired, Moment(time: max(time, first), frame: 0), in: nil, holder: .nobody,
      delivery.expiry == 0 ? "not to be stored" : "")
    delivery.settle(
      .expired,
      delivery.expiry == 0
        ? "it was to be tried once and not to be stored" : "its own time was over")
  }

  // MARK: Findings

  /// Violations, then what could not be decided, then stories that ended well.
  func findings() -> [FindingRecord] {
    let stories = APNsStories(observer)
    var findings: [FindingRecord] = []
    findings += groups(.ghost).map(stories.ghost)
    findings += stuck().map(stories.stuck)
    findings += observer.zombies.map { stories.zombie($0.zombie, $0.conversation) }
    findings += observer.violations.findings(name: stories.name(of:))
    findings += observer.refused.filter { $0.refusals.count >= Self.mostRefusals }
      .map(stories.refused)
    findings += groups(.unknown).map(stories.unknown)
    findings += recovered().map(stories.recovered)
    findings += groups(.superseded).map(stories.superseded)
    findings += groups(.expired).map(stories.expired)
    findings += observer.newTokens.map(stories.newToken)
    return findings
  }

  /// Deliveries of one device that ended the same way for the same reason.
  private func groups(_ state: DeliveryState) -> [[APNsDelivery]] {
    group(observer.filed.filter { $0.state == state }) { "\($0.device.name) \($0.reason)" }
  }

  /// Acknowledged at last, after a sending that was not: by the sessions of both.
  private func recovered() -> [[APNsDelivery]] {
    group(
      observer.filed.filter {
        guard $0.state == .acknowledged, let first = $0.event(.sent)?.session,
          let last = $0.acknowledged
        else { return false }
        return first != last.session
      }
    ) { "\($0.event(.sent)?.session?.number ?? 0) \($0.acknowledged?.session.number ?? 0)" }
  }

  /// Open although the device was there and talked for long enough, or was sent it again and again.
  private func stuck() -> [[APNsDelivery]] {
    let stuck = observer.filed.filter { delivery in
      guard delivery.state == .pending, delivery.taint.isEmpty else { return false }
      if delivery.attempts >= Self.mostAttempts { return true }
      guard let conversation = delivery.conversation, conversation.evidenceMissing.isEmpty,
        delivery.event(.transportAcknowledged) != nil, let heard = conversation.lastClientFrame
      else { return false }
      return heard.time - delivery.lastSent.time >= Self.patience
    }
    return group(stuck) {
      $0.device.name + ($0.attempts >= Self.mostAttempts ? " again" : "")
    }
  }

  private func group(
    _ deliveries: [APNsDelivery], by key: (APNsDelivery) -> String
  ) -> [[APNsDelivery]] {
    var groups: [[APNsDelivery]] = []
    var index: [String: Int] = [:]
    for delivery in deliveries {
      let key = key(delivery)
      if let at = index[key] {
        groups[at].append(delivery)
      } else {
        index[key] = groups.count
        groups.append([delivery])
      }
    }
    return groups
  }
}
