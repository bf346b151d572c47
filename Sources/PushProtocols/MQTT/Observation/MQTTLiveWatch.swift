import Custody
import Timeline
import Wire

extension MQTTConversation: WatchedSession {
  var introduction: String? {
    guard subscriber != nil else { return nil }
    let version = version == .unknown ? "MQTT" : "MQTT \(record.version)"
    // Without a name it is called by its address.
    let client = record.isIdentified ? "\(record.client) " : ""
    let resumed = record.resumed == true ? ", session present" : ""
    return "\(client)→ \(record.server), \(version)\(resumed)"
  }

  var closing: Moment? { ending ?? takenOver }

  /// The longest silence that the server put up with, one that goes on now included.
  func zombie(until now: Instant) -> (moment: Moment, text: String)? {
    guard let zombie = longestSilence(until: now) else { return nil }
    return (
      zombie.until,
      "the server keeps it \(zombie.silence.seconds3) after its last packet (frame "
        + "\(zombie.lastHeard.frame)); its keep-alive is \(keepAlive)"
    )
  }

  private func longestSilence(until now: Instant) -> MQTTZombie? {
    if let known = silence.zombie { return known }
    let isOpen = !isOver && client == nil && server == nil && takenOver == nil
    guard isOpen, evidenceMissing.isEmpty, !transport.isOutstanding(.toClient) else { return nil }
    var until = silence
    until.serverActed(.captureOver, at: Moment(time: now, frame: 0))
    return until.zombie
  }
}

extension MQTTDelivery: WatchedDelivery {
  static var missing: String { "acknowledged" }
  var sending: Moment? { lastSent }
  var isCertain: Bool { taint.isEmpty }
  var hasReachedHost: Bool { event(.transportAcknowledged) != nil }

  func verdict(at now: Instant) -> LiveVerdict? {
    if lastSent == nil {
      return lostAlready.map {
        LiveVerdict(kind: .lost, moment: $0, text: "accepted, and not sent: newer ones are")
      }
    }
    return passedOverAlready.map {
      LiveVerdict(
        kind: .ghost, moment: $0,
        text: "sent and not acknowledged; the resumed session goes on without it")
    }
  }

  var conclusion: (verdict: LiveVerdict?, acknowledged: Moment?, lateness: Nanoseconds?) {
    let last = log.events.last?.moment
    let moment = last.map { Moment(time: $0.time, frame: $0.frame) }
    switch state {
    case .ghost: return (LiveVerdict(kind: .ghost, moment: moment, text: reason), nil, nil)
    case .lost: return (LiveVerdict(kind: .lost, moment: moment, text: reason), nil, nil)
    case .acknowledged: return (nil, acknowledgedAt, lateness)
    case .accepted, .pending, .expired, .superseded, .rejected, .unknown: return (nil, nil, nil)
    }
  }

  func event(_ kind: LiveEvent.Kind, _ moment: Moment?, _ what: String) -> LiveEvent {
    let place = packetID == 0 ? "" : " id \(packetID)"
    return LiveEvent(
      kind, RecordedMoment(moment ?? Moment(time: .start, frame: 0)),
      session: lastSession.number == 0 ? nil : lastSession, subscriber: subscriber,
      delivery: isReported ? id : nil, text: "\(topic)\(place) (QoS \(qos.rawValue)): \(what)")
  }

  /// What the judge would call a ghost if the capture were over.
  private var passedOverAlready: Moment? {
    guard taint.isEmpty, !isDoubtful, let passedOver, passedOver.counts else { return nil }
    return passedOver.moment
  }

  /// What the judge would call lost if the capture were over.
  private var lostAlready: Moment? {
    guard phase == .waiting, claim == .owed, doubt == nil, excuse.isEmpty else { return nil }
    if let (moment, conversation) = overtaken, conversation.wentOn(after: moment) { return moment }
    return ignored?.moment
  }
}
