import Custody
import Timeline
import Wire

/// One connection that speaks MQTT: its packets, and what belongs to the connection alone.
final class MQTTConversation {
  /// How one end of the connection went.
  struct Departure {
    enum How { case finished, reset, saidGoodbye }
    var how: How
    var moment: Moment
  }

  // First what nearly every packet asks for: it lies together, in few lines of the cache.

  // The observer keeps its conversations, so it is there as long as they are told anything.
  private unowned(unsafe) let keeper: MQTTCaptureObserver
  var observer: MQTTCaptureObserver { unsafe keeper }
  /// Set by a good CONNACK; for a connection in its middle, by its first packet.
  var subscriber: MQTTSubscriber?
  let broker: MQTTObservedServer
  var version = MQTTVersion.unknown
  /// The first packet of the client was seen, so its CONNECT was or is missing for good.
  var sawFirstClientPacket = false
  var hasStarted = BothWays(false)
  /// After an undecodable header nothing more is read in that direction.
  private(set) var isUnreadable = BothWays(false)
  var isOver = false
  /// The client's TCP takes nothing.
  var isClientFull = false
  /// Bytes of the server are missing.
  var missedFromServer = false
  /// The last packet of the server's TCP: up to then the capture would show what it had sent.
  var lastServerSign: Moment?
  /// When the server last wrote anything, or could again.
  var lastServerBytes: Moment?
  var lastServerPacket: Moment?
  /// Nothing has been in flight to the client since then.
  var idleSince: Moment?
  /// How many deliveries with QoS > 0 were sent on this connection and are not finished. Each says
  /// with `flight` that it is one of them.
  var inFlightHere = 0
  /// Deliveries are numbered in the order of their sending, for the order of answers.
  var sends: UInt64 = 0
  var lastPubackOrder: UInt64 = 0
  var lastPubrecOrder: UInt64 = 0
  var clientReceiveMaximum = UInt32.max
  /// Why the session is not wholly known; empty when it is.
  var evidenceMissing = ""
  /// Answers whose PUBLISH has not been told: it may come late, out of order, or be missing.
  var earlyAnswers: [MQTTEarlyAnswer] = []
  var transport = MQTTTransportState()
  /// Sent here, and not known to have reached the client's TCP.
  private(set) var awaitingTransport = MQTTOutstanding()
  /// Acknowledged here, but the acknowledgement is not known to have reached the server's TCP.
  var unconfirmed = MQTTOutstanding()
  var silence = MQTTSilence()
  var client: Departure?
  /// By direction: what the end that receives it has granted.
  var framers = BothWays(MQTTFramer())
  /// Of what waits in them, what `UnfinishedBytes` knows of.
  var counted = BothWays(0)
  /// By number of the packet type.
  var packetCounts = BothWays(SIMD16<UInt32>())
  var record: SessionRecord
  /// What nearly every packet asks for and changes. While it is routine it is ahead of all else
  /// here.
  private(set) var trafficPlace: MQTTTrafficPlace?

  // Then what few packets ask for.

  /// Where its traffic lies.
  let near: MQTTNearMemory
  let connection: ConnectionID
  let description: ConnectionDescription
  var connect: MQTTConnect?
  var connack: MQTTConnack?
  /// The capture shows the connection from its first byte.
  let handshake: Bool
  var topicAliases = BothWays<[UInt16: String]>([:])
  var keepAlive = Nanoseconds.zero
  /// What the server can take at once; 3.x knows no limit.
  var serverReceiveMaximum = UInt32.max
  var clientTopicAliasMaximum: UInt16 = 0
  var serverTopicAliasMaximum: UInt16 = 0
  var clientMaximumPacketSize = UInt64.max
  var pendingSubscribes: [UInt16: MQTTSubscribe] = [:]
  var pendingUnsubscribes: [UInt16: MQTTUnsubscribe] = [:]
  /// What the client said before the server let it in.
  var beforeConnack: [MQTTSeenPacket] = []
  /// When CONNECT came.
  var connected: Moment?
  /// PINGREQs that wait for an answer.
  var unansweredPings: [Moment] = []
  /// QoS > 0 from the client, sent on this connection and not finished.
  var publishedHere = MQTTPacketIDTable<MQTTPublication>()
  /// In flight when this connection resumed the session state.
  var inherited: [MQTTDelivery] = []
  /// More of them are no objects.
  var inheritsFolded = false
  /// Those of them that it did not send again before anything new know this.
  var passings: [MQTTPassingOver] = []
  var server: Departure?
  var takenOver: Moment?
  /// What ended the session, as opposed to the last packet of the connection.
  var ending: Moment?
  /// All that was seen of a direction that began before the capture, until its packets are found.
  var beginnings = BothWays<[UInt8]?>(nil)

