import Custody
import Timeline
import Wire

@testable import PushProtocols

/// Courier connections written by hand: what a capture would tell of them, one packet every
/// millisecond, in either framing.
final class APNsWire {
  private struct Line {
    var connection: ConnectionID
    var description: ConnectionDescription
    var encoders: [APNsPackedEncoder]
    var isPacked: Bool
    var offsets: [UInt64] = [0, 0]
  }

  let observers: CaptureObservers
  private var lines: [String: Line] = [:]
  private var connections: UInt32 = 0
  private(set) var now = Instant(nanoseconds: 1_800_000_000_000_000_000)
  private(set) var frame: UInt32 = 0
  /// Bytes of one segment; frames are cut at this.
  var segmentSize = Int.max
  private let isPacked: Bool

  init(packed: Bool = false, keepsDeliveries: Bool = true, topics: [String] = []) {
    isPacked = packed
    observers = CaptureObservers(
      keepsDeliveries: keepsDeliveries, topicNames: APNsTopicNames(topics))
  }

  func wait(_ length: Nanoseconds) { now = now + length }

  /// Seconds since 1970, for expiries.
  var seconds: UInt32 { UInt32(now.nanoseconds / 1_000_000_000) }

  private func tell(_ name: String, _ event: ConnectionEvent, _ bytes: [UInt8] = []) {
    frame += 1
    now = now + .milliseconds(1)
    let line = lines[name]!
    unsafe bytes.withUnsafeBytes {
      unsafe observers.receive(
        event, of: line.connection, line.description, bytes: $0,
        at: Moment(time: now, frame: frame))
    }
  }

  // MARK: TCP

  func open(_ name: String, handshake: Bool = true) {
    lines[name] = Line(
      connection: ConnectionID(connections),
      description: ConnectionDescription(
        client: Endpoint(address: [10, 0, 0, 2], port: UInt16(50_000 + connections)),
        server: Endpoint(address: [17, 0, 0, UInt8(1 + connections % 9)], port: 5223),
        clientRule: .synSender),
      encoders: [APNsPackedEncoder(), APNsPackedEncoder()], isPacked: isPacked)
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
    if confirmed {
      tell(name, .acknowledged(direction, upTo: lines[name]!.offsets[Int(direction.rawValue)]))
    }
  }

  func gap(_ name: String, _ direction: Direction, _ length: UInt64) {
    let offset = lines[name]!.offsets[Int(direction.rawValue)]
    lines[name]!.offsets[Int(direction.rawValue)] += length
    tell(name, .gap(direction, offset: offset, length: length, .notCaptured))
  }

  func finish(_ name: String, _ direction: Direction) {
    tell(name, .finished(direction, offset: lines[name]!.offsets[Int(direction.rawValue)]))
  }

  func reset(_ name: String, _ direction: Direction = .toServer) {
    tell(name, .reset(direction))
    tell(name, .ended(.reset))
  }

  /// Both ends close, the device first.
  func close(_ name: String) {
    finish(name, .toServer)
    finish(name, .toClient)
    tell(name, .ended(.closed))
  }

  // MARK: Frames

  /// The bytes of a frame; a packed one changes the tables whether it is sent or not.
  func encode(_ name: String, _ direction: Direction, _ frame: APNsFrame) -> [UInt8] {
    if lines[name]!.isPacked {
      return lines[name]!.encoders[Int(direction.rawValue)].encode(frame)
    }
    return APNsSerialFraming.encode(frame)!
  }

  func device(_ name: String, _ frame: APNsFrame, confirmed: Bool = true) {
    bytes(name, .toServer, encode(name, .toServer, frame), confirmed: confirmed)
  }

  func courier(_ name: String, _ frame: APNsFrame, confirmed: Bool = true) {
    bytes(name, .toClient, encode(name, .toClient, frame), confirmed: confirmed)
  }

  static func token(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }
  static let app = APNsTopic(named: "com.example.app").hash
  static let otherApp = APNsTopic(named: "com.example.other").hash

  static func connect(
    _ token: UInt8? = nil, lastConnected: UInt64? = nil, clock: UInt64? = nil
  ) -> APNsFrame {
    var items = token.map { [APNsItem.stored(1, APNsWire.token($0))] } ?? []
    items += [APNsItem(2, .integer(1)), APNsItem(5, .integer(0x41))]
    if let clock {
      let nonce =
        [0] + APNsSerialFraming.bigEndian(clock, width: 8) + [UInt8](repeating: 9, count: 8)
      items.append(APNsItem(13, .bytes(nonce)))
    }
    if let lastConnected { items.append(APNsItem(22, .integer(Int128(lastConnected)))) }
    return APNsFrame(.connect, items)
  }

  static func response(_ token: UInt8?, status: Int128 = 0) -> APNsFrame {
    APNsFrame(
      .connectResponse,
      [APNsItem(1, .integer(status))]
        + (token.map { [APNsItem.stored(3, APNsWire.token($0))] } ?? []))
  }

  static func filter(_ token: UInt8, _ topics: [[UInt8]]) -> APNsFrame {
    APNsFrame(
      .filter,
      [.stored(1, APNsWire.token(token))] + topics.map { APNsItem.stored(2, $0) })
  }

  /// A new connection: SYN, Connect, ConnectResponse, Filter.
  func join(
    _ name: String, _ token: UInt8 = 1, presented: UInt8? = nil,
    topics: [[UInt8]] = [APNsWire.app]
  ) {
    open(name)
    device(name, Self.connect(presented))
    courier(name, Self.response(token))
    device(name, Self.filter(token, topics))
  }

  func notify(
    _ name: String, _ id: Int128, _ text: String = "", token: UInt8 = 1,
    topic: [UInt8] = APNsWire.app, expiry: UInt32 = .max, storage: Int128 = 0,
    confirmed: Bool = true
  ) {
    courier(
      name, Self.notification(id, text, token: token, topic: topic, expiry: expiry, storage),
      confirmed: confirmed)
  }

  static func notification(
    _ id: Int128, _ text: String = "", token: UInt8 = 1, topic: [UInt8] = APNsWire.app,
    expiry: UInt32 = .max, _ storage: Int128 = 0
  ) -> APNsFrame {
    APNsFrame(
      .notification,
      [
        .stored(1, APNsWire.token(token)), .stored(2, topic),
        APNsItem(3, .bytes(Array((text.isEmpty ? "push \(id)" : text).utf8))),
        APNsItem(4, .integer(id)), APNsItem(5, .integer(Int128(expiry))),
        APNsItem(7, .integer(storage)),
      ])
  }

  func ack(
    _ name: String, _ id: Int128, token: UInt8? = 1, status: Int128 = 0, confirmed: Bool = true
  ) {
    device(
      name,
      APNsFrame(
        .ack,
        (token.map { [APNsItem.stored(1, APNsWire.token($0))] } ?? [])
          + [APNsItem(4, .integer(id)), APNsItem(8, .integer(status))]), confirmed: confirmed)
  }

  /// One keep-alive and its answer.
  func keepAlive(_ name: String) {
    device(name, APNsFrame(.keepAlive))
    courier(name, APNsFrame(.keepAliveResponse))
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
  var rules: [String] { violations.map { $0.rule.isEmpty ? $0.oracle.rawValue : $0.rule } }
  var labels: [String] { observation.findings.map(\.label) }
}
