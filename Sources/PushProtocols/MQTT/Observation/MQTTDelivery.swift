import Custody
import Timeline
import Wire

/// A publication on its way to one subscriber, while it is followed.
final class MQTTDelivery {
  enum Phase: UInt8 {
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
  enum Claim: UInt8 {
    /// The capture shows the subscription that it matches.
    case owed
    /// It may be owed: a shared subscription, a subscription in the making, or unknown session
    /// state. Without a sending it was none.
    case possible
  }

  let publication: MQTTPublication?
  let topic: String
  let content: MQTTContent
  let addressee: MQTTAddressee
  var id = DeliveryID(0)
  /// How often it was written to the subscriber.
  var attempts: UInt32 = 0
  var claim: Claim
  var phase = Phase.waiting
  private(set) var state = DeliveryState.unknown
  private(set) var reason = ""
  /// Has a number and belongs in the report.
  var isReported = false
  /// It was counted and is not kept for the report any more.
  var isLetGo = false

  var qos: MQTTQoS
  var packetID: UInt16 = 0
  /// Its place in the order of the sendings of `lastSession`; 0 when it has none.
  var sendOrder: UInt64 = 0
  /// The session on which it is in flight; 0: on none.
  var flight = SessionID(0)
  /// The session that it was last sent on; 0: on none. Its number only: deliveries that are owed
  /// for long are many, and would keep conversations that are long over.
  var lastSession = SessionID(0)
  /// Its place in the subscriber's line of open deliveries.
  var place = 0
  private var times = MQTTDeliveryTimes()
  var acknowledgedIn: SessionID?
  /// An acknowledgement was written, but TCP had not delivered it when the connection died.
  var isDoubtful = false
  /// A new connection resumed the session state and sent newer messages instead of this one.
  var passedOver: MQTTPassingOver?
  private(set) var log = MQTTCustodyLog()
  private var oddities: MQTTOddities?

  init(
    publication: MQTTPublication?, topic: String, content: MQTTContent, qos: MQTTQoS,
    claim: Claim, to addressee: MQTTAddressee
  ) {
    self.publication = publication
    self.topic = topic
    self.content = content
    self.qos = qos
    self.claim = claim
    self.addressee = addressee
  }

  /// Whom it is for.
  var subscriber: String { addressee.name }
  /// The subscriber's place in the observer's tallies.
  var tally: Int { addressee.tally }

  var firstSent: Moment? {
    get { times.firstSent }
    set { times.firstSent = newValue }
  }

  var lastSent: Moment? {
    get { times.lastSent }
    set { times.lastSent = newValue }
  }

  var acknowledgedAt: Moment? {
    get { times.acknowledged }
    set { times.acknowledged = newValue }
  }

  var isOpen: Bool { phase != .settled }

  /// The server has accepted it or sent it: from then on its end matters.
  var isCommitted: Bool { firstSent != nil || (claim == .owed && publication?.accepted != nil) }

  func note(
    _ step: CustodyEvent.Step, _ moment: Moment, in session: SessionID?,
    holder: CustodyEvent.Holder, _ text: String = ""
  ) {
    log.append(step, moment, in: session, holder: holder, text)
  }

  func settle(_ state: DeliveryState, _ reason: String) {
    phase = .settled
    self.state = state
    self.reason = reason
  }

  /// From acceptance, or the first sending when that came first, to the acknowledgement.
  var lateness: Nanoseconds? {
    guard let acknowledgedAt, state == .acknowledged else { return nil }
    let starts = [publication?.accepted?.time, firstSent?.time].compactMap { $0 }
    return starts.min().map { acknowledgedAt.time - $0 }
  }

  /// Sent once and acknowledged where it was sent: it has no part in any finding.
  var isPlain: Bool {
    phase == .settled && state == .acknowledged && attempts == 1
      && log.first(.sent)?.session == acknowledgedIn
  }

