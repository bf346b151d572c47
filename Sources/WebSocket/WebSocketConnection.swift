import Wire

/// One connection that was upgraded to WebSocket: takes the frames off, and tells what is in the
/// messages as if it were the connection.
///
/// Nothing is mutated while the sink behind is called, so that it may ask for the facts.
final class WebSocketConnection {
  let outlet: ContentOutlet
  private let unfinished: UnfinishedBytes
  var facts: WebSocketFacts
  private let toServer = WebSocketStream()
  private let toClient = WebSocketStream()

  /// - Parameters:
  ///   - request: the head that asked for the upgrade; `nil` when it is not in the capture.
  ///   - toServer: where the first frame is in the stream outside; `toClient` likewise.
  init(
    _ outlet: ContentOutlet, request: HTTPHead?, answer: HTTPHead?, toServer: UInt64,
    toClient: UInt64, unfinished: UnfinishedBytes
  ) {
    self.outlet = outlet
    self.unfinished = unfinished
    facts = WebSocketFacts()
    facts.path = request?.start[1]
    facts.offeredProtocols = request?.list("sec-websocket-protocol") ?? []
    facts.chosenProtocol = answer?.list("sec-websocket-protocol").first
    self.toServer.outerOffset = toServer
    self.toClient.outerOffset = toClient
    for text in answer?.list("sec-websocket-extensions") ?? [] {
      guard let inflation = MessageInflation(text, .toServer) else { continue }
      self.toServer.inflation = inflation
      self.toClient.inflation = MessageInflation(text, .toClient)
      facts.isCompressed = true
    }
    if request == nil && answer == nil {
      // Nobody saw where it begins.
      self.toServer.framing = .searching
      self.toClient.framing = .searching
      self.toServer.lostTrack = true
      self.toClient.lostTrack = true
    }
  }

  subscript(direction: Direction) -> WebSocketStream {
    direction == .toServer ? toServer : toClient
  }

  func receive(_ event: ConnectionEvent, bytes: UnsafeRawBufferPointer, at moment: Moment) {
    switch event {
    case .bytes(let direction, let offset):
      unsafe receive(Array(bytes), direction, at: offset, moment)
      countUnfinished(direction, at: moment)
    case .gap(let direction, let offset, let length, let kind):
      receiveGap(direction, offset: offset, length: length, kind, at: moment)
      countUnfinished(direction, at: moment)
    case .acknowledged(let direction, let upTo):
      self[direction].marks.acknowledge(upTo: upTo)
      tellAcknowledged(direction, at: moment)
    case .retransmission(let direction, let offset, let length):
      let range = offset..<max(offset, offset &+ length)
      guard let content = self[direction].marks.content(touchedBy: range), !content.isEmpty else {
        return
      }
      let count = UInt64(content.count)
      outlet.send(
        .retransmission(direction, offset: content.lowerBound, length: count), at: moment)
    case .finished(let direction, _):
      outlet.send(.finished(direction, offset: self[direction].contentOffset), at: moment)
    case .ended:
      for direction in Direction.allCases {
        self[direction].message = nil
        countUnfinished(direction, at: moment)
      }
      outlet.send(event, at: moment)
    case .began, .established, .keepAliveProbe, .windowClosed, .secured, .reset:
      outlet.send(event, at: moment)
    }
  }

  // MARK: Bytes

  private func receive(
    _ bytes: [UInt8], _ direction: Direction, at offset: UInt64, _ moment: Moment
  ) {
    self[direction].outerOffset = offset &+ UInt64(bytes.count)
    if self[direction].framing == .searching {
      guard WebSocketFrame.isChain(bytes, isToServer: direction == .toServer) else {
        tellGap(direction, UInt64(bytes.count), .unknown, from: offset, at: moment)
        return
      }
      self[direction].framing = .heads
      self[direction].head = []
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      switch self[direction].framing {
      case .heads:
        rest = readHead(rest, direction, at: moment)
      case .payload(let frame, let read):
        let piece = Array(rest.prefix(Int(min(UInt64(rest.count), frame.length - read))))
        rest = rest.dropFirst(piece.count)
        self[direction].framing = .payload(frame, read: read + UInt64(piece.count))
        take(piece, of: frame, at: read, direction, before: rest.count, moment)
        endFrameIfComplete(direction, before: rest.count, at: moment)
      case .broken, .searching:
        let start = self[direction].outerOffset &- UInt64(rest.count)
        tellGap(direction, UInt64(rest.count), .unknown, from: start, at: moment)
        return
      }
    }
  }

