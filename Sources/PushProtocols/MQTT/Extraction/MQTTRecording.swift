internal import Timeline
internal import Wire

/// A control packet of a capture, without its payload.
struct MQTTRecordedPacket {
  /// A PUBLISH has no payload here and its topic is whole, an alias resolved.
  var packet: MQTTPacket
  var direction: Direction
  /// Of the segment that completed it.
  var moment: Moment
  /// Hash of the payload of a PUBLISH or of the will in a CONNECT, 0 for others.
  var digest: UInt64 = 0
  /// Its receiver's FIN or RST was captured before it.
  var peerHadClosed = false
}

/// An end of a connection's stream that was seen.
struct MQTTRecordedEnd {
  var direction: Direction
  var isReset: Bool
  var moment: Moment
}

/// One connection of a capture that speaks MQTT from its CONNECT on, with all that a scenario can
/// be made of.
final class MQTTRecording {
  let connection: ConnectionID
  let description: ConnectionDescription
  let began: Moment
  private(set) var established: Moment?
  private(set) var packets: [MQTTRecordedPacket] = []
  private(set) var ends: [MQTTRecordedEnd] = []
  /// By direction.
  private(set) var flows = [MQTTRecordedFlow(), MQTTRecordedFlow()]
  /// What makes the record incomplete.
  private(set) var trouble: [(moment: Moment, text: String)] = []
  private(set) var refused = false

  private var version = MQTTVersion.unknown
  private var framers = [MQTTFramer(), MQTTFramer()]
  private var isUnreadable = [false, false]
  /// Of what waits in the framers, what `UnfinishedBytes` knows of.
  private var counted = [0, 0]
  private var aliases: [[UInt16: String]] = [[:], [:]]
  /// When each end was last heard of, its TCP's acknowledgements included, by direction.
  private(set) var lastSign: [Moment]

  init(_ connection: ConnectionID, _ description: ConnectionDescription, at moment: Moment) {
    self.connection = connection
    self.description = description
    began = moment
    lastSign = [moment, moment]
  }

  /// The CONNECT, if the first packet of the client is one.
  var connect: MQTTConnect? {
    guard let first = packets.first, case .connect(let connect) = first.packet else { return nil }
    return connect
  }

  var connack: (packet: MQTTConnack, moment: Moment)? {
    for item in packets {
      if case .connack(let connack) = item.packet { return (connack, item.moment) }
    }
    return nil
  }

  // MARK: - Events

  func receive(_ event: ConnectionEvent, bytes: UnsafeRawBufferPointer, at moment: Moment) {
    switch event {
    case .began, .windowClosed, .secured: break
    case .established: established = moment
    case .bytes(let direction, let offset):
      sign(direction, moment)
      flows[Int(direction.rawValue)].sent(upTo: offset + UInt64(bytes.count), at: moment)
      unsafe read(bytes, direction, at: moment)
    case .gap(let direction, _, let length, let kind):
      framers[Int(direction.rawValue)].gap(of: length)
      isUnreadable[Int(direction.rawValue)] = true
      trouble.append((moment, "\(length) bytes \(kind.words)"))
    case .acknowledged(let direction, let upTo):
      sign(direction.opposite, moment)
      flows[Int(direction.rawValue)].acknowledged(upTo: upTo, at: moment)
    case .retransmission(let direction, _, let length):
      sign(direction, moment)
      if length > 0 { flows[Int(direction.rawValue)].repeated(at: moment) }
    case .keepAliveProbe(let direction): sign(direction, moment)
    case .finished(let direction, _):
      sign(direction, moment)
      ends.append(MQTTRecordedEnd(direction: direction, isReset: false, moment: moment))
    case .reset(let direction):
      sign(direction, moment)
      ends.append(MQTTRecordedEnd(direction: direction, isReset: true, moment: moment))
    case .ended(let end): if case .refused = end { refused = true }
    }
  }

  private func sign(_ direction: Direction, _ moment: Moment) {
    lastSign[Int(direction.rawValue)] = moment
  }

  private func read(
    _ bytes: UnsafeRawBufferPointer, _ direction: Direction, at moment: Moment
  ) {
    let index = Int(direction.rawValue)
    if isUnreadable[index] { return }
    var framer = MQTTFramer()
    swap(&framer, &framers[index])
    defer { swap(&framer, &framers[index]) }
    do {
      let segment = unsafe bytes.bytes
      try framer.read(segment) { frame, packet in take(frame, packet, direction, at: moment) }
    } catch {
      if framer.skipOversizedPacket() { return }
      giveUp(direction, at: moment)
    }
  }

