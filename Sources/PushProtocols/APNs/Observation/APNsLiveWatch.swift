import Custody
import Timeline
import Wire

/// Looks after what is open while a capture is still being made, and says what has changed since
/// it was last asked: no more than would be said if the capture were over now, and once.
final class APNsLiveWatch {
  private struct Session {
    let conversation: APNsConversation
    var wasOpened = false
    var wasClosed = false
    var wasZombie = false
  }

  private struct Waiting {
    let delivery: APNsDelivery
    var isOverdue = false
    var isGivenUp = false
  }

  /// How long a delivery may wait for its acknowledgement.
  private let patience: Nanoseconds
  private var sessions = LookedAfter<Session>()
  private var waiting = LookedAfter<Waiting>()

  init(patience: Nanoseconds) { self.patience = patience }

  func add(_ conversation: APNsConversation) {
    sessions.append(Session(conversation: conversation))
  }

  func add(_ delivery: APNsDelivery) { waiting.append(Waiting(delivery: delivery)) }

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

  private func tell(_ session: inout Session, at now: Instant, _ events: inout [LiveEvent]) {
    let one = session.conversation
    let record = one.record
    if !session.wasOpened, record.isIdentified {
      session.wasOpened = true
      events.append(
        LiveEvent(
          .sessionOpened, record.began, session: record.id, subscriber: one.name,
          text: "\(record.client) → \(record.server), APNs \(record.version)"
            + (record.resumed == true ? ", token kept" : "")))
    }
    if !session.wasZombie, let zombie = one.zombie(at: now) {
      session.wasZombie = true
      events.append(
        LiveEvent(
          .zombie, RecordedMoment(zombie.until), session: record.id, subscriber: one.name,
          text: "its KeepAlive of frame \(zombie.asked.frame) is not answered for "
            + "\(zombie.silence.seconds3), and it uses the connection"))
    }
    if session.wasClosed || record.end == .open { return }
    session.wasClosed = true
    let note = record.endNote.isEmpty ? "" : ": \(record.endNote)"
    var text = record.end.rawValue + note
    if record.unacknowledged > 0 { text += ", \(record.unacknowledged) unacknowledged" }
    events.append(
      LiveEvent(
        .sessionClosed, one.ending.map { RecordedMoment($0) } ?? record.ended,
        session: record.id, subscriber: one.name, text: text))
  }

  private func tell(_ one: inout Waiting, at now: Instant, _ events: inout [LiveEvent]) {
    let delivery = one.delivery
    guard delivery.isOpen else {
      if delivery.state == .acknowledged, one.isOverdue || one.isGivenUp {
        let late = delivery.lateness.map { " after \($0.seconds3)" } ?? ""
        events.append(
          event(.acknowledgedLate, delivery, delivery.acknowledged?.moment, "acknowledged\(late)"))
      }
      return
    }
    if !one.isGivenUp, delivery.taint.isEmpty, !delivery.isDoubtful,
      let passed = delivery.passedOver
    {
      one.isGivenUp = true
      events.append(
        event(
          .ghost, delivery, passed.moment,
          "sent and not acknowledged; the device came back, and the courier has not sent it again"))
    }
    let sent = delivery.lastSent
    guard !one.isOverdue, delivery.taint.isEmpty, now - sent.time >= patience else { return }
    one.isOverdue = true
    let isThere = delivery.event(.transportAcknowledged) != nil
    let host = isThere ? "TCP on its host has it" : "TCP has not acknowledged it either"
    events.append(
      event(
        .unacknowledged, delivery, Moment(time: now, frame: 0),
        "sent in frame \(sent.frame), not acknowledged for \((now - sent.time).seconds3); \(host)"))
  }

  private func event(
    _ kind: LiveEvent.Kind, _ delivery: APNsDelivery, _ moment: Moment?, _ what: String
  ) -> LiveEvent {
    LiveEvent(
      kind, RecordedMoment(moment ?? delivery.lastSent),
      session: delivery.conversation?.record.id, subscriber: delivery.device.name,
      delivery: delivery.id, text: "\(delivery.topicShort) \(delivery.idText): \(what)")
  }
}

extension APNsConversation {
  /// The longest wait for an answer that the device put up with.
  fileprivate func zombie(at now: Instant) -> APNsZombie? { keepAlive.longest }
}
