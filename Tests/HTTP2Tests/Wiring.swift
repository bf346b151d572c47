import HTTP2
import NIOCore
import NIOHPACK
import Timeline
import Wire

/// A connection that is told to an `HTTP2Connection`, and what it said.
final class Wiring: HTTP2Listener {
  private(set) var lines: [String] = []
  private(set) var violations: [HTTP2Violation] = []
  private(set) var ranges: [Range<UInt64>] = []
  private(set) var lost: [Direction] = []
  private(set) var content: [UInt8] = []
  let unfinished: UnfinishedBytes
  private var encoders: [Direction: HPACKEncoder] = [:]
  private var offsets: [Direction: UInt64] = [:]
  private var seconds: UInt64 = 0
  private(set) var connection: HTTP2Connection!

  init(handshake: Bool = true, limit: Int = UnfinishedBytes.usualLimit) {
    unfinished = UnfinishedBytes(limit: limit)
    let description = ConnectionDescription(
      client: Endpoint(address: [10, 0, 0, 1], port: 50000),
      server: Endpoint(address: [10, 0, 0, 2], port: 443), clientRule: .synSender)
    connection = HTTP2Connection(
      ConnectionID(0), description, handshake: handshake, shortestStall: .seconds(10),
      unfinished: unfinished, to: self)
    for direction in Direction.allCases {
      encoders[direction] = HPACKEncoder(allocator: ByteBufferAllocator())
    }
  }

  private var moment: Moment {
    Moment(time: .start + .seconds(seconds), frame: UInt32(seconds) + 1)
  }

  // MARK: Telling

  func wait(_ time: UInt64) { seconds += time }

  func tell(_ bytes: [UInt8], _ direction: Direction = .toServer, inDrips: Bool = false) {
    for piece in inDrips ? bytes.map({ [$0] }) : [bytes] {
      let offset = offsets[direction, default: 0]
      unsafe piece.withUnsafeBytes {
        unsafe connection.receive($0, direction, offset: offset, at: moment)
      }
      offsets[direction] = offset + UInt64(piece.count)
      if unfinished.isOverLimit { unfinished.makeRoom() }
    }
  }

  func miss(_ length: UInt64, _ direction: Direction = .toServer) {
    let offset = offsets[direction, default: 0]
    connection.miss(direction, offset: offset, length: length, .notCaptured, at: moment)
    offsets[direction] = offset + length
  }

  func conclude() { connection.conclude(at: moment) }

  // MARK: Frames

  static func frame(
    _ kind: HTTP2Frame.Kind, _ stream: UInt32, _ flags: UInt8 = 0,
    _ payload: [UInt8] = []
  ) -> [UInt8] {
    let length = [16, 8, 0].map { UInt8(truncatingIfNeeded: payload.count >> $0) }
    return length + [kind.rawValue, flags] + big(stream) + payload
  }

  static func big(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  static func settings(_ values: [(UInt16, UInt32)] = []) -> [UInt8] {
    frame(.settings, 0, 0, values.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] + big($1) })
  }

  static let settingsAcknowledged = frame(.settings, 0, 1)

  func block(_ fields: [(String, String)], _ direction: Direction = .toServer) -> [UInt8] {
    var buffer = ByteBuffer()
    // The encoder refuses no list of a few fields.
    try! encoders[direction]!.encode(headers: HPACKHeaders(fields), to: &buffer)
    return Array(buffer.readableBytesView)
  }

  func resizeTable(_ size: Int, _ direction: Direction) {
    try! encoders[direction]!.setDynamicTableSize(size)
  }

  func openBoth() {
    tell(HTTP2Frame.preface + Self.settings())
    tell(Self.settings() + Self.settingsAcknowledged, .toClient)
    tell(Self.settingsAcknowledged)
  }

  func request(_ stream: UInt32, _ path: String, ends: Bool = true) {
    tell(Self.frame(.headers, stream, ends ? 5 : 4, block([(":method", "POST"), (":path", path)])))
  }

  // MARK: HTTP2Listener

  func receive(_ event: HTTP2Event, _ place: HTTP2Place) {
    ranges.append(place.bytes)
    let arrow = place.direction == .toServer ? ">" : "<"
    switch event {
    case .preface: lines.append("\(arrow) preface")
    case .data(let stream, let bytes, let missing, let ends):
      content += bytes
      lines.append("\(arrow) data \(stream) \(bytes.count) missing \(missing)\(ends ? " end" : "")")
    case .headers(let stream, let fields, let ends):
      lines.append("\(arrow) headers \(stream) \(Self.text(fields))\(ends ? " end" : "")")
    case .priority(let stream): lines.append("\(arrow) priority \(stream)")
    case .reset(let stream, let code): lines.append("\(arrow) reset \(stream) \(code)")
    case .settings(let all):
      let text = all.map { "\($0.id)=\($0.value)" }.joined(separator: " ")
      lines.append("\(arrow) settings \(text)")
    case .settingsAcknowledged: lines.append("\(arrow) settings ok")
    case .pushPromise(let stream, let promised, let fields):
      lines.append("\(arrow) promise \(stream) \(promised) \(Self.text(fields))")
    case .ping(let number): lines.append("\(arrow) ping \(number)")
    case .pingAcknowledged(let number): lines.append("\(arrow) pong \(number)")
    case .goAway(let last, let code, let debug):
      lines.append("\(arrow) goaway \(last) \(code) \(String(decoding: debug, as: UTF8.self))")
    case .windowUpdate(let stream, let increment):
      lines.append("\(arrow) window \(stream) \(increment)")
    case .unknown(let type, let stream): lines.append("\(arrow) unknown \(type) \(stream)")
    case .damaged(let type, let stream): lines.append("\(arrow) damaged \(type) \(stream)")
    }
  }

  private static func text(_ fields: HTTP2Fields) -> String {
    switch fields {
    case .known(let all): all.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
    case .unknown(let why): "unknown (\(why))"
    }
  }

  func receive(_ violation: HTTP2Violation) { violations.append(violation) }

  func lostTrack(_ direction: Direction, _ why: String, at moment: Moment) {
    lost.append(direction)
  }
}
