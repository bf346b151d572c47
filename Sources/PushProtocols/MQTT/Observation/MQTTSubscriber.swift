import Custody
import Timeline
import Wire

/// What MQTT calls a session (§4.1): what a server keeps for a client identifier, beyond the
/// connection.
struct MQTTSessionState {
  enum Knowledge {
    /// The server has none.
    case none
    /// It began in this capture: all its subscriptions are known.
    case complete
    /// It began before, or packets are missing: there may be more to it.
    case partial
  }

  struct Subscription {
    var filter: MQTTTopicFilter
    var granted: MQTTQoS
    var noLocal: Bool
    var retainAsPublished: Bool
    /// The SUBACK was seen and nothing since then may have ended it unseen.
    var isCertain: Bool
  }

  var knowledge = Knowledge.none
  /// It outlives its connection.
  var survives = false
  /// How long it outlives it; `forever` for 3.x, which knows no limit.
  var expiry = Nanoseconds.forever
  /// When the last connection ended; `nil` while connected.
  var disconnected: Moment?
  /// In the order of the SUBSCRIBEs.
  var subscriptions: [Subscription] = []

  /// When it ends if nobody comes back.
  var expires: Instant {
    guard let disconnected, expiry != .forever else { return .never }
    return disconnected.time + expiry
  }
}

/// A client identifier at one server, over the whole capture.
final class MQTTSubscriber {
  let addressee: MQTTAddressee
  let isIdentified: Bool
  /// The connection that the server would send on.
  var conversation: MQTTConversation?
  /// The same until the capture says that nothing more will come of it.
  var lastConversation: MQTTConversation?
  var state = MQTTSessionState()
  /// Deliveries that have not ended, and some that have, in the order of routing; `nil` where one
  /// was taken out. Each knows its place, counted from the first that ever stood here.
  private var line: [MQTTDelivery?] = []
  private var holes = 0
  /// The place of the line's first element.
  private var base = 0
  /// Everything before it in `line` is a hole.
  private var head = 0
  /// Whoever has a place before this one is tainted: to go through all of them again with each
  /// packet that can't be read would cost the square of their number.
  private var untainted = 0
  /// Some of `open` may not have been sent yet.
  private(set) var mayWait = false
  /// Everything before this place in `line` has been sent.
  private var firstWaiting = 0
  /// Where in `line` each message stands that may not have been sent yet.
  private var waitingPlaces: [MQTTWaitingKey: MQTTWaitingPlaces] = [:]
  /// Server to client, by packet identifier.
  var inFlight = MQTTPacketIDTable<MQTTDelivery>()
  /// Those in flight that are no objects.
  var folded = MQTTFolded()
  /// The last acknowledged delivery of an identifier, to know a repetition when it comes.
  var lastAcknowledged = MQTTAcknowledgedMemory()
  /// Client to server, by packet identifier.
  var published = MQTTPacketIDTable<MQTTPublication>()
  /// Of its last connection.
  var maximumPacketSize = UInt64.max
  /// How many publications the server had routed when it became a receiver.
  var adoptedAfter: UInt64 = 0
  /// It is in the server's list of receivers.
  var isReceiver = false
  /// Something was missed, so nothing about open deliveries may be concluded from silence.
  var evidenceMissing = ""

  /// Where `lastAcknowledged` and `folded` lie.
  let near: MQTTNearMemory
  /// It keeps its subscribers.
  unowned let observer: MQTTCaptureObserver

  init(name: String, isIdentified: Bool, tally: Int, observer: MQTTCaptureObserver) {
    self.observer = observer
    near = observer.near
    addressee = MQTTAddressee(name: name, tally: tally)
    self.isIdentified = isIdentified
  }

  deinit {
    lastAcknowledged.usual.free(to: near)
    folded.removeAll(to: near)
  }

  var name: String { addressee.name }
  /// Its place in the observer's tallies.
  var tally: Int { addressee.tally }

  var isForgettable: Bool {
    state.knowledge == .none && line.allSatisfy { $0 == nil } && conversation == nil
      && lastConversation == nil && folded.isEmpty
  }

  /// Deliveries that have not ended, and some that have, in the order of routing.
  var open: [MQTTDelivery] { line.compactMap(\.self) }

  /// The capture is over, and all of them have a state: keeps those that are still owed.
  func forgetSettled() {
    line = line.filter { $0?.state == .pending }
    inFlight.removeAll()
  }

  func append(_ delivery: MQTTDelivery) {
    if delivery.phase == .waiting { conversation?.catchUp() }
    delivery.place = base + line.count
    if delivery.phase == .waiting {
      mayWait = true
      let key = MQTTWaitingKey(content: delivery.content, topic: delivery.topic)
      waitingPlaces[key, default: MQTTWaitingPlaces()].append(delivery.place)
    }
    line.append(delivery)
  }

