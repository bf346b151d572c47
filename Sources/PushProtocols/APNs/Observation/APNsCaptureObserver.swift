public import Custody
public import Timeline
public import Wire

/// Follows the connections of a capture between devices and Apple's push couriers: who presented
/// which token, which notifications were sent to them, and what became of those.
///
/// Frames of one connection go to its `APNsConversation`; what outlives it is with the
/// `APNsObservedDevice`, which is known by its token wherever it connects to. Nothing is judged
/// before the end of a connection or of the capture.
public final class APNsCaptureObserver: CaptureObserver {
  private let numbers: RecordNumbers
  let topicNames: APNsTopicNames
  private var conversations = ConnectionTable<APNsConversation>()
  private var devices: [APNsToken: APNsObservedDevice] = [:]
  private var devicesInOrder: [APNsObservedDevice] = []
  private var deviceNames: Set<String> = []
  private var appTokens: [APNsToken: APNsObservedDevice] = [:]
  private var tallies: [DeliveryTally] = []
  /// Those that are listed or told of.
  private(set) var filed: [APNsDelivery] = []
  private(set) var closed: [APNsConversation] = []
  var violations = ViolationLog()
  var zombies: [(zombie: APNsZombie, conversation: APNsConversation)] = []
  var newTokens: [APNsNewToken] = []
  private(set) var refused: [APNsObservedDevice] = []
  private(set) var warnings: [WarningRecord] = []
  /// Set when somebody watches.
  private var watch: LiveWatch<APNsConversation, APNsDelivery>?
  /// The latest packet of any connection.
  private(set) var now = Moment(time: .start, frame: 0)

  public init(numbers: RecordNumbers) {
    self.numbers = numbers
    topicNames = numbers.topicNames
  }