  init(
    _ connection: ConnectionID, _ description: ConnectionDescription, handshake: Bool,
    number: SessionID, broker: MQTTObservedServer, observer: MQTTCaptureObserver, at moment: Moment
  ) {
    self.connection = connection
    self.description = description
    self.handshake = handshake
    self.broker = broker
    unsafe keeper = observer
    near = observer.near
    record = SessionRecord(
      id: number, connection: connection.index, protocolName: "mqtt",
      subscriber: "client at \(description.client)", isIdentified: false,
      client: description.client.description, server: description.server.description,
      began: RecordedMoment(moment))
    if !handshake { evidenceMissing = "the capture began in the middle of the connection" }
    trafficPlace = MQTTTrafficPlace(for: self)
  }

  deinit { trafficPlace?.free(to: near) }

  /// Who a report says it was.
  var name: String { record.subscriber }

  func isAskingFor(_ topic: String) -> Bool {
    pendingSubscribes.values.contains { request in
      request.subscriptions.contains { MQTTTopicFilter($0.filter).matches(topic) }
    }
  }

  /// The server can't hear the client any more: an acknowledgement from now on does not count.
  var serverHasClosed: Bool { server != nil || takenOver != nil }

  // MARK: Events

  func receive(_ event: ConnectionEvent, bytes: UnsafeRawBufferPointer, at moment: Moment) {
    catchUp()
    // What an old connection does may concern what is in flight on the new one of its subscriber.
    if let subscriber, subscriber.conversation !== self { subscriber.conversation?.catchUp() }
    unsafe follow(event, bytes, at: moment)
    if case .bytes = event { becomeRoutine() }
  }

  private func follow(
    _ event: ConnectionEvent, _ bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if record.ended.time < moment.time { record.ended = RecordedMoment(moment) }
    if event.isFromServer, moment.time >= lastServerSign?.time ?? .start { lastServerSign = moment }
    switch event {
    case .began, .established, .secured: break
    case .windowClosed(let direction, let isClosed):
      if direction == .toClient { isClientFull = isClosed }
      if !isClosed { lastServerBytes = moment }
    case .bytes(let direction, let offset):
      if direction == .toClient {
        noteIdle(until: moment)
        lastServerBytes = moment
      }
      unsafe read(bytes, direction, offset: offset, at: moment)
    case .gap(let direction, let offset, let length, let kind):
      miss(direction, offset: offset, length: length, kind, at: moment)
    case .acknowledged(let direction, let upTo): confirm(direction, upTo: upTo, at: moment)
    case .retransmission(let direction, _, _):
      transport.repeated(direction, at: moment)
    case .keepAliveProbe: break
    case .finished(let direction, _): depart(direction, .finished, at: moment)
    case .reset(let direction): depart(direction, .reset, at: moment)
    case .ended(let end): finish(end, at: moment)
    }
  }

  func read(
    _ bytes: UnsafeRawBufferPointer, _ direction: Direction, offset: UInt64, at moment: Moment
  ) {
    unsafe readBytes(bytes, direction, offset: offset, at: moment)
    if framers[direction].pendingBytes >= UnfinishedBytes.smallest || counted[direction] > 0 {
      countUnfinished(direction, at: moment)
    }
  }

  private func readBytes(
    _ bytes: UnsafeRawBufferPointer, _ direction: Direction, offset: UInt64, at moment: Moment
  ) {
    if !hasStarted[direction] {
      hasStarted[direction] = true
      framers[direction] = MQTTFramer(startingAt: offset)
      // Without the SYN the first byte seen may be in the middle of a packet.
      if !handshake {
        framers[direction].gap(of: 0)
        beginnings[direction] = []
      }
    }
    transport.sent(direction, upTo: offset + UInt64(bytes.count))
    if isUnreadable[direction] { return }
    if framers[direction].isAtBoundary {
      unsafe readPackets(bytes.bytes, direction, at: moment)
      return
    }
    // Taken out while it is read, so that packets may be followed up meanwhile.
    var framer = MQTTFramer()
    swap(&framer, &framers[direction])
    defer { swap(&framer, &framers[direction]) }
    do {
      let segment = unsafe bytes.bytes
      if !framer.isSynchronised {
        // Writers rarely begin a segment inside a packet: one that is all packets is trusted.
        let chain = MQTTPacketChain(segment, version: version, direction: direction)
        if chain.packets > 0, chain.length == segment.byteCount {
          framer.gap(of: 0)
          framer.assumeBoundary()
          beginnings[direction] = nil
        } else if let whole = beginning(with: segment, direction) {
          let end = offset + UInt64(segment.byteCount)
          framer = MQTTFramer(startingAt: end - UInt64(whole.count))
          try unsafe framer.read(whole.span.bytes) { decode($0.end, $1, direction, at: moment) }
          return
        }
      }
      if framer.isSynchronised {
        try framer.read(segment) { decode($0.end, $1, direction, at: moment) }
        return
      }
      framer.append(segment)
      if framer.resynchronise(version: version, direction: direction, minimumPackets: 2) == nil {
        return
      }
      try framer.read([]) { decode($0.end, $1, direction, at: moment) }
    } catch {
      if framer.skipOversizedPacket() { return }
      isUnreadable[direction] = true
      reportUnreadable(error, direction, at: moment)
    }
  }