  /// A delivery was settled. The line is closed up now and then, so that a long queue costs no more
  /// than a short one for each.
  func takeOut(_ delivery: MQTTDelivery) {
    let at = delivery.place - base
    if line.indices.contains(at), line[at] === delivery {
      line[at] = nil
      holes += 1
    }
    while head < line.count, line[head] == nil { head += 1 }
    if head == line.count {
      base += line.count
      line.removeAll(keepingCapacity: line.count < 64)
      holes = 0
      head = 0
      mayWait = false
      waitingPlaces = [:]
    } else if holes > 16, holes * 2 > line.count {
      renew(open)
    }
  }

  private func renew(_ deliveries: [MQTTDelivery]) {
    base += line.count
    line = []
    holes = 0
    head = 0
    mayWait = false
    waitingPlaces = [:]
    for delivery in deliveries where delivery.isOpen { append(delivery) }
  }

  /// Acknowledgements turned out to be in doubt.
  func reopen(_ deliveries: [MQTTDelivery]) {
    let missing = deliveries.filter { delivery in
      let at = delivery.place - base
      return !line.indices.contains(at) || line[at] !== delivery
    }
    if !missing.isEmpty { renew(missing.reversed() + open) }
  }

  func forgetOpen() { renew([]) }

  /// Why the server would, or may, send `publication` to it: the strongest claim of its
  /// matching subscriptions, with the highest granted QoS.
  func claim(on publication: MQTTPublication) -> (claim: MQTTDelivery.Claim, qos: MQTTQoS)? {
    if state.knowledge == .none { return nil }
    if conversation == nil, !state.survives || state.expires <= publication.submitted.time {
      return nil
    }
    var best: (claim: MQTTDelivery.Claim, qos: MQTTQoS)?
    for subscription in state.subscriptions where subscription.filter.matches(publication.topic) {
      if subscription.noLocal, publication.publisher == name { continue }
      let qos = min(publication.qos, subscription.granted)
      let certain = subscription.isCertain && subscription.filter.shareName == nil
      let isOwed = certain && !publication.isRepetition && qos > .atMostOnce
      if isOwed || best?.claim == .owed {
        best = (.owed, max(best?.qos ?? qos, qos))
      } else {
        best = (.possible, max(best?.qos ?? qos, qos))
      }
    }
    if best == nil {
      let asked = conversation?.isAskingFor(publication.topic) ?? false
      if asked { best = (.possible, publication.qos) }
    }
    return best
  }

  /// Subscriptions that may send one message each: more than one makes copies legal (§3.3.4).
  func matchingSubscriptions(_ topic: String) -> Int {
    state.subscriptions.count { $0.filter.matches(topic) }
  }

  func subscribe(_ subscription: MQTTSubscription, granted: MQTTQoS) {
    let entry = MQTTSessionState.Subscription(
      filter: MQTTTopicFilter(subscription.filter), granted: granted,
      noLocal: subscription.noLocal, retainAsPublished: subscription.retainAsPublished,
      isCertain: true)
    if let index = state.subscriptions.firstIndex(where: { $0.filter == entry.filter }) {
      state.subscriptions[index] = entry
    } else {
      state.subscriptions.append(entry)
    }
  }

  func unsubscribe(_ filter: String) {
    state.subscriptions.removeAll { $0.filter.text == filter }
  }

  /// Packets of this subscriber are missing: what is open stays open to doubt, and subscriptions
  /// may have ended unseen.
  func taint(_ why: String) {
    conversation?.catchUp()
    unfoldAll()
    evidenceMissing = why
    for case let delivery? in line.dropFirst(max(0, untainted - base))
    where delivery.isOpen && delivery.taint.isEmpty {
      delivery.taint = why
    }
    untainted = base + line.count
    if state.knowledge == .complete { state.knowledge = .partial }
    for index in state.subscriptions.indices { state.subscriptions[index].isCertain = false }
  }

  // MARK: Sending

  /// The oldest delivery of this content that has not been sent: an owed one before a possible one,
  /// one of this QoS before another.
  func waiting(for content: MQTTContent, topic: String, qos: MQTTQoS) -> MQTTDelivery? {
    if !mayWait { return nil }
    let key = MQTTWaitingKey(content: content, topic: topic)
    var places = waitingPlaces.removeValue(forKey: key)
    defer { waitingPlaces[key] = places }
    guard places?.first(where: { waiting(at: $0) != nil }) != nil else {
      places = nil
      return nil
    }
    var owed: MQTTDelivery?
    var possible: MQTTDelivery?
    // Messages that are all alike may be taken for each other.
    for place in places?.rest().prefix(Self.mostAlike) ?? [] {
      guard let delivery = waiting(at: place) else { continue }
      if delivery.claim == .owed, delivery.qos == qos { return delivery }
      if delivery.claim == .owed {
        owed = owed ?? delivery
      } else {
        possible = possible ?? delivery
      }
    }
    return owed ?? possible
  }

  private static let mostAlike = 64

  private func waiting(at place: Int) -> MQTTDelivery? {
    let at = place - base
    guard line.indices.contains(at), let delivery = line[at], delivery.phase == .waiting else {
      return nil
    }
    return delivery
  }

  /// Those that have not been sent, after those at the front that have.
  private func lineOfWaiting() -> ArraySlice<MQTTDelivery?> {
    var at = max(head, firstWaiting - base)
    while at < line.count, line[at]?.phase != .waiting { at += 1 }
    firstWaiting = base + at
    return line[at...]
  }