  private func readHead(
    _ bytes: ArraySlice<UInt8>, _ direction: Direction, at moment: Moment
  ) -> ArraySlice<UInt8> {
    let known = self[direction].head
    let head = known + bytes.prefix(WebSocketFrame.longestHead - known.count)
    switch WebSocketFrame.read(head) {
    case .needs:
      self[direction].head = head
      return []
    case .impossible:
      violate("§5.2", "a frame with a length of more than 63 bits", direction, moment)
      self[direction].framing = .broken
      return bytes
    case .frame(let frame):
      self[direction].head = []
      let rest = bytes.dropFirst(frame.headLength - known.count)
      let start = self[direction].outerOffset &- UInt64(rest.count + frame.headLength)
      begin(frame, direction, from: start, at: moment)
      self[direction].framing = .payload(frame, read: 0)
      endFrameIfComplete(direction, before: rest.count, at: moment)
      return rest
    }
  }

  // MARK: Frames

  private func begin(
    _ frame: WebSocketFrame, _ direction: Direction, from start: UInt64, at moment: Moment
  ) {
    facts.count(frame, direction)
    check(frame, direction, moment)
    if frame.isControl {
      self[direction].control = []
      return
    }
    let continues = frame.opcode == 0
    if continues, self[direction].message != nil { return }
    let isCompressed =
      frame.reserved & 4 != 0 && self[direction].inflation != nil && !continues
    self[direction].message = WebSocketStream.Message(
      compressed: isCompressed ? [] : nil, start: start)
    if !continues { self[direction].lostTrack = false }
  }

  private func check(_ frame: WebSocketFrame, _ direction: Direction, _ moment: Moment) {
    let stream = self[direction]
    func require(_ holds: Bool, _ section: String, _ text: @autoclosure () -> String) {
      if !holds { violate(section, text(), direction, moment) }
    }
    require(!stream.hasClosed, "§5.5.1", "a frame behind the close frame")
    let isToServer = direction == .toServer
    require(
      (frame.mask != nil) == isToServer, "§5.1",
      isToServer ? "a frame of the client that is not masked" : "a frame of the server in a mask")
    require(frame.kind != nil, "§5.2", "a frame with opcode \(frame.opcode), which nobody defined")
    require(!frame.isLengthPadded, "§5.2", "a length that takes more bytes than it needs")
    let deflates = stream.inflation != nil && (frame.opcode == 1 || frame.opcode == 2)
    require(
      frame.reserved & (deflates ? 3 : 7) == 0, "§5.2",
      "reserved bits of a frame are set, which no extension explains")
    if frame.isControl {
      require(frame.isFinal, "§5.5", "a control frame in fragments")
      require(frame.length <= 125, "§5.5", "a control frame of \(frame.length) bytes")
    } else if stream.lostTrack {
      return
    } else if frame.opcode == 0 {
      require(stream.message != nil, "§5.4", "a continuation of no message")
    } else {
      require(stream.message == nil, "§5.4", "a new message before the last one is complete")
    }
  }

  private func violate(
    _ section: String, _ text: String, _ sender: Direction, _ moment: Moment
  ) {
    facts.note(
      WebSocketFacts.Violation(
        rule: "RFC 6455 \(section)", text: text, sender: sender, moment: moment))
  }

  /// Payload, as it stood on the wire.
  private func take(
    _ piece: [UInt8], of frame: WebSocketFrame, at position: UInt64, _ direction: Direction,
    before rest: Int, _ moment: Moment
  ) {
    var content = piece
    frame.unmask(&content, at: position)
    let end = self[direction].outerOffset &- UInt64(rest)
    if frame.isControl {
      // Two bytes of a close frame are all that is looked at.
      if self[direction].control.count < 125 { self[direction].control += content.prefix(125) }
    } else if frame.kind == nil {
      return
    } else if self[direction].message?.compressed != nil {
      let length = self[direction].message?.compressed?.count ?? 0
      if length + content.count > MessageInflation.longestMessage {
        self[direction].message?.isDamaged = true
      } else if self[direction].message?.isGivenUp == false {
        self[direction].message?.compressed?.append(contentsOf: content)
      }
    } else {
      tell(content, direction, from: end &- UInt64(piece.count), to: end, at: moment)
    }
  }

