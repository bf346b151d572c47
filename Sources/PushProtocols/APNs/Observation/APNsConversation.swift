import Custody
import Timeline
import Wire

/// One connection between a device and its courier: its frames, and what belongs to the connection
/// alone.
final class APNsConversation {
  /// How long a courier may take until it sends what is in store.
  static let flushBound = Nanoseconds.seconds(30)
  private static let earlyAckLimit = 1024

  unowned let observer: APNsCaptureObserver
  let connection: ConnectionID
  let description: ConnectionDescription
  /// The capture shows the connection from its first byte.
  let handshake: Bool
  let began: Moment
  var record: SessionRecord
  private var framing: APNsFraming?
  private var framers = BothWays<APNsFramer?>(nil)
  /// The first byte of the device, while the second is needed too.
  private var heldBack: [UInt8] = []
  private var isUnreadable = BothWays(false)
  private var counted = BothWays(0)
  private var counts: [APNsCommand: BothWays<UInt32>] = [:]
  private var sentUpTo = BothWays<UInt64>(0)
  private(set) var confirmedUpTo = BothWays<UInt64>(0)
  /// Why the session is not wholly known; empty when it is.
  var evidenceMissing = ""
  /// Connects that wait for their answers.
  var presentations: [APNsPresentation] = []
  /// Who is on this connection: the device first, then its other users.
  var devices: [APNsObservedDevice] = []
  var appTokens: [APNsToken: APNsObservedDevice] = [:]
  /// Requests for tokens of apps that wait for their answers.
  var appTokenRequests: [(topic: APNsTopic?, base: APNsToken?)] = []
  /// By the token of a device.
  var demands: [APNsToken?: APNsDemand] = [:]
  var saidNothingStored = false
  /// By the identifier of the message; the newest, if there are several.
  var inFlight: [UInt32: APNsDelivery] = [:]
  /// Acknowledged here.
  var settled: Set<UInt32> = []
  var awaitingTransport = APNsOutstanding()
  var unconfirmed = APNsOutstanding()
  var earlyAcks: [APNsEarlyAck] = []
  /// Sent by the device and not answered, in their order.
  var submissions: [UInt32] = []
  /// There were too many of them.
  var hasForgottenSubmissions = false
  var keepAlive = APNsKeepAliveWatch()
  var details = APNsSessionDetails()
  var accepted: Moment?
  var firstFilter: Moment?
  var lastClientFrame: Moment?
  var lastServerFrame: Moment?
  var client: APNsDeparture?
  var server: APNsDeparture?
  var ending: Moment?
  var isOver = false
  /// What the device says of its clock and of its last connection, in milliseconds since 1970.
  var deviceClock: UInt64?
  var lastConnected: UInt64?

  init(
    _ connection: ConnectionID, _ description: ConnectionDescription, handshake: Bool,
    number: SessionID, observer: APNsCaptureObserver, at moment: Moment
  ) {
    self.connection = connection
    self.description = description
    self.handshake = handshake
    self.observer = observer
    began = moment
    record = SessionRecord(
      id: number, connection: connection.index, protocolName: "apns",
      subscriber: "device at \(description.client)", isIdentified: false,
      client: description.client.description, server: description.server.description,
      began: RecordedMoment(moment))
    if !handshake { evidenceMissing = "the capture began in the middle of the connection" }
  }

  var name: String { record.subscriber }
  /// The courier can't hear the device any more.
  var courierHasClosed: Bool { server != nil }

  // MARK: Events

  func receive(_ event: ConnectionEvent, bytes: UnsafeRawBufferPointer, at moment: Moment) {
    if record.ended.time < moment.time { record.ended = RecordedMoment(moment) }
    switch event {
    case .began, .established, .secured, .windowClosed, .retransmission, .keepAliveProbe: break
    case .bytes(let direction, let offset):
      unsafe read(Array(bytes), direction, offset: offset, at: moment)
    case .gap(let direction, let offset, let length, let kind):
      miss(direction, offset: offset, length: length, kind, at: moment)
    case .acknowledged(let direction, let upTo): confirm(direction, upTo: upTo, at: moment)
    case .finished(let direction, _): depart(direction, .finished, at: moment)
    case .reset(let direction): depart(direction, .reset, at: moment)
    case .ended(let end): finish(end, at: moment)
    }
  }