  /// How many of the oldest ones are looked at when a newer one is sent.
  private static let mostOvertaken = 4096

  /// A subscription hands the retain flag on as it was published, so it does not tell a retained
  /// message from a fresh one.
  func keepsRetainFlag(_ topic: String) -> Bool {
    state.subscriptions.contains { $0.retainAsPublished && $0.filter.matches(topic) }
  }

  /// The server sent a message with QoS 0 that it owed with more.
  func sentWithoutPromise(
    _ content: MQTTContent, topic: String, retained: Bool, by conversation: MQTTConversation,
    _ moment: Moment
  ) {
    if retained && !keepsRetainFlag(topic) { return }
    guard matchingSubscriptions(topic) == 1, state.knowledge == .complete,
      !conversation.broker.mayBePublishedAtMostOnce(topic),
      let delivery = waiting(for: content, topic: topic, qos: .atMostOnce), delivery.claim == .owed
    else { return }
    delivery.note(.dropped, moment, in: conversation.record.id, holder: .nobody, "sent with QoS 0")
    delivery.settle(.unknown, "it was sent with QoS 0, which nobody acknowledges")
    takeOut(delivery)
    conversation.violate(
      .belowGrantedQoS, "PUBLISH \(topic) with QoS 0 instead of \(delivery.qos.rawValue)",
      at: moment)
  }

  /// Marks what should have been sent before `newer`: a server keeps the order of a publisher's
  /// messages to a topic (MQTT-4.6.0-6), and in a subscriber's queue a message that was accepted
  /// before `newer` was even published stands before it, whoever published it.
  func overtake(
    by newer: MQTTDelivery, on conversation: MQTTConversation, at moment: Moment
  ) {
    guard mayWait, let newest = newer.publication else { return }
    for case let delivery? in lineOfWaiting().prefix(Self.mostOvertaken) {
      if delivery.place >= newer.place { break }
      guard delivery.phase == .waiting, delivery.claim == .owed, delivery.overtaken == nil,
        delivery.qos == newer.qos,
        let older = delivery.publication, older.qos != .exactlyOnce || older.released != nil
      else { continue }
      let isEarlier = older.accepted.map { $0.time <= newest.submitted.time }
      let sameSource = older.publisher == newest.publisher && delivery.topic == newer.topic
      if sameSource || isEarlier == true {
        delivery.overtaken = (moment, conversation)
      }
    }
  }

  /// The connection was idle since `idle` with nothing in flight, and ends or is looked at now:
  /// what a server with an open window has not sent by then, it does not hold.
  func ignore(since idle: Instant, until moment: Moment, in session: SessionID) {
    for case let delivery? in lineOfWaiting()
    where delivery.phase == .waiting && delivery.claim == .owed {
      guard let publication = delivery.publication, publication.isOwed, delivery.taint.isEmpty,
        let accepted = publication.accepted
      else { continue }
      let since = max(idle, accepted.time, publication.released?.time ?? .start)
      if moment.time - since >= MQTTJudge.idleFor { delivery.ignored = (moment, session) }
    }
  }

  /// Marks what a resumed connection should have sent again before anything new (MQTT-4.4.0-1).
  func passOver(on conversation: MQTTConversation, at moment: Moment) {
    if conversation.inherited.isEmpty, !conversation.inheritsFolded { return }
    // Once is enough: who is sent again later loses the mark.
    let session = conversation.record.id
    let passing = MQTTPassingOver(moment, conversation)
    conversation.passings.append(passing)
    for delivery in conversation.inherited where delivery.isOpen {
      if delivery.passedOver == nil, delivery.lastSession != session {
        delivery.passedOver = passing
      }
    }
    if conversation.inheritsFolded { folded.pass(over: passing) }
    conversation.inherited = []
    conversation.inheritsFolded = false
  }

  /// An UNSUBSCRIBE is on its way: from now on the subscription may be gone.
  func doubt(_ filter: String) {
    for index in state.subscriptions.indices
    where state.subscriptions[index].filter.text == filter {
      state.subscriptions[index].isCertain = false
    }
  }

  /// After an UNSUBSCRIBE the server may still send what it holds, but need not (§3.10.4).
  func excuseUnsubscribed() {
    for delivery in open where delivery.phase == .waiting {
      if matchingSubscriptions(delivery.topic) == 0 {
        delivery.excuse = "the subscriber unsubscribed before it was sent"
      }
    }
  }
}

/// What makes a message the one that was waited for.
struct MQTTWaitingKey: Hashable {
  var content: MQTTContent
  var topic: String
}

/// Places in a subscriber's line, in order.
struct MQTTWaitingPlaces {
  private var places: [Int] = []
  private var head = 0

  mutating func append(_ place: Int) { places.append(place) }

  /// The first place that still counts; those before it are forgotten.
  mutating func first(where counts: (Int) -> Bool) -> Int? {
    while head < places.count, !counts(places[head]) { head += 1 }
    return head < places.count ? places[head] : nil
  }

  func rest() -> ArraySlice<Int> { places[head...] }
}
