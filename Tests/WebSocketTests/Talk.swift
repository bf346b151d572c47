import Timeline
import WebSocket
import Wire

/// A connection that is told to a `WebSocketSink`, and what came out.
final class Talk {
  static let request = """
    GET /mqtt HTTP/1.1\r
    Host: example.com\r
    Upgrade: websocket\r
    Connection: keep-alive, Upgrade\r
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
    Sec-WebSocket-Protocol: mqtt, mqttv3.1\r
    Sec-WebSocket-Version: 13\r
    \r

    """

  let seen = Seen()
  private let sink: WebSocketSink
  private let id = ConnectionID(0)
  private let description = ConnectionDescription(
    client: Endpoint(address: [10, 0, 0, 1], port: 50000),
    server: Endpoint(address: [10, 0, 0, 2], port: 8080), clientRule: .synSender)
  private var offsets: [Direction: UInt64] = [:]
  private var frameNumber: UInt32 = 0
  /// The facts when the connection ended.
  private(set) var last: WebSocketFacts?

  init(isAssigned: Bool = false) {
    sink = WebSocketSink(to: seen) { _ in isAssigned }
    tell(.began(handshake: true))
    tell(.established)
  }

  var facts: WebSocketFacts? { sink.facts(of: id) }

  static func answer(_ more: String) -> String {
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n"
      + "Sec-WebSocket-Protocol: mqtt\r\n" + more + "\r\n"
  }

  static func answerLength(_ more: String) -> UInt64 { UInt64(answer(more).utf8.count) }

  func upgrade(answer: String = "", inDrips: Bool = false) {
    let request = Array(Self.request.utf8)
    let answer = Array(Self.answer(answer).utf8)
    if inDrips {
      for byte in request { client([byte]) }
      for byte in answer { server([byte]) }
    } else {
      client(request)
      server(answer)
    }
  }

  func client(_ bytes: [UInt8]) { send(bytes, .toServer) }
  func server(_ bytes: [UInt8]) { send(bytes, .toClient) }

  func miss(_ direction: Direction, _ length: UInt64) {
    let offset = offsets[direction, default: 0]
    offsets[direction] = offset + length
    tell(.gap(direction, offset: offset, length: length, .notCaptured))
  }

  func acknowledge(_ direction: Direction, _ upTo: UInt64) {
    tell(.acknowledged(direction, upTo: upTo))
  }

  func end() {
    last = facts
    tell(.ended(.closed))
  }

  private func send(_ bytes: [UInt8], _ direction: Direction) {
    let offset = offsets[direction, default: 0]
    offsets[direction] = offset + UInt64(bytes.count)
    if !bytes.isEmpty { tell(.bytes(direction, offset: offset), bytes) }
  }

  private func tell(_ event: ConnectionEvent, _ bytes: [UInt8] = []) {
    frameNumber += 1
    let moment = Moment(time: .start, frame: frameNumber)
    unsafe bytes.withUnsafeBytes {
      unsafe sink.receive(event, of: id, description, bytes: $0, at: moment)
    }
  }

  static func frame(
    _ payload: [UInt8], opcode: UInt8 = 2, isFinal: Bool = true, mask: UInt32? = nil
  ) -> [UInt8] {
    var bytes = [opcode | (isFinal ? 0x80 : 0)]
    let bit: UInt8 = mask == nil ? 0 : 0x80
    if payload.count < 126 {
      bytes.append(UInt8(payload.count) | bit)
    } else {
      bytes += [126 | bit, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
    }
    guard let mask else { return bytes + payload }
    let key = (0..<4).map { UInt8(truncatingIfNeeded: mask >> UInt32(24 - 8 * $0)) }
    return bytes + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
  }
}

/// What the sink behind was told.
final class Seen: ConnectionSink {
  private(set) var lines: [String] = []
  private(set) var gaps: [(direction: Direction, length: UInt64)] = []
  /// Offsets follow each other without a hole that was not told.
  private(set) var isConsistent = true
  private var content: [Direction: [UInt8]] = [:]
  private var next: [Direction: UInt64] = [:]

  func bytes(_ direction: Direction) -> [UInt8] { content[direction, default: []] }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    switch event {
    case .bytes(let direction, let offset):
      if offset != next[direction, default: 0] { isConsistent = false }
      next[direction] = offset + UInt64(bytes.count)
      content[direction, default: []] += unsafe Array(bytes)
    case .gap(let direction, let offset, let length, _):
      if offset != next[direction, default: 0] { isConsistent = false }
      next[direction] = offset + length
      gaps.append((direction, length))
    case .acknowledged(let direction, let upTo):
      lines.append("acknowledged \(direction) \(upTo)")
    case .ended: lines.append("ended")
    case .began, .established, .retransmission, .keepAliveProbe, .windowClosed, .finished,
      .secured, .reset:
      break
    }
  }
}