  private func endFrameIfComplete(_ direction: Direction, before rest: Int, at moment: Moment) {
    guard case .payload(let frame, let read) = self[direction].framing, read == frame.length
    else { return }
    self[direction].framing = .heads
    if frame.isControl {
      guard frame.kind == .close else { return }
      self[direction].hasClosed = true
      let code = self[direction].control.prefix(2)
      if code.count == 2 {
        facts[direction].closeCode = code.reduce(0) { $0 << 8 | UInt16($1) }
      }
      return
    }
    guard frame.isFinal, let message = self[direction].message else { return }
    self[direction].message = nil
    guard let compressed = message.compressed else { return }
    let end = self[direction].outerOffset &- UInt64(rest)
    var content: [UInt8]?
    if message.isDamaged {
      self[direction].inflation?.lose()
    } else {
      content = self[direction].inflation?.inflate(compressed)
      if content == nil {
        outletProblem(direction, moment)
      }
    }
    if let content {
      tell(content, direction, from: message.start, to: end, at: moment)
    } else {
      tellGap(
        direction, UInt64(max(1, compressed.count)), message.isGivenUp ? .givenUp : .unknown,
        from: message.start, at: moment)
    }
  }

  private func countUnfinished(_ direction: Direction, at moment: Moment) {
    let stream = self[direction]
    unfinished.count(
      stream.message?.compressed?.count ?? 0, known: &stream.counted,
      UnfinishedBytes.Place(outlet.connection, direction, .webSocket), outlet.description,
      of: self, at: moment)
  }

  private func outletProblem(_ direction: Direction, _ moment: Moment) {
    facts.note(
      WebSocketFacts.Violation(
        rule: "RFC 7692 §7.2.2", text: "a message that can't be inflated", sender: direction,
        moment: moment))
  }

  // MARK: Holes

  private func receiveGap(
    _ direction: Direction, offset: UInt64, length: UInt64, _ kind: GapKind, at moment: Moment
  ) {
    self[direction].outerOffset = offset &+ length
    if kind != .encrypted, case .payload(let frame, let read) = self[direction].framing,
      length <= frame.length - read
    {
      // Its length is known, so what follows it is where it should be.
      self[direction].framing = .payload(frame, read: read + length)
      if !frame.isControl {
        self[direction].message?.isDamaged = true
        if self[direction].message?.compressed == nil {
          tellGap(direction, length, kind, from: offset, at: moment)
        }
      }
      endFrameIfComplete(direction, before: 0, at: moment)
      return
    }
    if self[direction].framing != .broken { self[direction].framing = .searching }
    self[direction].message = nil
    self[direction].lostTrack = true
    self[direction].inflation?.lose()
    tellGap(direction, max(1, length), kind, from: offset, at: moment)
  }

  // MARK: Telling

  private func tell(
    _ content: [UInt8], _ direction: Direction, from start: UInt64, to end: UInt64,
    at moment: Moment
  ) {
    guard !content.isEmpty else { return }
    facts[direction].bytes &+= UInt64(content.count)
    let offset = advance(direction, by: UInt64(content.count), start, end)
    outlet.send(.bytes(direction, offset: offset), content, at: moment)
    tellAcknowledged(direction, at: moment)
  }

  private func tellGap(
    _ direction: Direction, _ length: UInt64, _ kind: GapKind, from start: UInt64,
    at moment: Moment
  ) {
    guard length > 0 else { return }
    let offset = advance(direction, by: length, start, self[direction].outerOffset)
    outlet.send(.gap(direction, offset: offset, length: length, kind), at: moment)
    tellAcknowledged(direction, at: moment)
  }

  private func advance(
    _ direction: Direction, by length: UInt64, _ start: UInt64, _ end: UInt64
  ) -> UInt64 {
    let offset = self[direction].contentOffset
    let next = offset &+ length
    self[direction].contentOffset = next
    self[direction].marks.append(start..<max(start, end), holds: offset..<max(offset, next))
    return offset
  }

  private func tellAcknowledged(_ direction: Direction, at moment: Moment) {
    guard let upTo = self[direction].marks.takeAcknowledged() else { return }
    outlet.send(.acknowledged(direction, upTo: upTo), at: moment)
  }
}

extension WebSocketConnection: UnfinishedHolder {
  /// The rest of the message is passed over; when its window is not forgotten, the messages behind
  /// it can't be inflated either.
  func giveUp(_ bytes: UnfinishedBytes.Held) {
    let direction = bytes.place.direction
    guard let message = self[direction].message, let lost = message.compressed?.count else {
      return
    }
    self[direction].message?.compressed = []
    self[direction].message?.isDamaged = true
    self[direction].message?.isGivenUp = true
    countUnfinished(direction, at: bytes.moment)
    tellGap(direction, UInt64(lost), .givenUp, from: message.start, at: bytes.moment)
  }
}
