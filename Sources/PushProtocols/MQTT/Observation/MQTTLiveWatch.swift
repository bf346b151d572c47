import Custody
import Timeline
import Wire

/// Looks after what is open while a capture is still being made, and says what has changed since
/// it was last asked.
///
/// The observer judges when the capture is over; this says no more than it would say if the capture
/// were over now, and says it once.
final class MQTTLiveWatch {
  private struct Session {
    let conversation: MQTTConversation
    var wasOpened = false
    var wasClosed = false
    var wasZombie = false
  }

  private struct Waiting {
    let delivery: MQTTDelivery
    var isOverdue = false
    /// A ghost, or lost, as far as was known.
    var isGivenUp = false
  }

  /// How long a delivery may wait for its acknowledgement.
  private let patience: Nanoseconds
  private var sessions = LookedAfter<Session>()
  private var waiting = LookedAfter<Waiting>()

  init(patience: Nanoseconds) { self.patience = patience }

  func add(_ conversation: MQTTConversation) {
    sessions.append(Session(conversation: conversation))
  }

  func add(_ delivery: MQTTDelivery) { waiting.append(Waiting(delivery: delivery)) }

  /// What has become known, in the order of sessions and deliveries; when they are very many, it
  /// may take a few more questions until all has been told.
  func news(at now: Instant) -> [LiveEvent] {
    var events: [LiveEvent] = []
    sessions.lookAt { session in
      tell(&session, at: now, &events)
      return !session.wasClosed
    }
    waiting.lookAt { one in
      tell(&one, at: now, &events)
      return one.delivery.isOpen
    }
    return events
  }

  // MARK: Sessions

  private func tell(_ session: inout Session, at now: Instant, _ events: inout [LiveEvent]) {
    let one = session.conversation
    let record = one.record
    if !session.wasOpened, one.subscriber != nil {
      session.wasOpened = true
      let version = one.version == .unknown ? "MQTT" : "MQTT \(record.version)"
      // Without a name it is called by its address.
      let client = record.isIdentified ? "\(record.client) " : ""
      var text = "\(client)→ \(record.server), \(version)"
      if record.resumed == true { text += ", session present" }
      events.append(
        LiveEvent(
          .sessionOpened, record.began, session: record.id, subscriber: one.name, text: text))
    }
    tellZombie(&session, at: now, &events)
    if session.wasClosed || record.end == .open { return }
    session.wasClosed = true
    let note = record.endNote.isEmpty ? "" : ": \(record.endNote)"
    var text = record.end.rawValue + note
    if record.unacknowledged > 0 { text += ", \(record.unacknowledged) unacknowledged" }
    let moment = one.ending ?? one.takenOver
    events.append(
      LiveEvent(
        .sessionClosed, moment.map { RecordedMoment($0) } ?? record.ended, session: record.id,
        subscriber: one.name, text: text))
  }

  private func tellZombie(
    _ session: inout Session, at now: Instant, _ events: inout [LiveEvent]
  ) {
    let one = session.conversation
    guard !session.wasZombie, let zombie = one.zombie(at: now) else { return }
    session.wasZombie = true
    let text =
      "the server keeps it \(zombie.silence.seconds3) after its last packet (frame "
      + "\(zombie.lastHeard.frame)); its keep-alive is \(one.keepAlive)"
    events.append(
      LiveEvent(
        .zombie, RecordedMoment(zombie.until), session: one.record.id, subscriber: one.name,
        text: text))
  }

  // MARK: Deliveries

  private func tell(_ one: inout Waiting, at now: Instant, _ events: inout [LiveEvent]) {
    let delivery = one.delivery
    if !delivery.isOpen {
      tellEnd(one, &events)
      return
    }
    guard let sent = delivery.lastSent else {
      if !one.isGivenUp, let moment = delivery.lostAlready {
        one.isGivenUp = true
        events.append(event(.lost, delivery, moment, "accepted, and not sent: newer ones are"))
      }
      return
    }
    if !one.isGivenUp, let moment = delivery.passedOverAlready {
      one.isGivenUp = true
      events.append(
        event(
          .ghost, delivery, moment,
          "sent and not acknowledged; the resumed session goes on without it"))
    }
    guard !one.isOverdue, delivery.taint.isEmpty, now - sent.time >= patience else { return }
    one.isOverdue = true
    let isThere = delivery.event(.transportAcknowledged) != nil
    let host = isThere ? "TCP on its host has it" : "TCP has not acknowledged it either"
    events.append(
      event(
        .unacknowledged, delivery, Moment(time: now, frame: 0),
        "sent in frame \(sent.frame), not acknowledged for \((now - sent.time).seconds3); \(host)"))
  }