  /// What a report says of it.
  var record: DeliveryRecord {
    var record = DeliveryRecord(
      id: id, subscriber: subscriber, publisher: publication?.publisher, topic: topic,
      quality: DeliveryQuality(qos), size: content.size, digest: content.digest)
    record.state = state
    record.reason = reason
    record.attempts = attempts
    record.lateness = lateness
    record.events = log.eventsInOrder
    return record
  }

  /// The first event of a kind.
  func event(_ step: CustodyEvent.Step) -> CustodyEvent? { log.first(step) }

  /// The PUBLISH carries this message.
  func isSame(as content: MQTTContent, topic: String) -> Bool {
    self.content == content && self.topic == topic
  }

  // MARK: Oddities

  private func odd() -> MQTTOddities {
    if let oddities { return oddities }
    let new = MQTTOddities()
    oddities = new
    return new
  }

  /// Why no conclusion may be drawn from what is missing; empty when all was seen.
  var taint: String {
    get { oddities?.taint ?? "" }
    set { if oddities != nil || !newValue.isEmpty { odd().taint = newValue } }
  }

  /// Why the server need not send it any more; empty when it must.
  var excuse: String {
    get { oddities?.excuse ?? "" }
    set { if oddities != nil || !newValue.isEmpty { odd().excuse = newValue } }
  }

  /// A newer message was sent first: when and where.
  var overtaken: (moment: Moment, conversation: MQTTConversation)? {
    get { oddities?.overtaken }
    set { if oddities != nil || newValue != nil { odd().overtaken = newValue } }
  }

  /// The subscriber's connection was idle for long, with an open window, and it was not sent.
  var ignored: (moment: Moment, session: SessionID)? {
    get { oddities?.ignored }
    set { if oddities != nil || newValue != nil { odd().ignored = newValue } }
  }
}

/// A resumed connection sent newer messages instead: one object for all deliveries that it passed
/// over at once.
final class MQTTPassingOver {
  let moment: Moment
  let session: SessionID
  /// Until it is over.
  private var conversation: MQTTConversation?
  /// Of the conversation, when that is over.
  private var wentOn = false

  init(_ moment: Moment, _ conversation: MQTTConversation) {
    self.moment = moment
    self.conversation = conversation
    session = conversation.record.id
  }

  /// The connection was seen for long enough afterwards.
  var counts: Bool { conversation?.wentOn(after: moment) ?? wentOn }

  /// The conversation is over: what is still owed does not keep it.
  func conclude() {
    wentOn = counts
    conversation = nil
  }
}

/// What few deliveries have; apart from them, so that all others are small.
final class MQTTOddities {
  var taint = ""
  var excuse = ""
  var overtaken: (moment: Moment, conversation: MQTTConversation)?
  var ignored: (moment: Moment, session: SessionID)?
}

/// Whom deliveries are for: one object for all of a subscriber's.
final class MQTTAddressee {
  let name: String
  /// Its place in the observer's tallies.
  let tally: Int

  init(name: String, tally: Int) {
    self.name = name
    self.tally = tally
  }
}

/// When a delivery was sent and acknowledged, without what lies between three optional moments.
private struct MQTTDeliveryTimes: BitwiseCopyable {
  private var times = InlineArray<3, Instant>(repeating: .start)
  private var frames = InlineArray<3, UInt32>(repeating: 0)
  private var known: UInt8 = 0

  var firstSent: Moment? {
    get { self[0] }
    set { self[0] = newValue }
  }

  var lastSent: Moment? {
    get { self[1] }
    set { self[1] = newValue }
  }

  var acknowledged: Moment? {
    get { self[2] }
    set { self[2] = newValue }
  }

  private subscript(index: Int) -> Moment? {
    get {
      known >> UInt8(index) & 1 == 0 ? nil : Moment(time: times[index], frame: frames[index])
    }
    set {
      known = known & ~(1 << UInt8(index)) | (newValue == nil ? 0 : 1 << UInt8(index))
      if let newValue { (times[index], frames[index]) = (newValue.time, newValue.frame) }
    }
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