  /// To be called after each event.
  func countUnfinished(
    in unfinished: UnfinishedBytes, of holder: any UnfinishedHolder, isOver: Bool,
    at moment: Moment
  ) {
    for direction in Direction.allCases {
      let index = Int(direction.rawValue)
      if isOver || isUnreadable[index] { framers[index] = MQTTFramer() }
      unfinished.count(
        framers[index].pendingBytes, known: &counted[index],
        UnfinishedBytes.Place(connection, direction, .messages), description, of: holder,
        at: moment)
    }
  }

  /// What waits has to go, to make room; nothing after it is replayed.
  func giveUpUnfinished(_ bytes: UnfinishedBytes.Held) {
    isUnreadable[Int(bytes.place.direction.rawValue)] = true
    trouble.append((bytes.moment, "\(bytes.count) bytes \(GapKind.givenUp.words)"))
  }

  private func giveUp(_ direction: Direction, at moment: Moment) {
    isUnreadable[Int(direction.rawValue)] = true
    trouble.append((moment, "a packet can't be read, so nothing after it is replayed"))
  }

  private func take(
    _ frame: MQTTFrame, _ bytes: RawSpan, _ direction: Direction, at moment: Moment
  ) {
    guard
      let decoded = try? MQTTPacket.decode(bytes, version: version, direction: direction)
    else {
      if packets.isEmpty { isUnreadable = [true, true] }
      giveUp(direction, at: moment)
      return
    }
    var recorded = MQTTRecordedPacket(
      packet: decoded.packet, direction: direction, moment: moment,
      peerHadClosed: ends.contains { $0.direction != direction })
    switch decoded.packet {
    case .connect(let connect):
      version = connect.version
      if let will = connect.will { recorded.digest = Self.digest(of: will.payload) }
    case .publish(var publish):
      recorded.digest = Self.digest(of: publish.payload)
      publish.payload = []
      publish.topic = resolve(publish, direction)
      recorded.packet = .publish(publish)
    case .connack, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .suback, .unsubscribe,
      .unsuback, .pingreq, .pingresp, .disconnect, .auth:
      break
    }
    packets.append(recorded)
  }

  static func digest(of payload: [UInt8]) -> UInt64 {
    unsafe MQTTContentHash.hash(payload.span.bytes)
  }

  private func resolve(_ publish: MQTTPublish, _ direction: Direction) -> String {
    guard let alias = publish.properties.topicAlias else { return publish.topic }
    if publish.topic.isEmpty { return aliases[Int(direction.rawValue)][alias] ?? "" }
    aliases[Int(direction.rawValue)][alias] = publish.topic
    return publish.topic
  }
}

/// What the capture shows of TCP in one direction of a connection.
struct MQTTRecordedFlow {
  /// Bytes were sent, and sent again, and not acknowledged for a time.
  struct Span {
    var from: Moment
    var lastRepetition: Moment
    var repetitions: Int
    /// When an acknowledgement came after all.
    var healed: Moment?
  }

  private(set) var spans: [Span] = []
  /// Shortest time from bytes to their acknowledgement.
  private(set) var quickestAcknowledgement: Nanoseconds?
  private var outstanding: [(end: UInt64, moment: Moment)] = []
  private var open: Span?

  mutating func sent(upTo end: UInt64, at moment: Moment) {
    outstanding.append((end, moment))
  }

  mutating func repeated(at moment: Moment) {
    if open == nil {
      open = Span(
        from: outstanding.first?.moment ?? moment, lastRepetition: moment, repetitions: 0)
    }
    open?.lastRepetition = moment
    open?.repetitions += 1
  }

  mutating func acknowledged(upTo end: UInt64, at moment: Moment) {
    var count = 0
    while count < outstanding.count, outstanding[count].end <= end { count += 1 }
    guard count > 0 else { return }
    if open == nil {
      let gap = moment.time - outstanding[count - 1].moment.time
      quickestAcknowledgement = min(quickestAcknowledgement ?? gap, gap)
    }
    outstanding.removeFirst(count)
    if outstanding.isEmpty, var span = open {
      span.healed = moment
      spans.append(span)
      open = nil
    }
  }

  /// All spans, one that never healed included.
  var allSpans: [Span] { open.map { spans + [$0] } ?? spans }
  /// When the oldest bytes were sent that nobody acknowledged.
  var unacknowledgedSince: Moment? { outstanding.first?.moment }
}
