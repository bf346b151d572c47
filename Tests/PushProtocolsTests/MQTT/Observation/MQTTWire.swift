import Custody
import Timeline
import Wire

@testable import PushProtocols

/// Connections written by hand: what a capture would tell of them, one packet every millisecond.
final class MQTTWire {
  private struct Line {
    var connection: ConnectionID
    var description: ConnectionDescription
    var version: MQTTVersion
    var offsets: [UInt64] = [0, 0]
  }

  let observers: CaptureObservers
  private let unfinished: UnfinishedBytes
  private var lines: [String: Line] = [:]
  private var connections: UInt32 = 0
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  private(set) var frame: UInt32 = 0
  /// Bytes of one segment; packets are cut at this.
  var segmentSize = Int.max

  /// Segments are told as such, if anybody takes them so, and not by their events.
  private let tellsSegments: Bool
  /// How many were taken.
  private(set) var taken = 0

  init(
    unfinished: UnfinishedBytes = UnfinishedBytes(),
    catalog: [ObservedProtocol] = ObservationCatalog.all, keepsDeliveries: Bool = true,
    tellsSegments: Bool = false
  ) {
    self.unfinished = unfinished
    self.tellsSegments = tellsSegments
    observers = CaptureObservers(
      catalog, keepsDeliveries: keepsDeliveries, unfinished: unfinished)
  }

  func wait(_ length: Nanoseconds) { now = now + length }

  private func tell(_ name: String, _ event: ConnectionEvent, _ bytes: [UInt8] = []) {
    frame += 1
    now = now + .milliseconds(1)
    let line = lines[name]!
    if takes(event, of: line.connection, bytes) { return }
    unsafe bytes.withUnsafeBytes {
      unsafe observers.receive(
        event, of: line.connection, line.description, bytes: $0,
        at: Moment(time: now, frame: frame))
    }
    if unfinished.isOverLimit { unfinished.makeRoom() }
  }

  private func takes(
    _ event: ConnectionEvent, of connection: ConnectionID, _ bytes: [UInt8]
  ) -> Bool {
    let segment: PlainSegment
    switch event {
    case .bytes(let direction, let offset) where tellsSegments:
      segment = PlainSegment(direction, offset: offset, acknowledges: false, acknowledged: 0)
    case .acknowledged(let direction, let upTo) where tellsSegments:
      segment = PlainSegment(
        direction.opposite, offset: 0, acknowledges: true, acknowledged: upTo)
    case _: return false
    }
    let moment = Moment(time: now, frame: frame)
    // Alone, or as runs come from another thread, prepared.
    let isRun = frame % 4 > 0
    let isTaken = unsafe bytes.withUnsafeBytes {
      unsafe isRun
        ? takesRun(segment, of: connection, $0, at: moment)
        : observers.takes(segment, of: connection, bytes: $0, at: moment)
    }
    if isTaken { taken += 1 }
    return isTaken
  }

  private func takesRun(
    _ segment: PlainSegment, of connection: ConnectionID, _ bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) -> Bool {
    let prepared =
      unsafe bytes.isEmpty ? 0 : observers.preparation?(bytes, segment.direction) ?? 0
    let one = unsafe SegmentOfRun(
      segment, of: connection, bytes: bytes, preparation: prepared, at: moment)
    return unsafe withUnsafePointer(to: one) {
      unsafe observers.take(SegmentRun($0, count: 1)) == 1
    }
  }

  // MARK: TCP

  func open(
    _ name: String, version: MQTTVersion = .v3_1_1, handshake: Bool = true, port: UInt16 = 1883
  ) {
    let description = ConnectionDescription(
      client: Endpoint(address: [10, 0, 0, 2], port: UInt16(50_000 + connections)),
      server: Endpoint(address: [10, 0, 0, 1], port: port), clientRule: .synSender)
    lines[name] = Line(
      connection: ConnectionID(connections), description: description, version: version)
    connections += 1
    tell(name, .began(handshake: handshake))
  }

