import PushProtocols
import Timeline
import Wire

/// A capture written by hand: connections, their packets and ends, told to an extractor.
///
/// The round trip is 200 µs, the capture is made in the middle of it.
final class WrittenCapture {
  private let extractor = ExtractionCatalog.all[0].makeExtractor(APNsTopicNames())
  private var frame: UInt32 = 0
  private var offsets: [UInt32: [UInt64]] = [:]
  private var last = Instant.start
  /// As a capture has it: nanoseconds since 1970.
  private let epoch = Nanoseconds.seconds(1_700_000_000)

  static let server = Endpoint(address: [10, 0, 0, 1], port: 1883)

  private func tell(
    _ event: ConnectionEvent, _ connection: UInt32, bytes: [UInt8] = [], at time: Nanoseconds
  ) {
    frame += 1
    last = Instant.start + epoch + time
    let moment = Moment(time: last, frame: frame)
    let client = Endpoint(address: [10, 0, 0, 2], port: UInt16(50_000 + connection))
    let description = ConnectionDescription(
      client: client, server: Self.server, clientRule: .synSender)
    unsafe bytes.withUnsafeBytes {
      unsafe extractor.receive(
        event, of: ConnectionID(connection), description, bytes: $0, at: moment)
    }
  }

  /// SYN, then the end of the handshake 200 µs later.
  func open(_ connection: UInt32, at time: Nanoseconds) {
    offsets[connection] = [0, 0]
    tell(.began(handshake: true), connection, at: time)
    tell(.established, connection, at: time + .microseconds(200))
  }

  /// A packet, which the other end's TCP acknowledges after 100 µs.
  func send(
    _ packet: MQTTPacket, _ direction: Direction, _ connection: UInt32, at time: Nanoseconds,
    version: MQTTVersion = .v3_1_1, isAcknowledged: Bool = true
  ) {
    let bytes = packet.encode(version: version)
    let index = Int(direction.rawValue)
    let offset = offsets[connection]?[index] ?? 0
    let end = offset + UInt64(bytes.count)
    offsets[connection]?[index] = end
    tell(.bytes(direction, offset: offset), connection, bytes: bytes, at: time)
    if isAcknowledged {
      tell(.acknowledged(direction, upTo: end), connection, at: time + .microseconds(100))
    }
  }

  func repeats(_ direction: Direction, _ connection: UInt32, at time: Nanoseconds) {
    tell(.retransmission(direction, offset: 0, length: 10), connection, at: time)
  }

  func finish(_ direction: Direction, _ connection: UInt32, at time: Nanoseconds) {
    tell(.finished(direction, offset: 0), connection, at: time)
  }

  func reset(_ direction: Direction, _ connection: UInt32, at time: Nanoseconds) {
    tell(.reset(direction), connection, at: time)
  }

  func end(at time: Nanoseconds) -> [ExtractedHistory] {
    last = Instant.start + epoch + time
    return extractor.finish(source: "written", at: Moment(time: last, frame: frame))
  }

  // MARK: - What clients usually do

  /// Opens, connects and is let in: done 1 ms later.
  func connect(
    _ identifier: String, _ connection: UInt32, at time: Nanoseconds, clean: Bool = false,
    present: Bool = false, keepAlive: UInt16 = 60
  ) {
    open(connection, at: time)
    let connect = MQTTConnect(
      version: .v3_1_1, clientIdentifier: identifier, cleanStart: clean, keepAlive: keepAlive)
    send(.connect(connect), .toServer, connection, at: time + .microseconds(400))
    send(
      .connack(MQTTConnack(sessionPresent: present)), .toClient, connection,
      at: time + .microseconds(600))
  }

  func subscribe(_ filter: String, _ connection: UInt32, at time: Nanoseconds) {
    let subscription = MQTTSubscription(filter, qos: .atLeastOnce)
    send(
      .subscribe(MQTTSubscribe(packetID: 1, subscriptions: [subscription])), .toServer, connection,
      at: time)
    send(
      .suback(MQTTSuback(packetID: 1, reasonCodes: [.grantedQoS1])), .toClient, connection,
      at: time + .microseconds(200))
  }

  /// A QoS 1 message and, 200 µs later, its acknowledgement.
  func publish(
    _ payload: UInt8, _ packet: UInt16, _ direction: Direction, _ connection: UInt32,
    at time: Nanoseconds, duplicate: Bool = false, isAnswered: Bool = true
  ) {
    let publish = MQTTPublish(
      topic: "t/x", payload: [payload], qos: .atLeastOnce, packetID: packet, duplicate: duplicate)
    send(.publish(publish), direction, connection, at: time)
    guard isAnswered else { return }
    send(
      .puback(MQTTAcknowledgement(packetID: packet)), direction.opposite, connection,
      at: time + .microseconds(200))
  }

  func disconnect(_ connection: UInt32, at time: Nanoseconds) {
    send(.disconnect(MQTTDisconnect()), .toServer, connection, at: time)
    finish(.toServer, connection, at: time + .microseconds(10))
    finish(.toClient, connection, at: time + .microseconds(110))
  }
}