  private func read(
    _ bytes: [UInt8], _ direction: Direction, offset: UInt64, at moment: Moment
  ) {
    let end = offset + UInt64(bytes.count)
    sentUpTo[direction] = max(sentUpTo[direction], end)
    if isUnreadable[direction] { return }
    var bytes = bytes
    if direction == .toServer {
      bytes = heldBack + bytes
      heldBack = []
      if !settleFraming(bytes) {
        heldBack = bytes
        return
      }
    }
    let start = end - UInt64(bytes.count)
    var framer = take(direction, startingAt: start)
    do {
      try framer.read(bytes, at: start) { follow($0, direction, end: $1, at: moment) }
    } catch {
      isUnreadable[direction] = true
      report(error, direction, at: moment)
    }
    framers[direction] = framer
    // Without the tables frames can still be counted; without their borders nothing can.
    if framer.isOutOfStep, !isUnreadable[direction] {
      isUnreadable[direction] = true
      doubt("what came \(sender(direction)) can't be read without what came before", at: moment)
    }
    countUnfinished(direction, at: moment)
  }

  /// The framer of a direction, out of its place while it works.
  private func take(_ direction: Direction, startingAt offset: UInt64) -> APNsFramer {
    if let framer = framers[direction] {
      framers[direction] = nil
      return framer
    }
    let framing = self.framing ?? adopt(observer.framing(of: connection, description) ?? .serial)
    var limit = 0
    if case .packed(let toServer, let toClient) = framing {
      limit = direction == .toServer ? toServer : toClient
    }
    var framer = APNsFramer(framing, tableLimit: limit, startingAt: offset)
    if !handshake { framer.miss(upTo: offset) }
    return framer
  }

  /// What the two ends agreed on, or what the first bytes of the device look like.
  ///
  /// - Returns: whether it is known.
  private func settleFraming(_ bytes: [UInt8]) -> Bool {
    if framing != nil { return true }
    if let agreed = observer.framing(of: connection, description) {
      adopt(agreed)
    } else if handshake, evidenceMissing.isEmpty {
      if bytes.count < 2 { return false }
      adopt(APNsRecognition.framing(bytes))
    } else {
      adopt(.serial)
    }
    return true
  }

  @discardableResult
  private func adopt(_ framing: APNsFraming) -> APNsFraming {
    self.framing = framing
    record.version = framing.name
    return framing
  }

  private func follow(
    _ decoded: APNsDecodedFrame, _ direction: Direction, end: UInt64, at moment: Moment
  ) {
    counts[decoded.frame.command, default: BothWays(0)][direction] += 1
    for violation in decoded.violations { report(violation, direction, at: moment) }
    if decoded.isUnreadable { return }
    switch direction {
    case .toServer: receiveFromDevice(decoded.frame, end: end, at: moment)
    case .toClient: receiveFromCourier(decoded.frame, end: end, at: moment)
    }
  }

  func sender(_ direction: Direction) -> String {
    direction == .toServer ? "from the device" : "from the courier"
  }

  /// The other end's TCP has everything below `upTo`.
  private func confirm(_ direction: Direction, upTo: UInt64, at moment: Moment) {
    confirmedUpTo[direction] = max(confirmedUpTo[direction], upTo)
    switch direction {
    case .toClient:
      awaitingTransport.confirm(upTo: upTo) { delivery in
        guard delivery.conversation === self else { return }
        delivery.note(
          .transportAcknowledged, moment, in: record.id,
          holder: delivery.isOpen ? .server : .nobody)
      }
    case .toServer:
      unconfirmed.confirm(upTo: upTo) { observer.file($0) }
    }
  }

  // MARK: What can't be relied on