  /// The same for packets that take several segments, as long as all of them are there.
  ///
  /// - Returns: them, when they are whole now.
  private func beginning(
    with segment: RawSpan, _ direction: Direction
  ) -> [UInt8]? {
    guard var bytes = beginnings[direction] else { return nil }
    unsafe segment.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    let chain = unsafe MQTTPacketChain(bytes.span.bytes, version: version, direction: direction)
    let isWhole = chain.packets > 0 && chain.length == bytes.count
    let mayBe = chain.isUnbroken && bytes.count < CaptureObservers.openingLimit.bytes
    beginnings[direction] = mayBe && !isWhole ? bytes : nil
    return isWhole ? bytes : nil
  }

  /// Nearly every segment begins and ends with a packet: those are read where they lie, and the
  /// framer only learns how many bytes went by.
  private func readPackets(
    _ segment: RawSpan, _ direction: Direction, at moment: Moment
  ) {
    let start = framers[direction].offset
    var position = 0
    while let length = MQTTFramer.wholePacket(segment, at: position) {
      decode(
        start + UInt64(position + length), segment.extracting(position..<position + length),
        direction, at: moment)
      position += length
    }
    framers[direction].pass(position)
    if position == segment.byteCount { return }
    do {
      try framers[direction].read(segment.extracting(position..<segment.byteCount)) { _, _ in
        preconditionFailure("a whole packet was passed over")
      }
    } catch {
      if framers[direction].skipOversizedPacket() { return }
      isUnreadable[direction] = true
      reportUnreadable(error, direction, at: moment)
    }
  }

