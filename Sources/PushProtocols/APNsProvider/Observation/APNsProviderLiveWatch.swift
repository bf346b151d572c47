import Custody
import Timeline
import Wire

extension APNsProviderConversation: WatchedSession {
  var introduction: String? {
    guard record.isIdentified else { return nil }
    return "\(record.client) → \(record.server), APNs provider \(record.version)"
  }

  var closing: Moment? { departed }

  /// A provider that goes on writing though APNs says nothing.
  func zombie(until now: Instant) -> (moment: Moment, text: String)? {
    guard record.evidenceMissing.isEmpty, let silence,
      silence.until.time >= silence.since.time + APNsProviderObserver.longestWait
    else { return nil }
    return (
      silence.until,
      "\(silence.requests) requests since frame \(silence.since.frame), and APNs has said nothing "
        + "for \((silence.until.time - silence.since.time).seconds3)"
    )
  }
}

extension APNsPush: WatchedDelivery {
  static var missing: String { "answered" }
  var isOpen: Bool { state == .unknown && reason.isEmpty }
  var sending: Moment? { last.outcome == .waiting ? last.sent : nil }
  var isCertain: Bool { !conversation.missedFromServer }
  var hasReachedHost: Bool { last.reached != nil }

  func verdict(at now: Instant) -> LiveVerdict? {
    let (state, reason) = APNsProviderJudge.judge(last, subscriber, on: conversation)
    switch state {
    case .ghost: return LiveVerdict(kind: .ghost, moment: last.ended ?? last.sent, text: reason)
    case .lost: return LiveVerdict(kind: .lost, moment: last.ended ?? last.sent, text: reason)
    case .acknowledged, .accepted, .pending, .expired, .superseded, .rejected, .unknown: return nil
    }
  }

  var conclusion: (verdict: LiveVerdict?, acknowledged: Moment?, lateness: Nanoseconds?) {
    guard state == .accepted, let ended = last.ended else { return (nil, nil, nil) }
    return (nil, ended, first.sent.map { ended.time - $0.time })
  }

  func event(_ kind: LiveEvent.Kind, _ moment: Moment?, _ what: String) -> LiveEvent {
    LiveEvent(
      kind, RecordedMoment(moment ?? last.began), session: last.session, subscriber: subscriber,
      delivery: id, text: "\(topicText), stream \(last.stream): \(what)")
  }
}
