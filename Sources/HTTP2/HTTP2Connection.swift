public import Timeline
public import Wire

/// Reads both directions of a connection in HTTP/2 (RFC 9113).
///
/// Nothing is kept but what is not complete: a frame, a header block, the tables of HPACK and the
/// streams that are open. After a hole frames are found again where a segment begins with some;
/// header blocks of that direction stay unknown then.
public final class HTTP2Connection {
  /// Of a frame's payload. More than this of DATA goes by, more of anything else is damage.
  static let longestPayload = 1 << 17
  /// Of a header block in several frames.
  static let longestBlock = 1 << 17
  static let longestDebug = 1024

  private let place: ConnectionID
  private let description: ConnectionDescription
  private let unfinished: UnfinishedBytes
  unowned let listener: any HTTP2Listener
  private let toServer: HTTP2Flow
  private let toClient: HTTP2Flow
  var streams: HTTP2Streams
  /// Bytes are missing somewhere, so rules about what comes first can't be judged.
  var isWhole: Bool

  /// - Parameters:
  ///   - handshake: both directions are told from their first byte.
  ///   - shortestStall: closed windows are remembered from this length on.
  public init(
    _ connection: ConnectionID, _ description: ConnectionDescription, handshake: Bool,
    shortestStall: Nanoseconds, unfinished: UnfinishedBytes, to listener: any HTTP2Listener
  ) {
    place = connection
    self.description = description
    self.unfinished = unfinished
    self.listener = listener
    toServer = HTTP2Flow(handshake ? .preface : .searching)
    toClient = HTTP2Flow(handshake ? .head : .searching)
    streams = HTTP2Streams(shortestStall: shortestStall)
    isWhole = handshake
    if !handshake {
      for direction in Direction.allCases {
        self[direction].blocks.lose("the capture began in the middle of the connection")
        self[direction].hasBegun = true
      }
      streams.lose(.toServer)
    }
  }

  subscript(direction: Direction) -> HTTP2Flow { direction == .toServer ? toServer : toClient }

  /// SETTINGS of this end that the other one has not acknowledged.
  public func unacknowledgedSettings(_ direction: Direction) -> Int {
    self[direction].unacknowledgedSettings.count
  }

  /// Frames of this direction can be told apart.
  public func isReadable(_ direction: Direction) -> Bool {
    switch self[direction].framing {
    case .preface, .head, .body: true
    case .searching, .broken: false
    }
  }

  /// In which one end had to wait for room, and for how long.
  public var stalls: [HTTP2Stall] { streams.stalls }

  /// Nothing more comes.
  public func conclude(at moment: Moment) {
    streams.conclude(at: moment)
    for direction in Direction.allCases { drop(direction, at: moment) }
  }

  // MARK: Bytes

  /// - Parameter offset: of the first byte.
  public func receive(
    _ bytes: UnsafeRawBufferPointer, _ direction: Direction, offset: UInt64, at moment: Moment
  ) {
    let flow = self[direction]
    var rest = unsafe Array(bytes)[...]
    let end = offset + UInt64(rest.count)
    if flow.framing == .searching {
      guard HTTP2Frame.isChain(rest) else { return }
      flow.framing = .head
      flow.head = []
    }
    while !rest.isEmpty {
      let at = end - UInt64(rest.count)
      switch flow.framing {
      case .preface: rest = readPreface(rest, flow, at, moment)
      case .head: rest = readHead(rest, flow, direction, at, moment)
      case .body(let frame):
        let count = min(rest.count, frame.length - flow.passed)
        let room = max(0, Self.longestPayload - flow.body.count)
        flow.body += rest.prefix(min(count, room))
        flow.passed += count
        flow.missing += max(0, count - room)
        rest = rest.dropFirst(count)
        endFrameIfWhole(flow, direction, end: at + UInt64(count), moment)
      case .searching, .broken: rest = []
      }
    }
    count(flow, direction, at: moment)
  }

  private func readPreface(
    _ bytes: ArraySlice<UInt8>, _ flow: HTTP2Flow, _ offset: UInt64, _ moment: Moment
  ) -> ArraySlice<UInt8> {
    let wanted = HTTP2Frame.preface
    let piece = bytes.prefix(wanted.count - flow.head.count)
    flow.head += piece
    guard wanted.starts(with: flow.head) else {
      violate("§3.4", "the client does not begin with the preface of HTTP/2", .toServer, moment)
      abandon(flow, .toServer, "the client does not speak HTTP/2", moment)
      return []
    }
    if flow.head.count == wanted.count {
      flow.head = []
      flow.framing = .head
      let end = offset + UInt64(piece.count)
      let range = end - min(end, UInt64(wanted.count))..<end
      listener.receive(.preface, HTTP2Place(.toServer, bytes: range, moment))
    }
    return bytes.dropFirst(piece.count)
  }

