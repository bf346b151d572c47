import Custody
import Timeline
import Wire

/// One server of a capture, by its address: who is subscribed, and who published what.
///
/// What a server does inside is unknown; this follows what it must know by what it has answered.
final class MQTTObservedServer {
  let name: String
  private var subscribers: [String: MQTTSubscriber] = [:]
  /// Those with subscriptions, or with session state that the capture does not wholly show.
  private(set) var receivers: [MQTTSubscriber] = []
  /// Connections that have not ended, and some that have, in the order of their beginning.
  var conversations: [MQTTConversation] = []
  private var overConversations = 0
  private var routed: UInt64 = 0
  private var recent = MQTTRecentPublications()

  /// Topics that somebody publishes with QoS 0; `nil` when there are too many to remember.
  private var topicsAtMostOnce: Set<String>? = []

  init(name: String) { self.name = name }

  func notePublishedAtMostOnce(_ topic: String) {
    topicsAtMostOnce?.insert(topic)
    if let count = topicsAtMostOnce?.count, count > 10_000 { topicsAtMostOnce = nil }
  }

  /// A message with QoS 0 to this topic may be one that was published so.
  func mayBePublishedAtMostOnce(_ topic: String) -> Bool {
    topicsAtMostOnce?.contains(topic) ?? true
  }

  /// A connection of this identity is on its way in or open.
  func isConnecting(_ name: String, besides one: MQTTConversation) -> Bool {
    conversations.contains {
      $0.connection > one.connection && $0.connect?.clientIdentifier == name && $0.client == nil
        && !$0.isOver
    }
  }

  /// From now on publications are looked at for this subscriber.
  func adopt(_ subscriber: MQTTSubscriber) {
    if subscriber.isReceiver { return }
    subscriber.isReceiver = true
    subscriber.adoptedAfter = routed
    receivers.append(subscriber)
  }

  private func forget(_ subscriber: MQTTSubscriber) {
    guard subscriber.isForgettable else { return }
    if subscriber.isReceiver {
      receivers.removeAll { $0 === subscriber }
      subscriber.isReceiver = false
    }
    if subscribers[subscriber.name] === subscriber { subscribers[subscriber.name] = nil }
  }

  // MARK: Publications

  /// A publisher's message, looked at for everybody who is or may be subscribed.
  func route(_ publication: MQTTPublication, numbers observer: MQTTCaptureObserver) {
    routed += 1
    publication.ordinal = routed
    var mayBeSentUnseen = false
    for subscriber in receivers {
      guard let (claim, qos) = subscriber.claim(on: publication) else {
        if subscriber.state.knowledge == .partial { mayBeSentUnseen = true }
        continue
      }
      if qos > .atMostOnce { copy(publication, to: subscriber, claim, qos) }
    }
    if mayBeSentUnseen { recent.add(publication) }
  }

  @discardableResult
  private func copy(
    _ publication: MQTTPublication, to subscriber: MQTTSubscriber, _ claim: MQTTDelivery.Claim,
    _ qos: MQTTQoS
  ) -> MQTTDelivery {
    let delivery = MQTTDelivery(
      publication: publication, topic: publication.topic, content: publication.content,
      qos: qos, claim: claim, to: subscriber.addressee)
    delivery.taint = subscriber.evidenceMissing
    delivery.note(
      .submitted, publication.submitted, in: publication.session, holder: .publisher,
      "by \(publication.publisher)")
    publication.add(delivery)
    subscriber.append(delivery)
    return delivery
  }

  /// A subscriber is sent what nobody knew it was subscribed to: the publication that this is, if
  /// it was one of late.
  func unforeseen(
    _ content: MQTTContent, topic: String, for subscriber: MQTTSubscriber
  ) -> MQTTDelivery? {
    guard subscriber.state.knowledge == .partial, subscriber.isReceiver,
      let publication = recent.first(content, topic: topic, for: subscriber)
    else { return nil }
    let delivery = copy(publication, to: subscriber, .possible, publication.qos)
    if let accepted = publication.accepted {
      delivery.note(
        .accepted, accepted, in: publication.session, holder: .server,
        publication.nobodySubscribed == nil ? "" : "no matching subscribers")
    }
    return delivery
  }