  private func tellEnd(_ one: Waiting, _ events: inout [LiveEvent]) {
    let delivery = one.delivery
    let last = delivery.log.events.last?.moment
    let moment = last.map { Moment(time: $0.time, frame: $0.frame) }
    switch delivery.state {
    case .ghost where !one.isGivenUp:
      events.append(event(.ghost, delivery, moment, delivery.reason))
    case .lost where !one.isGivenUp:
      events.append(event(.lost, delivery, moment, delivery.reason))
    case .acknowledged where one.isOverdue || one.isGivenUp:
      let late = delivery.lateness.map { " after \($0.seconds3)" } ?? ""
      events.append(
        event(.acknowledgedLate, delivery, delivery.acknowledgedAt, "acknowledged\(late)"))
    case .acknowledged, .accepted, .pending, .lost, .ghost, .expired, .superseded, .rejected,
      .unknown:
      break
    }
  }

  private func event(
    _ kind: LiveEvent.Kind, _ delivery: MQTTDelivery, _ moment: Moment?, _ what: String
  ) -> LiveEvent {
    let id = delivery.packetID == 0 ? "" : " id \(delivery.packetID)"
    return LiveEvent(
      kind, RecordedMoment(moment ?? Moment(time: .start, frame: 0)),
      session: delivery.lastSession.number == 0 ? nil : delivery.lastSession,
      subscriber: delivery.subscriber,
      delivery: delivery.isReported ? delivery.id : nil,
      text: "\(delivery.topic)\(id) (QoS \(delivery.qos.rawValue)): \(what)")
  }
}

extension MQTTConversation {
  /// The longest silence that the server put up with, one that goes on now included.
  fileprivate func zombie(at now: Instant) -> MQTTZombie? {
    if let known = silence.zombie { return known }
    let isOpen = !isOver && client == nil && server == nil && takenOver == nil
    guard isOpen, evidenceMissing.isEmpty, !transport.isOutstanding(.toClient) else { return nil }
    var until = silence
    until.serverActed(.captureOver, at: Moment(time: now, frame: 0))
    return until.zombie
  }
}

extension MQTTDelivery {
  /// What the judge would call a ghost if the capture were over.
  fileprivate var passedOverAlready: Moment? {
    guard taint.isEmpty, !isDoubtful, let passedOver,
      passedOver.counts
    else { return nil }
    return passedOver.moment
  }

  /// What the judge would call lost if the capture were over.
  fileprivate var lostAlready: Moment? {
    guard phase == .waiting, claim == .owed, doubt == nil, excuse.isEmpty else { return nil }
    if let (moment, conversation) = overtaken, conversation.wentOn(after: moment) { return moment }
    return ignored?.moment
  }
}

/// Things to look at again and again, in turn: so many of the old ones each time, however many
/// there are, and all that are new.
struct LookedAfter<Thing> {
  private var things: [Thing] = []
  private var head = 0
  /// Since they were looked at last.
  private var added = 0

  static var most: Int { 1024 }

  mutating func append(_ thing: Thing) {
    things.append(thing)
    added += 1
  }

  var count: Int { things.count - head }

  /// - Parameter look: whether to keep it.
  mutating func lookAt(_ look: (inout Thing) -> Bool) {
    // More than come in, so that those that are over don't pile up.
    let looks = min(count, Self.most + 2 * added)
    added = 0
    for _ in 0..<looks {
      var thing = things[head]
      head += 1
      if look(&thing) { things.append(thing) }
    }
    // Now and then, so that each costs little.
    if head > Self.most, head * 2 > things.count || count == 0 {
      things.removeFirst(head)
      head = 0
    }
  }
}