  /// - Parameter end: the stream offset behind the packet.
  private func decode(
    _ end: UInt64, _ bytes: RawSpan, _ direction: Direction, at moment: Moment
  ) {
    let first = unsafe bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self)
    packetCounts[direction][Int(first >> 4)] &+= 1
    do {
      if subscriber != nil, version != .unknown, sawFirstClientPacket || direction == .toClient,
        try decodeUsual(bytes, direction, end: end, at: moment)
      {
        return
      }
      let decoded = try MQTTPacket.decode(bytes, version: version, direction: direction)
      if version == .unknown, decoded.version != .unknown { adopt(decoded.version) }
      note(decoded.violations, of: decoded.packet.type, direction, at: moment)
      let seen = MQTTSeenPacket(
        packet: decoded.packet, end: end, size: UInt64(bytes.byteCount), moment: moment)
      switch direction {
      case .toServer: receiveFromClient(seen)
      case .toClient: receiveFromServer(seen)
      }
    } catch {
      reportUnreadable(error, direction, at: moment)
      // Its length is known, so the packets after it can still be read; what it said can't.
      subscriber?.taint("a packet could not be read")
    }
  }

  /// Reads what nearly all packets of a long connection are, without copying anything out; `false`
  /// when it is something else.
  private func decodeUsual(
    _ bytes: RawSpan, _ direction: Direction, end: UInt64, at moment: Moment
  ) throws(DecodeError) -> Bool {
    let first = unsafe bytes.unsafeLoad(fromByteOffset: 0, as: UInt8.self)
    if first >> 4 == MQTTPacketType.publish.rawValue {
      var violations: [MQTTViolation] = []
      let view = try MQTTPublishView(
        decoding: bytes, version: version, direction: direction, violations: &violations)
      if !violations.isEmpty { note(violations, of: .publish, direction, at: moment) }
      let topic = observer.topicText(bytes.extracting(view.topic))
      let publish = MQTTSeenPublish(view, in: bytes, topic: topic)
      let size = UInt64(bytes.byteCount)
      if direction == .toServer {
        noteClientPacket(.publish, end: end, at: moment)
        receiveSubmission(publish, size: size, at: moment)
      } else {
        noteServerPacket(at: moment)
        receiveDelivery(publish, end: end, at: moment)
      }
      return true
    }
    guard bytes.byteCount == 4, let type = Self.plainAnswer(first) else { return false }
    let id = unsafe UInt16(
      bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: 2, as: UInt16.self))
    if id == 0 { return false }
    let packet = MQTTAcknowledgement(packetID: id)
    if direction == .toServer {
      noteClientPacket(type, end: end, at: moment)
      if type == .pubrel {
        receiveRelease(packet, at: moment)
      } else {
        receiveAnswer(type, packet, end: end, at: moment)
      }
    } else {
      noteServerPacket(at: moment)
      switch type {
      case .pubrel: receiveDeliveryRelease(packet, at: moment)
      case .pubcomp: receiveCompletion(packet, at: moment)
      case _: receiveAcceptance(type, packet, at: moment)
      }
    }
    return true
  }

  /// PUBACK, PUBREC, PUBREL or PUBCOMP with the flags that they must have.
  private static func plainAnswer(_ first: UInt8) -> MQTTPacketType? {
    switch first {
    case 0x40: .puback
    case 0x50: .pubrec
    case 0x62: .pubrel
    case 0x70: .pubcomp
    case _: nil
    }
  }

  private func note(
    _ violations: [MQTTViolation], of type: MQTTPacketType, _ direction: Direction,
    at moment: Moment
  ) {
    for violation in violations {
      observer.violations.add(
        violation.statement, rule: violation.text,
        detail: "\(type.name) \(sender(direction)): \(violation.text)",
        session: record.id, at: moment)
    }
  }

  /// Every packet, readable or not, by its type.
  var messageCounts: [MessageCount] {
    MQTTPacketType.allCases.compactMap { type in
      let toServer = packetCounts.toServer[Int(type.rawValue)]
      let toClient = packetCounts.toClient[Int(type.rawValue)]
      if toServer == 0, toClient == 0 { return nil }
      return MessageCount(type.name, toServer: toServer, toClient: toClient)
    }
  }

  private func adopt(_ version: MQTTVersion) {
    self.version = version
    record.version = version.description
  }

  private func reportUnreadable(
    _ error: DecodeError, _ direction: Direction, at moment: Moment
  ) {
    if !error.rule.isEmpty, evidenceMissing.isEmpty {
      observer.violations.add(
        error.rule, rule: error.expected,
        detail: "a packet \(sender(direction)) can't be read: \(error.expected)",
        session: record.id, at: moment)
    } else {
      observer.warn("\(name): a packet can't be read, expected \(error.expected)", at: moment)
    }
    if evidenceMissing.isEmpty { evidenceMissing = "a packet could not be read" }
    subscriber?.taint(evidenceMissing)
  }

  func sender(_ direction: Direction) -> String {
    direction == .toServer ? "from the client" : "from the server"
  }

  /// The other end's TCP has everything below `upTo`.
  func confirm(_ direction: Direction, upTo: UInt64, at moment: Moment) {
    transport.acknowledged(direction, upTo: upTo)
    switch direction {
    case .toClient:
      awaitingTransport.confirm(upTo: upTo) { delivery in
        guard delivery.lastSession == record.id else { return }
        delivery.note(
          .transportAcknowledged, moment, in: record.id,
          holder: delivery.isOpen ? .server : .nobody)
      }
    case .toServer:
      unconfirmed.confirm(upTo: upTo)
      silence.confirm(upTo: upTo)
    }
  }

  func awaitTransport(_ delivery: MQTTDelivery, end: UInt64) {
    awaitingTransport.append(delivery, end: end)
  }

  /// Nothing more is read: only what reports and stories tell of is kept.
  func letGo() {
    inFlightHere = 0
    trafficPlace?.free(to: near)
    trafficPlace = nil
    publishedHere.removeAll()
    awaitingTransport.removeAll()
    unconfirmed.removeAll()
    inherited = []
    inheritsFolded = false
    for passing in passings { passing.conclude() }
    passings = []
    framers = BothWays(MQTTFramer())
    for direction in Direction.allCases { countUnfinished(direction, at: observer.now) }
    topicAliases = BothWays([:])
    beginnings = BothWays(nil)
    beforeConnack = []
    unansweredPings = []
    pendingSubscribes = [:]
    pendingUnsubscribes = [:]
    connack = nil
  }
}
