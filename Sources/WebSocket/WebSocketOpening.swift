import Wire

/// The beginning of a connection that may be upgraded to WebSocket (RFC 6455 §4): what came, until
/// the answer to the upgrade shows.
final class WebSocketOpening {
  typealias Head = (head: HTTPHead, length: Int)

  enum Verdict {
    case undecided, isSomethingElse
    /// `nil` for what is not in the capture.
    case upgraded(request: Head?, answer: Head?)
  }

  private struct Kept {
    var event: ConnectionEvent
    var bytes: Range<Int>
    var moment: Moment
  }

  /// More than this is not kept: an answer comes long before.
  private static let mostKept = (bytes: 128 << 10, events: 1024)

  private var kept: [Kept] = []
  private var bytes: [UInt8] = []
  private var toServer: [UInt8] = []
  private var toClient: [UInt8] = []
  /// Read once, when a line that may be their last has come.
  private var requestHead: Head?
  private var answerHead: Head?
  private var hasGap = (toServer: false, toClient: false)
  private var isOver = false
  /// What was kept has to go.
  var isGivenUp = false
  /// What `UnfinishedBytes` knows of.
  var counted = 0

  func keep(_ event: ConnectionEvent, _ payload: UnsafeRawBufferPointer, _ moment: Moment) {
    let start = bytes.count
    unsafe bytes.append(contentsOf: payload)
    kept.append(Kept(event: event, bytes: start..<bytes.count, moment: moment))
    switch event {
    case .bytes(.toServer, _):
      toServer += bytes[start...]
      if requestHead == nil, endsLine(from: start) { requestHead = HTTPHead.read(toServer) }
    case .bytes(.toClient, _):
      toClient += bytes[start...]
      if answerHead == nil, endsLine(from: start) { answerHead = HTTPHead.read(toClient) }
    case .gap(.toServer, _, _, _): hasGap.toServer = true
    case .gap(.toClient, _, _, _): hasGap.toClient = true
    case .ended: isOver = true
    case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
      .finished, .secured, .reset:
      break
    }
  }

  /// What is kept, each byte twice.
  var size: Int { 2 * bytes.count }

  private func endsLine(from start: Int) -> Bool { bytes[start...].contains(0x0a) }

  func judge() -> Verdict {
    // First what a few bytes tell, so that it means nothing how many come at a time.
    if !hasGap.toClient, !toClient.isEmpty, !mayBecome("HTTP/1.1 101", toClient) {
      return .isSomethingElse
    }
    if !hasGap.toServer, !toServer.isEmpty, !mayBecome("GET ", toServer) {
      return .isSomethingElse
    }
    let request = hasGap.toServer ? nil : requestHead
    let answer = hasGap.toClient ? nil : answerHead
    if let answer {
      let isUpgrade = answer.head.status == 101 && answer.head.isUpgradeToWebSocket
      if !isUpgrade { return .isSomethingElse }
      if let request, !request.head.isUpgradeToWebSocket { return .isSomethingElse }
      return .upgraded(request: request, answer: answer)
    }
    if !toClient.isEmpty, !mayBecome("HTTP/1.1 101", toClient) { return .isSomethingElse }
    if let request {
      guard request.head.isRequest, request.head.isUpgradeToWebSocket else {
        return .isSomethingElse
      }
      // The client goes on, so it had its answer: one that the capture has not.
      let goesOn = toServer.count > request.length
      if goesOn && toClient.isEmpty { return .upgraded(request: request, answer: nil) }
      if hasGap.toClient { return .upgraded(request: request, answer: nil) }
    } else if !toServer.isEmpty, !mayBecome("GET ", toServer) {
      return .isSomethingElse
    }
    let isTooMuch = bytes.count > Self.mostKept.bytes || kept.count > Self.mostKept.events
    let isHopeless = toServer.isEmpty && toClient.isEmpty
    return isOver || isTooMuch || isHopeless || isGivenUp ? .isSomethingElse : .undecided
  }

  private func mayBecome(_ start: String, _ bytes: [UInt8]) -> Bool {
    let expected = Array(start.utf8)
    return bytes.count < expected.count
      ? expected.starts(with: bytes) : bytes.starts(with: expected)
  }

  /// Tells what was kept: it is no WebSocket.
  func replay(to outlet: ContentOutlet) {
    for item in kept { outlet.send(item.event, Array(bytes[item.bytes]), at: item.moment) }
  }

  /// Tells what was kept behind the heads.
  func replay(to webSocket: WebSocketConnection, request: Int, answer: Int) {
    var skip = (toServer: request, toClient: answer)
    for item in kept {
      var piece = Array(bytes[item.bytes])
      var event = item.event
      if case .bytes(let direction, let offset) = event {
        let left = direction == .toServer ? skip.toServer : skip.toClient
        let skipped = min(left, piece.count)
        if direction == .toServer { skip.toServer -= skipped } else { skip.toClient -= skipped }
        piece.removeFirst(skipped)
        if piece.isEmpty { continue }
        event = .bytes(direction, offset: offset &+ UInt64(skipped))
      }
      unsafe piece.withUnsafeBytes { unsafe webSocket.receive(event, bytes: $0, at: item.moment) }
    }
  }
}
