public import Custody
public import Timeline
public import Wire

/// Follows the MQTT connections of a capture: who was subscribed to what, what was accepted for
/// them, and what became of it.
///
/// Packets of one connection go to its `MQTTConversation`, which keeps what belongs to the
/// connection; what outlives it is with the `MQTTSubscriber`, and what belongs to a server with the
/// `MQTTObservedServer`. Nothing is judged before the end of a delivery or of the capture.
public final class MQTTCaptureObserver: CaptureObserver {
  let numbers: RecordNumbers
  /// By the server's address.
  private var brokers: [Endpoint: MQTTObservedServer] = [:]
  private var brokersInOrder: [MQTTObservedServer] = []
  private var conversations = ConnectionTable<MQTTConversation>()
  /// Has the traffic of the same conversations.
  private var foresight = MQTTForesight()
  let near = MQTTNearMemory()
  let goodTopics = MQTTGoodTopics()

  private var books: MQTTDeliveryBooks
  /// The deliveries in question when the capture is over.
  private(set) var deliveries: [MQTTDelivery] = []
  private(set) var closed: [MQTTPastConversation] = []
  var stillOpen: [MQTTConversation] = []
  var violations = ViolationLog()
  private(set) var warnings: [WarningRecord] = []
  var zombies: [(zombie: MQTTZombie, conversation: MQTTConversation)] = []
  var repeatedExactlyOnce: [(delivery: MQTTDelivery, moment: Moment, session: SessionID)] = []
  /// Set when somebody watches.
  private var watch: LiveWatch<MQTTConversation, MQTTDelivery>?
  /// The latest packet of any connection.
  private(set) var now = Moment(time: .start, frame: 0)

  public init(numbers: RecordNumbers) {
    self.numbers = numbers
    books = MQTTDeliveryBooks(keepsAll: numbers.keepsDeliveries)
  }

