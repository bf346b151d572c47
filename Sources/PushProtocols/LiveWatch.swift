import Custody
import Timeline
import Wire

/// A session of a capture that is still being made.
protocol WatchedSession: AnyObject {
  var record: SessionRecord { get }
  /// What is said when it opens; `nil` until it is known who it is.
  var introduction: String? { get }
  /// When an end ended it.
  var closing: Moment? { get }
  /// An end that has believed in it for longer than it should; what is said of it.
  func zombie(until now: Instant) -> (moment: Moment, text: String)?
}

/// A delivery of a capture that is still being made.
protocol WatchedDelivery: AnyObject {
  /// What an end has not done with it when it waits: `acknowledged`, `answered`.
  static var missing: String { get }
  var isOpen: Bool { get }
  /// When it was sent last; `nil`: it is not sent yet.
  var sending: Moment? { get }
  /// Nothing is missing from the capture that could prove the contrary of what is said.
  var isCertain: Bool { get }
  var hasReachedHost: Bool { get }
  /// What it would be called if the capture were over: a ghost, or lost.
  func verdict(at now: Instant) -> LiveVerdict?
  /// How it ended; `nil`: there is nothing to say of that.
  var conclusion: (verdict: LiveVerdict?, acknowledged: Moment?, lateness: Nanoseconds?) { get }
  /// An event about it.
  func event(_ kind: LiveEvent.Kind, _ moment: Moment?, _ what: String) -> LiveEvent
}

/// What a delivery would be called if the capture were over now.
struct LiveVerdict {
  var kind: LiveEvent.Kind
  var moment: Moment?
  var text: String
}

/// Looks after what is open while a capture is still being made, and says what has changed since
/// it was last asked.
///
/// Observers judge when the capture is over; this says no more than they would say if the capture
/// were over now, and says it once.
final class LiveWatch<Session: WatchedSession, Delivery: WatchedDelivery> {
  private struct Opened {
    let session: Session
    var wasOpened = false
    var wasClosed = false
    var wasZombie = false
  }

  private struct Waiting {
    let delivery: Delivery
    var isOverdue = false
    /// A ghost, or lost, as far as was known.
    var isGivenUp = false
  }

  /// How long a delivery may wait for its acknowledgement.
  private let patience: Nanoseconds
  private var sessions = LookedAfter<Opened>()
  private var waiting = LookedAfter<Waiting>()

  init(patience: Nanoseconds) { self.patience = patience }

  func add(_ session: Session) { sessions.append(Opened(session: session)) }
  func add(_ delivery: Delivery) { waiting.append(Waiting(delivery: delivery)) }

  /// What has become known, in the order of sessions and deliveries; when they are very many, it
  /// may take a few more questions until all has been told.
  func news(at now: Instant) -> [LiveEvent] {
    var events: [LiveEvent] = []
    sessions.lookAt { one in
      tell(&one, at: now, &events)
      return !one.wasClosed
    }
    waiting.lookAt { one in
      tell(&one, at: now, &events)
      return one.delivery.isOpen
    }
    return events
  }

  private func tell(_ one: inout Opened, at now: Instant, _ events: inout [LiveEvent]) {
    let session = one.session
    let record = session.record
    func add(_ kind: LiveEvent.Kind, _ moment: RecordedMoment, _ text: String) {
      events.append(
        LiveEvent(kind, moment, session: record.id, subscriber: record.subscriber, text: text))
    }
    if !one.wasOpened, let introduction = session.introduction {
      one.wasOpened = true
      add(.sessionOpened, record.began, introduction)
    }
    if !one.wasZombie, let zombie = session.zombie(until: now) {
      one.wasZombie = true
      add(.zombie, RecordedMoment(zombie.moment), zombie.text)
    }
    if one.wasClosed || record.end == .open { return }
    one.wasClosed = true
    let note = record.endNote.isEmpty ? "" : ": \(record.endNote)"
    var text = record.end.rawValue + note
    if record.unacknowledged > 0 { text += ", \(record.unacknowledged) unacknowledged" }
    add(.sessionClosed, session.closing.map { RecordedMoment($0) } ?? record.ended, text)
  }

  private func tell(_ one: inout Waiting, at now: Instant, _ events: inout [LiveEvent]) {
    let delivery = one.delivery
    if !delivery.isOpen {
      tellEnd(one, &events)
      return
    }
    if !one.isGivenUp, let verdict = delivery.verdict(at: now) {
      one.isGivenUp = true
      events.append(delivery.event(verdict.kind, verdict.moment, verdict.text))
    }
    guard let sent = delivery.sending, !one.isOverdue, delivery.isCertain,
      now - sent.time >= patience
    else { return }
    one.isOverdue = true
    let host =
      delivery.hasReachedHost ? "TCP on its host has it" : "TCP has not acknowledged it either"
    let length = (now - sent.time).seconds3
    events.append(
      delivery.event(
        .unacknowledged, Moment(time: now, frame: 0),
        "sent in frame \(sent.frame), not \(Delivery.missing) for \(length); \(host)"))
  }

  private func tellEnd(_ one: Waiting, _ events: inout [LiveEvent]) {
    let (verdict, acknowledged, lateness) = one.delivery.conclusion
    if let verdict, !one.isGivenUp {
      events.append(one.delivery.event(verdict.kind, verdict.moment, verdict.text))
    } else if let acknowledged, one.isOverdue || one.isGivenUp {
      let late = lateness.map { " after \($0.seconds3)" } ?? ""
      events.append(
        one.delivery.event(.acknowledgedLate, acknowledged, Delivery.missing + late))
    }
  }
}