  public func recognise(_ opening: ConnectionOpening) -> Recognition {
    APNsRecognition.judge(opening)
  }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if moment.time > now.time { now = moment }
    let conversation: APNsConversation
    if let known = conversations[connection] {
      conversation = known
    } else {
      var handshake = false
      if case .began(let seen) = event { handshake = seen }
      conversation = APNsConversation(
        connection, description, handshake: handshake, number: numbers.nextSession(),
        observer: self, at: moment)
      conversations[connection] = conversation
      watch?.add(conversation)
    }
    unsafe conversation.receive(event, bytes: bytes, at: moment)
  }

  /// What the two ends said in the clear that they would speak.
  func framing(
    of connection: ConnectionID, _ description: ConnectionDescription
  ) -> APNsFraming? {
    numbers.names(connection, description).flatMap { APNsRecognition.agreed($0.protocols) }
  }

  func close(_ conversation: APNsConversation) {
    // With bytes missing, a frame out of place may be the place that is missing.
    if !conversation.handshake { violations.forget(conversation.record.id) }
    conversations.remove(conversation.connection)
    closed.append(conversation)
  }

  /// Holes can be many; the first of them are enough to know that a report is not the whole truth.
  private static let warningLimit = 200

  func warn(_ text: String, at moment: Moment) {
    guard warnings.count < Self.warningLimit else { return }
    warnings.append(WarningRecord(frame: moment.frame, text))
  }

  // MARK: Devices

  func device(_ token: APNsToken) -> APNsObservedDevice {
    if let known = devices[token] { return known }
    // As much of the token as tells it from the others.
    let digits = token.description
    let lengths = [12, 20, digits.count]
    let names = lengths.map { "device " + digits.prefix($0) }
    let name = names.first { !deviceNames.contains($0) } ?? names[2]
    let device = make(token, name)
    devices[token] = device
    return device
  }

  /// Somebody whose token is not in the capture.
  func anonymousDevice(_ name: String) -> APNsObservedDevice { make(nil, name) }

  private func make(_ token: APNsToken?, _ name: String) -> APNsObservedDevice {
    deviceNames.insert(name)
    tallies.append(DeliveryTally(subscriber: name))
    let device = APNsObservedDevice(token, name: name, tally: tallies.count - 1)
    devicesInOrder.append(device)
    return device
  }

  func learn(_ appToken: APNsToken, of device: APNsObservedDevice) { appTokens[appToken] = device }

  /// Whom a token belongs to, its own or that of an app.
  func knownOwner(of token: APNsToken) -> APNsObservedDevice? { devices[token] ?? appTokens[token] }

  func noteRefusal(of device: APNsObservedDevice) {
    if !refused.contains(where: { $0 === device }) { refused.append(device) }
  }

  // MARK: Deliveries

  func begin(_ notification: APNsNotification, to device: APNsObservedDevice) -> APNsDelivery {
    let topic = notification.topic.map(topicNames.text) ?? "unknown topic"
    let delivery = APNsDelivery(
      numbers.nextDelivery(), to: device, notification, topicText: topic)
    if device.isFull {
      delivery.settle(.unknown, "too many notifications of the device are open")
      return delivery
    }
    device.add(delivery)
    watch?.add(delivery)
    return delivery
  }

  /// It is settled, as far as its connection shows; what nobody will ask for is forgotten.
  func file(_ delivery: APNsDelivery) {
    guard let state = delivery.state, !delivery.isFiled else { return }
    delivery.isFiled = true
    tallies[delivery.device.tally].add(
      delivery.id, state, attempts: delivery.attempts, reason: { delivery.reason })
    let isOrdinary = state == .acknowledged && delivery.attempts == 1
    if numbers.keepsDeliveries || !isOrdinary { filed.append(delivery) }
  }

  /// It is sent once more.
  func unfile(_ delivery: APNsDelivery) {
    guard delivery.isFiled, let state = delivery.state else { return }
    delivery.isFiled = false
    tallies[delivery.device.tally].remove(state, attempts: delivery.attempts)
    if let index = filed.lastIndex(where: { $0 === delivery }) { filed.remove(at: index) }
  }

  // MARK: What is not complete

  func countUnfinished(
    _ bytes: Int, known: inout Int, _ conversation: APNsConversation, _ direction: Direction,
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
    if time > now.time { now = Moment(time: time, frame: 0) }
    guard let watch else { return [] }
    for conversation in conversations.valuesInOrder {
      for device in conversation.devices { device.passOver(conversation) }
    }
    return watch.news(at: time)
  }

  public func missedPackets(_ why: String, at moment: Moment) {
    for conversation in conversations.valuesInOrder { conversation.missedPackets(why) }
    // Whoever is away may have come back unseen.
    for device in devicesInOrder { device.taint(why) }
    if conversations.count > 0 { warn(why, at: moment) }
  }

  // MARK: The end

  public func finish(at end: Moment) -> CaptureObservation {
    if end.time > now.time { now = end }
    for conversation in conversations.valuesInOrder { conversation.finish(.captureOver, at: now) }
    closed.sort { $0.record.id < $1.record.id }
    let judge = APNsJudge(self)
    for device in devicesInOrder { judge.settle(device) }
    filed.sort { $0.id < $1.id }
    var observation = CaptureObservation()
    observation.tallies = tallies.filter { $0.total > 0 }
      .sorted { ($0.first ?? .init(0)) < ($1.first ?? .init(0)) }
    if numbers.keepsDeliveries { observation.deliveries = filed.map(\.record) }
    observation.findings = judge.findings()
    observation.sessions = closed.map(\.record)
    observation.warnings = warnings
    for device in devicesInOrder { device.letGo() }
    for delivery in filed { delivery.conversation = nil }
    for conversation in closed { conversation.devices = [] }
    return observation
  }
}

extension APNsCaptureObserver: UnfinishedHolder {
  public func giveUp(_ bytes: UnfinishedBytes.Held) {
    conversations[bytes.place.connection]?
      .giveUpUnfinished(bytes.place.direction, at: bytes.moment)
  }
}

/// A device that presented one token and was given another.
struct APNsNewToken {
  var from: APNsObservedDevice
  var to: APNsObservedDevice
  var session: SessionID
  var moment: Moment
}