  /// The server's PUBACK or PUBREC.
  func answered(
    _ publication: MQTTPublication, refused: String?, in session: SessionID, at moment: Moment,
    numbers observer: MQTTCaptureObserver
  ) {
    for delivery in publication.takeCopies() {
      if let refused {
        // If it was sent all the same, that is followed as ever.
        delivery.note(.rejected, moment, in: session, holder: .publisher, refused)
        guard delivery.phase == .waiting, delivery.claim == .owed else { continue }
        observer.commit(delivery)
        delivery.settle(.rejected, "the server refused it: \(refused)")
      } else {
        delivery.note(
          .accepted, moment, in: session, holder: delivery.isOpen ? .server : .nobody,
          publication.nobodySubscribed == nil ? "" : "no matching subscribers")
        if delivery.claim == .owed, delivery.isOpen { observer.commit(delivery) }
      }
    }
  }

  // MARK: Session state

  /// CONNACK: session state goes on, or ends and begins anew.
  func connected(_ conversation: MQTTConversation, at moment: Moment) {
    let name = conversation.name
    let subscriber =
      subscribers[name]
      ?? MQTTSubscriber(
        name: name, isIdentified: conversation.record.isIdentified,
        tally: conversation.observer.tally(for: name), observer: conversation.observer)
    subscribers[name] = subscriber
    subscriber.lastConversation?.beTakenOver(by: conversation, at: moment)
    enter(conversation, subscriber, at: moment)
    let connect = conversation.connect!
    let isVersion5 = conversation.version == .v5
    let properties = conversation.connack?.properties ?? []
    let seconds =
      properties.sessionExpiryInterval ?? connect.properties.sessionExpiryInterval ?? 0
    subscriber.state.survives = isVersion5 ? seconds > 0 : !connect.cleanStart
    subscriber.state.expiry =
      !isVersion5 || seconds == .max ? .forever : .seconds(UInt64(seconds))
    subscriber.state.disconnected = nil
    subscriber.retireFolded()
    subscriber.conversation = conversation
    subscriber.lastConversation = conversation
    if conversation.record.resumed == true {
      conversation.inherited = subscriber.inFlight.valuesInOrder
      conversation.inheritsFolded = !subscriber.folded.isEmpty
    }
    subscriber.maximumPacketSize = conversation.clientMaximumPacketSize
    conversation.subscriber = subscriber
    if subscriber.state.knowledge == .partial { adopt(subscriber) }
  }

  private func enter(
    _ conversation: MQTTConversation, _ subscriber: MQTTSubscriber, at moment: Moment
  ) {
    let session = conversation.record.id
    let state = subscriber.state
    if endsWithItsConnection(subscriber, in: session, at: moment) {
      subscriber.state.knowledge = .complete
      return
    }
    if conversation.connect!.cleanStart {
      endState(
        of: subscriber, because: "the subscriber started clean: it wanted the old state dropped",
        byTheRules: true, in: session, at: moment)
      subscriber.state.knowledge = .complete
      return
    }
    guard let present = conversation.record.resumed else {
      // 3.1, or an answer that the capture does not show.
      subscriber.state.knowledge = .partial
      return
    }
    if present {
      if state.knowledge == .none { subscriber.state.knowledge = .partial }
      return
    }
    // Clocks of servers tick in seconds.
    let isExpired = state.expires <= moment.time + .seconds(1)
    let left = state.disconnected.map { (moment.time - $0.time).seconds3 } ?? ""
    if isExpired {
      endState(
        of: subscriber,
        because: "the session state expired: its subscriber was gone for \(left), "
          + "it asked for \(state.expiry)",
        byTheRules: true, in: session, at: moment)
    } else {
      endState(
        of: subscriber, because: "the server lost the session state (session present 0)",
        byTheRules: false, in: session, at: moment)
    }
    subscriber.state.knowledge = .complete
  }

  /// A session state that was not to outlive its last connection, which is over.
  private func endsWithItsConnection(
    _ subscriber: MQTTSubscriber, in session: SessionID, at moment: Moment
  ) -> Bool {
    let state = subscriber.state
    guard state.knowledge == .complete, !state.survives, let disconnected = state.disconnected
    else {
      return false
    }
    endState(
      of: subscriber, because: "the session state ended with its connection (clean session)",
      byTheRules: true, in: session, at: disconnected)
    return true
  }

  /// Nothing of the session state is left: what it owed nobody will send.
  func endState(
    of subscriber: MQTTSubscriber, because reason: String, byTheRules: Bool, in session: SessionID?,
    at moment: Moment
  ) {
    subscriber.unfoldAll()
    for delivery in subscriber.open where delivery.isOpen {
      delivery.endWithState(
        reason, byTheRules: byTheRules, maximum: subscriber.maximumPacketSize, in: session,
        at: moment)
    }
    subscriber.clear()
  }

