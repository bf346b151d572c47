import Timeline
import Wire

@testable import Capture

/// Keeps what it is told, as lines that a test can read.
final class RecordingSink: ConnectionSink {
  struct Connection {
    var description: ConnectionDescription
    var lines: [String] = []
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    var gaps = 0
    /// Set when offsets don't follow each other.
    var isInconsistent = false
    var next: [Direction: UInt64] = [:]
  }

  var connections: [Connection] = []

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    let index = Int(connection.index)
    if index == connections.count { connections.append(Connection(description: description)) }
    connections[index].note(event, unsafe Array(bytes), moment)
  }

  /// All lines of the only connection.
  var lines: [String] { connections.count == 1 ? connections[0].lines : ["not one connection"] }
}

extension RecordingSink.Connection {
  mutating func note(_ event: ConnectionEvent, _ bytes: [UInt8], _ moment: Moment) {
    lines.append("\(moment.frame) " + text(event, bytes))
    switch event {
    case .bytes(let direction, let offset):
      if offset != next[direction, default: 0] { isInconsistent = true }
      next[direction] = offset + UInt64(bytes.count)
      if direction == .toServer { toServer += bytes } else { toClient += bytes }
    case .gap(let direction, let offset, let length, _):
      gaps += 1
      if offset != next[direction, default: 0] { isInconsistent = true }
      next[direction] = offset + length
    case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
      .finished, .secured, .reset, .ended:
      break
    }
  }

  private func text(_ event: ConnectionEvent, _ bytes: [UInt8]) -> String {
    switch event {
    case .began(let handshake): handshake ? "began" : "began mid-stream"
    case .established: "established"
    case .bytes(let d, let offset):
      "\(arrow(d)) \(offset) '\(String(decoding: bytes.prefix(100), as: UTF8.self))'"
    case .gap(let d, let offset, let length, let kind):
      "\(arrow(d)) gap \(offset)+\(length) \(kind)"
    case .acknowledged(let d, let upTo): "\(arrow(d)) acknowledged \(upTo)"
    case .retransmission(let d, let offset, let length): "\(arrow(d)) again \(offset)+\(length)"
    case .keepAliveProbe(let d): "\(arrow(d)) keep-alive"
    case .windowClosed(let d, let closed): "\(arrow(d)) window \(closed ? "closed" : "open")"
    case .finished(let d, let offset): "\(arrow(d)) finished \(offset)"
    case .secured(let d, let secrecy): "\(arrow(d)) secured \(secrecy)"
    case .reset(let d): "\(arrow(d)) reset"
    case .ended(let how): "ended \(how)"
    }
  }

  private func arrow(_ direction: Direction) -> String { direction == .toServer ? ">" : "<" }
}

/// A conversation between port 40000 and port 1883, segment by segment, straight into the
/// reassembler. Numbers are relative: 0 is the SYN of each side, 1 its first byte.
struct Conversation: ~Copyable {
  let sink = RecordingSink()
  private var reassembler: TCPReassembler
  var books: Bookkeeping
  private(set) var moment = Moment(time: Instant(nanoseconds: 1_000_000_000), frame: 0)
  var clientStart: UInt32 = 1000
  var serverStart: UInt32 = 50_000
  var clientPort: UInt16 = 40_000

  init(limits: CaptureLimits = CaptureLimits()) {
    reassembler = TCPReassembler(sink: sink)
    books = Bookkeeping(limits: limits)
  }

  /// - Parameter captured: how many bytes of the text the snap length left.
  mutating func client(
    _ flags: TCPFlags = [], seq: Int, ack: Int? = nil, _ text: String = "", window: UInt16 = 65_000,
    captured: Int? = nil
  ) {
    send(
      flags, seq, ack, text, window, captured, isClient: true)
  }

  mutating func server(
    _ flags: TCPFlags = [], seq: Int, ack: Int? = nil, _ text: String = "", window: UInt16 = 65_000,
    captured: Int? = nil
  ) {
    send(
      flags, seq, ack, text, window, captured, isClient: false)
  }

  mutating func handshake() {
    client(.syn, seq: 0)
    server(.syn, seq: 0, ack: 1)
    client(seq: 1, ack: 1)
  }

  mutating func wait(_ time: Nanoseconds) { moment.time = moment.time + time }

  private mutating func send(
    _ flags: TCPFlags, _ seq: Int, _ ack: Int?, _ text: String, _ window: UInt16, _ captured: Int?,
    isClient: Bool
  ) {
    moment.frame += 1
    moment.time = moment.time + .milliseconds(1)
    let own = isClient ? clientStart : serverStart
    let other = isClient ? serverStart : clientStart
    let client = IPAddress(high: 0, low: 0x0A00_0001)
    let server = IPAddress(high: 0, low: 0x0A00_0002)
    let payload = Array(text.utf8)
    let segment = TCPSegment(
      source: isClient ? client : server, destination: isClient ? server : client,
      sourcePort: isClient ? clientPort : 1883, destinationPort: isClient ? 1883 : clientPort,
      sequence: own &+ UInt32(truncatingIfNeeded: seq),
      acknowledgement: ack.map { other &+ UInt32(truncatingIfNeeded: $0) } ?? 0,
      flags: ack == nil ? flags : flags.union(.ack), window: window,
      windowScale: TCPSegment.noScale, wireLength: payload.count)
    let kept = Array(payload.prefix(captured ?? payload.count))
    unsafe reassembler.receive(segment, kept.span.bytes, at: moment, &books)
  }

  /// The capture is over.
  mutating func stop() { reassembler.conclude(at: moment, &books) }

  var warnings: [CaptureWarning.Kind] { books.warnings.kept.map(\.kind) }
}
