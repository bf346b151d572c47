import TLS
import Timeline
import Wire

/// Keeps what it is told of connections: the bytes, and events as lines that a test can read.
final class CollectingSink: ConnectionSink {
  struct Connection {
    var description: ConnectionDescription
    var lines: [String] = []
    var toServer: [UInt8] = []
    var toClient: [UInt8] = []
    /// Both directions in the order of the capture.
    var both: [UInt8] = []
    var gaps: [GapKind] = []
    /// How many bytes came before TLS began.
    var clear: [Direction: Int] = [:]
    /// Set when offsets don't follow each other.
    var isInconsistent = false
    var facts: TLSFacts?
    fileprivate var next: [Direction: UInt64] = [:]
  }

  private(set) var connections: [Connection] = []
  private var indices: [ConnectionID: Int] = [:]
  /// Asked for facts at the end of each connection.
  weak var tls: TLSDecryptingSink?
  /// Called with each event, after it is noted.
  var reaction: ((ConnectionEvent, ConnectionID, ConnectionDescription) -> Void)?

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    let index = indices[connection] ?? connections.count
    if index == connections.count {
      indices[connection] = index
      connections.append(Connection(description: description))
    }
    connections[index].note(event, unsafe Array(bytes), moment)
    if case .ended = event { connections[index].facts = tls?.facts(of: connection) }
    reaction?(event, connection, description)
  }
}

extension CollectingSink.Connection {
  fileprivate mutating func note(_ event: ConnectionEvent, _ bytes: [UInt8], _ moment: Moment) {
    lines.append("\(moment.frame) " + text(event, bytes))
    switch event {
    case .bytes(let direction, let offset):
      if offset != next[direction, default: 0] { isInconsistent = true }
      next[direction] = offset + UInt64(bytes.count)
      both += bytes
      if direction == .toServer { toServer += bytes } else { toClient += bytes }
    case .gap(let direction, let offset, let length, let kind):
      gaps.append(kind)
      if offset != next[direction, default: 0] { isInconsistent = true }
      next[direction] = offset &+ length
    case .secured(let direction, _):
      let known = direction == .toServer ? toServer.count : toClient.count
      clear[direction] = clear[direction] ?? known
    case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
      .finished, .reset, .ended:
      break
    }
  }

  private func text(_ event: ConnectionEvent, _ bytes: [UInt8]) -> String {
    switch event {
    case .began(let handshake): handshake ? "began" : "began mid-stream"
    case .established: "established"
    case .bytes(let d, let offset):
      "\(arrow(d)) \(offset) '\(String(decoding: bytes, as: UTF8.self))'"
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

/// Bytes written as hexadecimal digits; anything else between them is passed over.
func bytes(_ hexadecimal: String) -> [UInt8] {
  let digits = hexadecimal.compactMap { $0.hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map {
    UInt8(digits[$0] << 4 | digits[$0 + 1])
  }
}