  /// The capture is over: conversations, subscribers and deliveries know each other, and would stay
  /// for ever.
  func letGo() {
    for subscriber in receivers + subscribers.values {
      subscriber.clear()
      subscriber.conversation = nil
      subscriber.lastConversation = nil
    }
    subscribers = [:]
    receivers = []
    conversations = []
    recent = MQTTRecentPublications()
  }

  /// A connection is gone for good.
  func left(_ conversation: MQTTConversation, at moment: Moment) {
    overConversations += 1
    if overConversations > 16, overConversations * 2 > conversations.count {
      conversations.removeAll(where: \.isOver)
      overConversations = 0
    }
    guard let subscriber = conversation.subscriber else { return }
    if subscriber.lastConversation === conversation {
      subscriber.conversation = nil
      subscriber.lastConversation = nil
      if subscriber.state.disconnected == nil { subscriber.state.disconnected = moment }
      if conversation.connect == nil {
        for delivery in subscriber.open where delivery.isOpen {
          delivery.phase = .settled
          if delivery.firstSent == nil { continue }
          delivery.settle(
            .unknown,
            "its connection ended unacknowledged, and the capture does not show whose "
              + "it was")
        }
        subscriber.clear()
      } else if !subscriber.state.survives {
        endState(
          of: subscriber, because: "the session state ended with its connection (clean session)",
          byTheRules: true, in: conversation.record.id,
          at: subscriber.state.disconnected ?? moment)
      }
    }
    forget(subscriber)
  }
}

extension MQTTSubscriber {
  /// The session state is gone.
  func clear() {
    forgetOpen()
    inFlight.removeAll()
    folded.removeAll(to: near)
    lastAcknowledged.removeAll(to: near)
    published.removeAll()
    evidenceMissing = ""
    state.subscriptions = []
    state.knowledge = .none
  }
}

extension MQTTDelivery {
  /// The session state that held it is gone.
  func endWithState(
    _ reason: String, byTheRules: Bool, maximum: UInt64, in session: SessionID?, at moment: Moment
  ) {
    guard isCommitted else {
      // Never accepted, or not known to be owed: it was nothing.
      phase = .settled
      return
    }
    if expires(before: moment) || isTooLarge(for: maximum) || isLostAlready() { return }
    if !taint.isEmpty || isDoubtful {
      settle(.unknown, "\(reason), but \(doubt ?? taint)")
      return
    }
    if byTheRules {
      note(.expired, moment, in: session, holder: .nobody)
      settle(.expired, reason)
      return
    }
    if let why = doubt {
      settle(.unknown, "\(reason), but \(why)")
      return
    }
    note(
      .dropped, moment, in: session, holder: .nobody,
      "CONNACK says session present 0: nothing was kept")
    settle(firstSent == nil ? .lost : .ghost, reason)
  }

  /// The subscriber said that it takes no packet of this size: to drop it is right (MQTT-3.1.2-25).
  func isTooLarge(for maximum: UInt64) -> Bool {
    guard phase == .waiting, let publication, publication.packetSize > maximum else { return false }
    settle(.rejected, "it is larger than the subscriber's Maximum Packet Size of \(maximum) bytes")
    return true
  }

  /// It was not sent when it should have been, whatever became of the session state after that.
  func isLostAlready() -> Bool {
    guard phase == .waiting, doubt == nil, excuse.isEmpty else { return false }
    if let (moment, conversation) = overtaken, conversation.wentOn(after: moment) {
      note(
        .dropped, moment, in: conversation.record.id, holder: .nobody,
        "a newer message is sent instead")
      settle(.lost, "the server sent newer messages, and this one never")
      return true
    }
    if let (moment, session) = ignored {
      note(
        .dropped, moment, in: session, holder: .nobody,
        "still not sent, though nothing keeps the server from it")
      settle(.lost, "the subscriber was connected and nothing was in flight, but it was not sent")
      return true
    }
    return false
  }

  /// Its Message Expiry Interval ran out before it was sent for the first time.
  func expires(before moment: Moment) -> Bool {
    guard phase == .waiting, let publication, publication.expires <= moment.time else {
      return false
    }
    note(
      .expired, Moment(time: publication.expires, frame: 0), in: nil, holder: .nobody,
      "Message Expiry Interval \(publication.expiry)")
    settle(
      .expired,
      "its Message Expiry Interval of \(publication.expiry) passed before it could be sent")
    return true
  }

  /// Why silence proves nothing about this delivery; `nil` when it does.
  var doubt: String? {
    if !taint.isEmpty { return taint }
    if isDoubtful { return "its acknowledgement was written and may have arrived" }
    if phase == .waiting, publication?.isOwed == false {
      return "its publisher had not released it"
    }
    return nil
  }
}