  public func recognise(_ opening: ConnectionOpening) -> Recognition {
    MQTTRecognition.judge(opening)
  }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if moment.time > now.time { now = moment }
    if let place = foresight.traffics.repeated(connection), place.traffic.isRoutine,
      unsafe takes(event, of: connection, place, bytes, at: moment)
    {
      return
    }
    let conversation: MQTTConversation
    if let known = conversations[connection] {
      conversation = known
    } else {
      conversation = begin(event, connection, description, at: moment)
    }
    unsafe conversation.receive(event, bytes: bytes, at: moment)
  }

  public func takes(
    _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) -> Bool {
    guard let place = foresight.place(of: connection) ?? foresight.traffics.repeated(connection),
      place.traffic.isRoutine
    else { return false }
    if moment.time > now.time { now = moment }
    unsafe take(SegmentOfRun(segment, of: connection, bytes: bytes, at: moment), place)
    return true
  }

  public var preparation: SegmentPreparation? {
    { unsafe MQTTPreparation.hash(of: $0, $1) }
  }

  public func take(_ run: SegmentRun) -> Int {
    foresight.follow(2 * run.count)
    for index in 0..<run.count {
      let connection = run[index].connection
      guard let place = foresight.place(of: connection) ?? foresight.traffics.repeated(connection),
        place.traffic.isRoutine
      else { return index }
      if run[index].moment.time > now.time { now = run[index].moment }
      unsafe take(run.at(index), place)
    }
    return run.count
  }

  /// Events that a segment might have told, or that say next to nothing, are no end of routine.
  private func takes(
    _ event: ConnectionEvent, of connection: ConnectionID, _ place: MQTTTrafficPlace,
    _ bytes: UnsafeRawBufferPointer, at moment: Moment
  ) -> Bool {
    switch event {
    case .bytes(let direction, let offset):
      let segment = PlainSegment(
        direction, offset: offset, acknowledges: false, acknowledged: 0)
      unsafe take(SegmentOfRun(segment, of: connection, bytes: bytes, at: moment), place)
    case .acknowledged(let direction, let upTo):
      let segment = PlainSegment(
        direction.opposite, offset: 0, acknowledges: true, acknowledged: upTo)
      unsafe take(SegmentOfRun(segment, of: connection, bytes: bytes, at: moment), place)
    case .retransmission(let direction, _, _):
      place.traffic.takeSign(of: direction, at: moment)
      unsafe place.traffic.conversation.transport.repeated(direction, at: moment)
    case .keepAliveProbe(let direction):
      place.traffic.takeSign(of: direction, at: moment)
    case .began, .established, .gap, .windowClosed, .finished, .reset, .secured, .ended:
      return false
    }
    return true
  }

  private func take(_ segment: SegmentOfRun, _ place: MQTTTrafficPlace) {
    unsafe withUnsafePointer(to: segment) { unsafe take($0, place) }
  }

  @inline(__always)
  private func take(_ segment: UnsafePointer<SegmentOfRun>, _ place: MQTTTrafficPlace) {
    let taken = unsafe place.traffic.take(segment, self)
    if unsafe taken < Int(segment.pointee.count) { unsafe takeRest(segment, taken, place) }
  }

  @inline(never)
  private func takeRest(
    _ segment: UnsafePointer<SegmentOfRun>, _ taken: Int, _ place: MQTTTrafficPlace
  ) {
    let plain = unsafe segment.pointee.segment
    unsafe place.traffic.conversation.takeRest(
      UnsafeRawBufferPointer(rebasing: segment.bytes[taken...]), plain.direction,
      offset: plain.offset + UInt64(taken), at: segment.pointee.moment)
  }

  /// Nobody wants to see each delivery: those that go the usual way need no objects.
  var allowsRoutine: Bool { !books.keepsAll && watch == nil }

  func countPlain(_ count: UInt32, from first: DeliveryID, tally: Int) {
    books.countPlain(count, from: first, tally: tally)
  }

  /// A delivery that had a number but was no object becomes one.
  func unfold(_ delivery: MQTTDelivery) { books.add(delivery) }

  public func foresee(_ run: SegmentRun) { foresight.foresee(run) }

  private func begin(
    _ event: ConnectionEvent, _ connection: ConnectionID, _ description: ConnectionDescription,
    at moment: Moment
  ) -> MQTTConversation {
    var handshake = false
    if case .began(let seen) = event { handshake = seen }
    let broker: MQTTObservedServer
    if let known = brokers[description.server] {
      broker = known
    } else {
      broker = MQTTObservedServer(name: description.server.description)
      brokers[description.server] = broker
      brokersInOrder.append(broker)
    }
    let conversation = MQTTConversation(
      connection, description, handshake: handshake, number: numbers.nextSession(),
      broker: broker, observer: self, at: moment)
    broker.conversations.append(conversation)
    conversations[connection] = conversation
    foresight.traffics[connection] = conversation.trafficPlace
    watch?.add(conversation)
    return conversation
  }

  func close(_ conversation: MQTTConversation) {
    // With bytes missing, a packet out of place may be the place that is missing.
    if !conversation.evidenceMissing.isEmpty {
      violations.forget(conversation.record.id)
    }
    conversations.remove(conversation.connection)
    foresight.traffics.remove(conversation.connection)
    foresight.forget(conversation.connection)
    closed.append(MQTTPastConversation(conversation))
    // Deliveries know it, and would keep each other.
    if watch == nil, conversation.record.end != .open { conversation.subscriber = nil }
  }

  /// Holes can be many; the first of them are enough to know that a report is not the whole truth.
  private static let warningLimit = 200

  func warn(_ text: String, at moment: Moment) {
    guard warnings.count < Self.warningLimit else { return }
    warnings.append(WarningRecord(frame: moment.frame, text))
  }

  // MARK: Deliveries

  func tally(for subscriber: String) -> Int { books.tally(for: subscriber) }

  /// From now on the delivery belongs in the report.
  func commit(_ delivery: MQTTDelivery) {
    if delivery.isReported { return }
    delivery.isReported = true
    delivery.id = numbers.nextDelivery()
    books.add(delivery)
    watch?.add(delivery)
  }

  /// A delivery that had ended goes on.
  func takeBack(_ delivery: MQTTDelivery) {
    books.takeBack(delivery)
    watch?.add(delivery)
  }

  /// One is settled that was no object until the end.
  func conclude(_ delivery: MQTTDelivery) {
    // Stories of these tell of single deliveries.
    if delivery.state == .acknowledged || !zombies.isEmpty {
      books.add(delivery)
    } else {
      books.conclude(delivery)
    }
  }

  func groups(_ state: DeliveryState) -> [MQTTDeliveryGroup] { books.groups(state) }

  /// How many acknowledged deliveries of each subscriber are remembered: all subscribers share what
  /// may be.
  var memoryLimit: Int { books.memoryLimit }

  func topicText(_ bytes: RawSpan) -> String {
    let number = unsafe bytes.withUnsafeBytes { unsafe goodTopics.number(of: $0) }
    return number.map(goodTopics.text) ?? MQTTText.string(bytes)
  }

  // MARK: What is not complete

  func countUnfinished(
    _ bytes: Int, known: inout Int, _ conversation: MQTTConversation, _ direction: Direction,
    at moment: Moment
  ) {
    numbers.unfinished.count(
      bytes, known: &known,
      UnfinishedBytes.Place(conversation.connection, direction, .messages),
      conversation.description, of: self, at: moment)
  }

  // MARK: While the capture is made

  public func watch(patience: Nanoseconds) { watch = LiveWatch(patience: patience) }

  public func news(at time: Instant) -> [LiveEvent] {
    // Silence until then, which the end of the capture is judged by.
    if time > now.time { now = Moment(time: time, frame: 0) }
    return watch?.news(at: time) ?? []
  }

  public func missedPackets(_ why: String, at moment: Moment) {
    for conversation in conversations.valuesInOrder { conversation.missedPackets(why) }
    // Whoever is away may have come back unseen.
    for broker in brokersInOrder { broker.receivers.forEach { $0.taint(why) } }
    warn(why, at: moment)
  }

  private func letGo() {
    for conversation in stillOpen { conversation.subscriber = nil }
    for broker in brokersInOrder { broker.letGo() }
    near.giveBack()
  }

  public func finish(at end: Moment) -> CaptureObservation {
    if end.time > now.time { now = end }
    for conversation in conversations.valuesInOrder { conversation.finish(.captureOver, at: now) }
    let judge = MQTTJudge(self)
    for broker in brokersInOrder { judge.settle(broker.receivers) }
    let stuck = judge.stuck()
    // What follows needs memory of its own.
    letGo()
    deliveries = books.conclude()
    var observation = CaptureObservation()
    observation.tallies = books.tallies
    if books.keepsAll { observation.deliveries = deliveries.map(\.record) }
    observation.findings = judge.findings(stuck: stuck)
    observation.sessions = closed.map(\.record)
    closed = []
    observation.sessions.sort { $0.id < $1.id }
    observation.warnings = warnings
    return observation
  }
}

extension MQTTCaptureObserver: UnfinishedHolder {
  public func giveUp(_ bytes: UnfinishedBytes.Held) {
    conversations[bytes.place.connection]?
      .giveUpUnfinished(bytes.place.direction, at: bytes.moment)
  }
}