  func bytes(_ name: String, _ direction: Direction, _ bytes: [UInt8], confirmed: Bool = true) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let segment = Array(rest.prefix(segmentSize))
      rest = rest.dropFirst(segmentSize)
      let offset = lines[name]!.offsets[Int(direction.rawValue)]
      lines[name]!.offsets[Int(direction.rawValue)] += UInt64(segment.count)
      tell(name, .bytes(direction, offset: offset), segment)
    }
    if confirmed { confirm(name, direction) }
  }

  func confirm(_ name: String, _ direction: Direction) {
    tell(name, .acknowledged(direction, upTo: lines[name]!.offsets[Int(direction.rawValue)]))
  }

  func gap(_ name: String, _ direction: Direction, _ length: UInt64) {
    let offset = lines[name]!.offsets[Int(direction.rawValue)]
    lines[name]!.offsets[Int(direction.rawValue)] += length
    tell(name, .gap(direction, offset: offset, length: length, .notCaptured))
  }

  func windowClosed(_ name: String, _ direction: Direction, _ isClosed: Bool) {
    tell(name, .windowClosed(direction, isClosed))
  }

  func finish(_ name: String, _ direction: Direction) {
    tell(name, .finished(direction, offset: lines[name]!.offsets[Int(direction.rawValue)]))
  }

  func reset(_ name: String, _ direction: Direction) {
    tell(name, .reset(direction))
    endAfterReset(name)
  }

  /// The end is told later, perhaps when another connection has begun: `endAfterReset`.
  func resetAndLinger(_ name: String, _ direction: Direction) { tell(name, .reset(direction)) }

  func endAfterReset(_ name: String) { tell(name, .ended(.reset)) }

  /// Bytes that were told before.
  func repeatBytes(_ name: String, _ direction: Direction) {
    tell(name, .retransmission(direction, offset: 0, length: 1))
  }

  /// Both ends close, the client first.
  func close(_ name: String) {
    finish(name, .toServer)
    finish(name, .toClient)
    tell(name, .ended(.closed))
  }

  // MARK: MQTT

  func client(_ name: String, _ packet: MQTTPacket, confirmed: Bool = true) {
    bytes(
      name, .toServer, packet.encode(version: lines[name]!.version), confirmed: confirmed)
  }

  func server(_ name: String, _ packet: MQTTPacket, confirmed: Bool = true) {
    bytes(
      name, .toClient, packet.encode(version: lines[name]!.version), confirmed: confirmed)
  }

  /// A new connection: SYN, CONNECT, CONNACK.
  func join(
    _ name: String, as identity: String? = nil, version: MQTTVersion = .v3_1_1, clean: Bool = false,
    present: Bool = false, keepAlive: UInt16 = 0, properties: MQTTProperties = [],
    granted: MQTTProperties = []
  ) {
    open(name, version: version)
    client(
      name,
      .connect(
        MQTTConnect(
          version: version, clientIdentifier: identity ?? name, cleanStart: clean,
          keepAlive: keepAlive, properties: properties)))
    server(name, .connack(MQTTConnack(sessionPresent: present, properties: granted)))
  }

  func subscribe(_ name: String, _ filter: String, _ qos: MQTTQoS = .atLeastOnce) {
    subscribe(name, MQTTSubscription(filter, qos: qos))
  }

  func subscribe(_ name: String, _ subscription: MQTTSubscription) {
    client(name, .subscribe(MQTTSubscribe(packetID: 900, subscriptions: [subscription])))
    server(
      name,
      .suback(
        MQTTSuback(
          packetID: 900, reasonCodes: [MQTTReasonCode(subscription.qos.rawValue)])))
  }

  /// A subscriber with session state that outlives its connection.
  func subscriber(_ name: String, _ filter: String = "t/#", _ qos: MQTTQoS = .atLeastOnce) {
    join(name)
    subscribe(name, filter, qos)
  }

  /// PUBLISH and PUBACK, or the four steps of QoS 2.
  func publish(
    _ name: String, _ text: String, topic: String = "t/x", id: UInt16 = 1,
    qos: MQTTQoS = .atLeastOnce, properties: MQTTProperties = []
  ) {
    client(
      name,
      .publish(
        MQTTPublish(
          topic: topic, payload: Array(text.utf8), qos: qos,
          packetID: qos == .atMostOnce ? nil : id, properties: properties)))
    switch qos {
    case .atMostOnce: break
    case .atLeastOnce: server(name, .puback(MQTTAcknowledgement(packetID: id)))
    case .exactlyOnce:
      server(name, .pubrec(MQTTAcknowledgement(packetID: id)))
      client(name, .pubrel(MQTTAcknowledgement(packetID: id)))
      server(name, .pubcomp(MQTTAcknowledgement(packetID: id)))
    }
  }

  /// The server's PUBLISH to a subscriber.
  func deliver(
    _ name: String, _ text: String, topic: String = "t/x", id: UInt16,
    qos: MQTTQoS = .atLeastOnce, duplicate: Bool = false, retain: Bool = false,
    confirmed: Bool = true
  ) {
    server(
      name,
      .publish(
        MQTTPublish(
          topic: topic, payload: Array(text.utf8), qos: qos,
          packetID: qos == .atMostOnce ? nil : id, retain: retain, duplicate: duplicate)),
      confirmed: confirmed)
  }

  func acknowledge(_ name: String, _ id: UInt16, confirmed: Bool = true) {
    client(name, .puback(MQTTAcknowledgement(packetID: id)), confirmed: confirmed)
  }

  // MARK: What was learned

  private var finished: (CaptureObservation, [UnrecognisedConnections])?

  private func conclude() -> (CaptureObservation, [UnrecognisedConnections]) {
    if let finished { return finished }
    let result = observers.finish(at: Moment(time: now, frame: frame))
    finished = result
    return result
  }

  var observation: CaptureObservation { conclude().0 }
  var unrecognised: [UnrecognisedConnections] { conclude().1 }
  var states: [DeliveryState] { observation.deliveries.map(\.state) }
  var violations: [FindingRecord] { observation.findings.filter { $0.verdict == .violated } }
  var oracles: [FindingRecord.Oracle] { violations.map(\.oracle) }
}
