import Custody
import Timeline
import Wire

extension APNsConversation: WatchedSession {
  var introduction: String? {
    guard record.isIdentified else { return nil }
    return "\(record.client) → \(record.server), APNs \(record.version)"
      + (record.resumed == true ? ", token kept" : "")
  }

  var closing: Moment? { ending }

  /// The longest wait for an answer that the device put up with.
  func zombie(until now: Instant) -> (moment: Moment, text: String)? {
    keepAlive.longest.map { zombie in
      (
        zombie.until,
        "its KeepAlive of frame \(zombie.asked.frame) is not answered for "
          + "\(zombie.silence.seconds3), and it uses the connection"
      )
    }
  }
}

extension APNsDelivery: WatchedDelivery {
  static var missing: String { "acknowledged" }
  var sending: Moment? { lastSent }
  var isCertain: Bool { taint.isEmpty }
  var hasReachedHost: Bool { event(.transportAcknowledged) != nil }

  func verdict(at now: Instant) -> LiveVerdict? {
    guard taint.isEmpty, !isDoubtful, let passedOver else { return nil }
    return LiveVerdict(
      kind: .ghost, moment: passedOver.moment,
      text: "sent and not acknowledged; the device came back, and the courier has not sent it "
        + "again")
  }

  var conclusion: (verdict: LiveVerdict?, acknowledged: Moment?, lateness: Nanoseconds?) {
    (nil, state == .acknowledged ? acknowledged?.moment : nil, lateness)
  }

  func event(_ kind: LiveEvent.Kind, _ moment: Moment?, _ what: String) -> LiveEvent {
    LiveEvent(
      kind, RecordedMoment(moment ?? lastSent), session: conversation?.record.id,
      subscriber: device.name, delivery: id, text: "\(topicShort) \(idText): \(what)")
  }
}
