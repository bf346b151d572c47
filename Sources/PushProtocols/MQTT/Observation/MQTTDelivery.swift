import Custody
import Timeline
import Wire

/// A publication on its way to one subscriber, while it is followed.
final class MQTTDelivery {
  enum Phase {
    /// Not sent yet.
    case waiting
    /// Sent, not acknowledged.
    case sent
    /// QoS 2: the subscriber has answered PUBREC, the handshake goes on.
    case received
    /// It has a state.
    case settled
  }

  /// Why the server is held to it.
  enum Claim {
    /// The capture shows the subscription that it matches.
    case owed
    /// It may be owed: a shared subscription, a subscription in the making, or unknown session
    /// state. Without a sending it was none.
    case possible
  }

  let publication: MQTTPublication?
  let topic: String
  let content: MQTTContent
  var claim: Claim
  var phase = Phase.waiting
  var record: DeliveryRecord
  /// Has a number and belongs in the report.
  var isReported = false

  var packetID: UInt16 = 0
  var qos: MQTTQoS
  var firstSent: Moment?
  var lastSent: Moment?
  /// The connection that it was last sent on.
  var lastConversation: MQTTConversation?
  var acknowledgedAt: Moment?
  var acknowledgedIn: SessionID?
  /// Why no conclusion may be drawn from what is missing; empty when all was seen.
  var taint = ""
  /// An acknowledgement was written, but TCP had not delivered it when the connection died.
  var isDoubtful = false
  /// A newer message was sent first: when and where.
  var overtaken: (moment: Moment, conversation: MQTTConversation)?
  /// The subscriber's connection was idle for long, with an open window, and it was not sent.
  var ignored: (moment: Moment, session: SessionID)?
  /// Another message took its packet identifier while it was in flight.
  var replaced: (moment: Moment, conversation: MQTTConversation)?
  /// Why the server need not send it any more; empty when it must.
  var excuse = ""
  /// A new connection resumed the session state and sent newer messages instead of this one.
  var passedOver: (moment: Moment, conversation: MQTTConversation)?

  init(
    publication: MQTTPublication?, topic: String, content: MQTTContent, qos: MQTTQoS,
    claim: Claim, subscriber: String
  ) {
    self.publication = publication
    self.topic = topic
    self.content = content
    self.qos = qos
    self.claim = claim
    record = DeliveryRecord(
      id: DeliveryID(0), subscriber: subscriber, publisher: publication?.publisher, topic: topic,
      quality: DeliveryQuality(qos), size: content.size, digest: content.digest)
  }

  var isOpen: Bool { phase != .settled }

  /// The server has accepted it or sent it: from then on its end matters.
  var isCommitted: Bool { firstSent != nil || (claim == .owed && publication?.accepted != nil) }

  func note(
    _ step: CustodyEvent.Step, _ moment: Moment, in session: SessionID?,
    holder: CustodyEvent.Holder, _ text: String = ""
  ) {
    record.events.append(
      CustodyEvent(
        step, RecordedMoment(moment), session: session, holder: holder, note: text))
  }

  func settle(_ state: DeliveryState, _ reason: String) {
    phase = .settled
    record.state = state
    record.reason = reason
  }

  /// From acceptance, or the first sending when that came first, to the acknowledgement.
  var lateness: Nanoseconds? {
    guard let acknowledgedAt else { return nil }
    let starts = [publication?.accepted?.time, firstSent?.time].compactMap { $0 }
    return starts.min().map { acknowledgedAt.time - $0 }
  }

  /// The record with its events in the order of the capture: an expiry is noticed late.
  var recordInOrder: DeliveryRecord {
    var record = record
    let order = record.events.enumerated().sorted { a, b in
      (a.element.moment.time, a.offset) < (b.element.moment.time, b.offset)
    }
    record.events = order.map(\.element)
    return record
  }

  /// The first event of a kind.
  func event(_ step: CustodyEvent.Step) -> CustodyEvent? {
    record.events.first { $0.step == step }
  }

  /// The PUBLISH carries this message.
  func isSame(as content: MQTTContent, topic: String) -> Bool {
    self.content == content && self.topic == topic
  }
}

extension DeliveryQuality {
  init(_ qos: MQTTQoS) {
    switch qos {
    case .atMostOnce: self = .atMostOnce
    case .atLeastOnce: self = .atLeastOnce
    case .exactlyOnce: self = .exactlyOnce
    }
  }
}

extension RecordedMoment {
  init(_ moment: Moment) { self.init(time: moment.time, frame: moment.frame) }
}