  private func report(_ violation: APNsViolation, _ direction: Direction, at moment: Moment) {
    switch violation {
    case .wrongWidth(let command, let tag, _, _) where !Self.isTelling(command, tag):
      observer.warn("\(name): \(violation.text)", at: moment)
      return
    case .entryLargerThanTable:
      // No violation: nobody knows what the courier does with such an entry.
      doubt("\(violation.text), and the tables may differ from here on", at: moment)
      return
    case .itemOverrun, .trailingBytes, .wrongWidth, .frameTooLong, .missingEntry,
      .attributeOverrun, .prefixIntegerTooLong, .unknownValueType, .contradictoryKey,
      .nestedTooDeeply, .tooManyValues:
      break
    }
    if evidenceMissing.isEmpty {
      observer.violations.add(
        violation.rule, headline: violation.text,
        detail: "\(sender(direction)): \(violation.text)", session: record.id, at: moment)
    }
    if violation.losesTables {
      doubt("a frame \(sender(direction)) can't be read: \(violation.text)", at: moment)
    }
  }

  /// Items whose width decides what is acknowledged, and to whom.
  private static func isTelling(_ command: APNsCommand, _ tag: UInt8) -> Bool {
    switch (command, tag) {
    case (.notification, 4), (.ack, 4), (.ack, 8), (.connectResponse, 1), (.connectResponse, 3),
      (.filter, 2):
      true
    case _: false
    }
  }

  private func miss(
    _ direction: Direction, offset: UInt64, length: UInt64, _ kind: GapKind, at moment: Moment
  ) {
    sentUpTo[direction] = max(sentUpTo[direction], offset + length)
    heldBack = []
    var framer = take(direction, startingAt: offset)
    framer.miss(upTo: offset + length)
    framers[direction] = framer
    countUnfinished(direction, at: moment)
    doubt("\(length) bytes \(sender(direction)) \(kind.words)", at: moment)
  }

  func giveUpUnfinished(_ direction: Direction, at moment: Moment) {
    guard var framer = framers[direction] else { return }
    let count = framer.pendingBytes
    framer.miss(upTo: sentUpTo[direction])
    framers[direction] = framer
    countUnfinished(direction, at: moment)
    doubt("\(count) bytes \(sender(direction)) \(GapKind.givenUp.words)", at: moment)
  }

  private func countUnfinished(_ direction: Direction, at moment: Moment) {
    let pending = framers[direction]?.pendingBytes ?? 0
    if pending < UnfinishedBytes.smallest, counted[direction] == 0 { return }
    observer.countUnfinished(
      pending, known: &counted[direction], self, direction, at: moment)
  }

  /// Something that was said is not known, and so is what it changed.
  private func doubt(_ why: String, at moment: Moment) {
    missedPackets(why)
    observer.warn("\(name): \(why)", at: moment)
  }

  func missedPackets(_ why: String) {
    if evidenceMissing.isEmpty { evidenceMissing = why }
    keepAlive.isUnjudgeable = true
    for device in devices { device.taint(why) }
    for delivery in inFlight.values where delivery.isOpen && delivery.taint.isEmpty {
      delivery.taint = why
    }
  }

  // MARK: For the report

  var messageCounts: [MessageCount] {
    counts.sorted { $0.key < $1.key }.map {
      MessageCount($0.key.name, toServer: $0.value.toServer, toClient: $0.value.toClient)
    }
  }

  /// Bytes that the other end's TCP has not acknowledged.
  func isOutstanding(_ direction: Direction) -> Bool {
    confirmedUpTo[direction] < sentUpTo[direction]
  }

  func keepEarly(_ ack: APNsEarlyAck) {
    if earlyAcks.count < Self.earlyAckLimit { earlyAcks.append(ack) }
  }

  /// Nothing more is read: only what reports and stories tell of is kept.
  func letGo(at moment: Moment) {
    framers = BothWays(nil)
    for direction in Direction.allCases { countUnfinished(direction, at: moment) }
    inFlight = [:]
    settled = []
    awaitingTransport.removeAll()
    unconfirmed.removeAll()
    earlyAcks = []
    appTokens = [:]
    appTokenRequests = []
    demands = [:]
    submissions = []
    presentations = []
  }
}