  private func readHead(
    _ bytes: ArraySlice<UInt8>, _ flow: HTTP2Flow, _ direction: Direction, _ offset: UInt64,
    _ moment: Moment
  ) -> ArraySlice<UInt8> {
    let piece = bytes.prefix(HTTP2Frame.headLength - flow.head.count)
    flow.head += piece
    let rest = bytes.dropFirst(piece.count)
    guard flow.head.count == HTTP2Frame.headLength else { return rest }
    let frame = HTTP2Frame(head: flow.head[...])
    let end = offset + UInt64(piece.count)
    if !flow.hasBegun {
      flow.hasBegun = true
      if frame.kind != .settings || frame.hasAcknowledgement {
        violate("§3.4", "the first frame is \(frame.name), not SETTINGS", direction, moment)
      }
      // Anything may stand where no HTTP/2 is spoken; a length says so at once.
      if frame.kind == nil, frame.length > 1 << 14 {
        abandon(flow, direction, "what is sent is no HTTP/2", moment)
        return []
      }
    }
    listener.receive(frame, direction)
    flow.begin(frame, at: end - min(end, UInt64(HTTP2Frame.headLength)))
    endFrameIfWhole(flow, direction, end: end, moment)
    return rest
  }

  private func endFrameIfWhole(
    _ flow: HTTP2Flow, _ direction: Direction, end: UInt64, _ moment: Moment
  ) {
    guard case .body(let frame) = flow.framing, flow.passed == frame.length else { return }
    flow.framing = .head
    let body = flow.body
    flow.body = []
    let range = min(flow.frameStart, end)..<end
    take(frame, body, missing: flow.missing, HTTP2Place(direction, bytes: range, moment))
  }

  // MARK: Holes

  /// Bytes that will not come.
  public func miss(
    _ direction: Direction, offset: UInt64, length: UInt64, _ kind: GapKind, at moment: Moment
  ) {
    let flow = self[direction]
    if flow.framing == .broken { return }
    isWhole = false
    streams.lose(direction)
    if kind != .encrypted, case .body(let frame) = flow.framing,
      length <= UInt64(frame.length - flow.passed)
    {
      // Its length is known, so what follows it is where it should be.
      flow.passed += Int(length)
      flow.missing += Int(length)
      endFrameIfWhole(flow, direction, end: offset &+ length, moment)
    } else {
      abandon(flow, direction, "bytes are missing", moment)
      flow.framing = .searching
      flow.hasBegun = true
    }
    count(flow, direction, at: moment)
  }

  /// What waits to be complete in a direction is let go of.
  public func giveUpUnfinished(_ direction: Direction, at moment: Moment) {
    let flow = self[direction]
    flow.blocks.lose("too much waited to be complete")
    flow.block?.bytes = []
    flow.block?.isWhole = false
    flow.missing += flow.body.count
    flow.body = []
    flow.head = []
    // A head is never so long that it is given up alone.
    count(flow, direction, at: moment)
  }

  private func abandon(
    _ flow: HTTP2Flow, _ direction: Direction, _ why: String, _ moment: Moment
  ) {
    flow.framing = .broken
    flow.head = []
    flow.body = []
    flow.block = nil
    flow.blocks.lose(why)
    listener.lostTrack(direction, why, at: moment)
  }

  private func drop(_ direction: Direction, at moment: Moment) {
    let flow = self[direction]
    flow.head = []
    flow.body = []
    flow.block = nil
    count(flow, direction, at: moment)
  }

  private func count(_ flow: HTTP2Flow, _ direction: Direction, at moment: Moment) {
    unfinished.count(
      flow.unfinished, known: &flow.counted, UnfinishedBytes.Place(place, direction, .messages),
      description, of: self, at: moment)
  }

  func violate(_ section: String, _ text: String, _ sender: Direction, _ moment: Moment) {
    guard self[sender].brokenRules.insert(section).inserted else { return }
    listener.receive(
      HTTP2Violation(rule: "RFC 9113 \(section)", text: text, sender: sender, moment: moment))
  }
}

extension HTTP2Connection: UnfinishedHolder {
  public func giveUp(_ bytes: UnfinishedBytes.Held) {
    giveUpUnfinished(bytes.place.direction, at: bytes.moment)
  }
}
