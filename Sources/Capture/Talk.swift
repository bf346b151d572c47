import Timeline
import Wire

/// What a connection's segments mean for its two streams: one sends, the other is answered.
///
/// Kept apart from the streams, so that both can be changed in place while this is read.
struct Talk {
  let outlet: EventOutlet
  private(set) var isEstablished = false
  private(set) var resets: (toServer: Bool, toClient: Bool) = (false, false)
  /// Window scaling (RFC 7323) of the windows that the client and the server advertise; in force
  /// only when both offered it. Unknown when the SYN was not seen.
  private var scales: (client: UInt8?, server: UInt8?) = (nil, nil)

  init(outlet: EventOutlet) { self.outlet = outlet }

  var wasReset: Bool { resets.toServer || resets.toClient }

  /// The two streams are as they are most of the time, and so is the talk.
  func isPlain(_ toServer: borrowing StreamReassembly, _ toClient: borrowing StreamReassembly)
    -> Bool
  {
    guard toServer.isPlain, toClient.isPlain, !wasReset else { return false }
    // Until both SYNs are acknowledged, that is still to be told.
    return isEstablished || toServer.base != .syn || toClient.base != .syn
  }

  /// Takes a segment that has what comes next of one stream and acknowledges the other, both plain.
  ///
  /// - Returns: what it says; `nil`, and nothing has happened, when it is something else.
  @inline(__always)
  static func receivePlain(
    _ packet: borrowing PlainPacket, _ sent: inout StreamReassembly,
    _ answered: inout StreamReassembly, scale: UInt8, at moment: Moment
  ) -> PlainSegment? {
    let upTo = answered.offset(of: packet.acknowledgement)
    guard sent.isNext(packet.sequence), upTo <= answered.next else { return nil }
    let start = sent.passPlain(Int(packet.wireLength))
    let acknowledges = answered.acknowledgePlain(
      upTo, window: Int64(packet.window) &<< Int64(scale), at: moment.time)
    return PlainSegment(
      sent.direction, offset: start, acknowledges: acknowledges,
      acknowledged: UInt64(bitPattern: upTo))
  }

  /// - Parameters:
  ///   - sent: the stream that the segment is part of.
  ///   - answered: the stream that the segment acknowledges.
  mutating func receive(
    _ segment: TCPSegment, _ payload: RawSpan, _ sent: inout StreamReassembly,
    _ answered: inout StreamReassembly, at moment: Moment, _ books: inout Bookkeeping
  ) {
    sent.countPacket()
    let flags = segment.flags
    if flags.contains(.syn) {
      sent.begin(afterSyn: segment.sequence)
      noteScale(segment.windowScale, sent.direction)
    }
    if flags.contains(.ack) {
      acknowledge(segment, sent, &answered, at: moment)
      if !isEstablished { tellEstablished(sent, answered, at: moment) }
    }
    if flags.contains(.rst) {
      reset(segment, sent, answered, at: moment, &books)
      return  // Bytes of a RST are no part of the stream (RFC 9293 §3.5.3).
    }
    if segment.wireLength > 0 {
      sent.accept(segment, payload, at: moment, outlet, &books)
    } else if !flags.contains(.syn), sent.base != .unknown {
      sent.acceptEmpty(segment, at: moment, outlet)
    }
    if flags.contains(.fin), sent.base != .unknown {
      let start = flags.contains(.syn) ? segment.sequence &+ 1 : segment.sequence
      sent.finish(at: sent.offset(of: start) + Int64(segment.wireLength), moment, outlet)
    }
    if sent.hasHole { sent.checkHole(at: moment, outlet, &books) }
    if answered.hasHole { answered.checkHole(at: moment, outlet, &books) }
  }

  private func acknowledge(
    _ segment: TCPSegment, _ sent: borrowing StreamReassembly, _ answered: inout StreamReassembly,
    at moment: Moment
  ) {
    if answered.base == .unknown {
      guard !segment.flags.contains(.rst) else { return }
      let endsHandshake =
        segment.flags.contains(.syn)
        || (sent.base == .syn && sent.offset(of: segment.sequence) == 0)
      answered.begin(atAcknowledged: segment.acknowledgement, endsHandshake: endsHandshake)
    }
    answered.acknowledge(segment.acknowledgement, at: moment, outlet)
    if segment.flags.contains(.syn) {
      answered.advertise(firstWindow: Int64(segment.window))
    } else if !segment.flags.contains(.rst) {
      let window = Int64(segment.window) << Int64(scale(of: sent.direction))
      answered.advertise(window: window, at: moment, outlet)
    }
  }

  private mutating func tellEstablished(
    _ sent: borrowing StreamReassembly, _ answered: borrowing StreamReassembly, at moment: Moment
  ) {
    guard sent.base == .syn, answered.base == .syn, sent.acknowledged >= 0,
      answered.acknowledged >= 0
    else { return }
    isEstablished = true
    outlet.send(.established, at: moment)
  }

  private mutating func reset(
    _ segment: TCPSegment, _ sent: borrowing StreamReassembly,
    _ answered: borrowing StreamReassembly, at moment: Moment, _ books: inout Bookkeeping
  ) {
    let answersSyn = sent.base == .unknown || sent.base == .handshakeAck && sent.packets == 1
    let isGenuine =
      answersSyn
      ? !segment.flags.contains(.ack) || answered.acknowledged >= 0
      : sent.couldAccept(sent.offset(of: segment.sequence))
    guard isGenuine else {
      let direction = sent.direction
      books.warnings.add(
        .outOfWindow, frame: moment.frame,
        "RST in \(outlet.description.name(direction)) outside the receiver's window, ignored")
      return
    }
    if sent.direction == .toServer {
      if !resets.toServer { outlet.send(.reset(.toServer), at: moment) }
      resets.toServer = true
    } else {
      if !resets.toClient { outlet.send(.reset(.toClient), at: moment) }
      resets.toClient = true
    }
  }

  // MARK: Windows

  private mutating func noteScale(_ scale: UInt8, _ direction: Direction) {
    if direction == .toServer { scales.client = scale } else { scales.server = scale }
  }

  /// How windows that travel in `direction` are scaled; as much as possible when unknown.
  func scale(of direction: Direction) -> UInt8 {
    guard let client = scales.client, let server = scales.server else { return 14 }
    guard client != TCPSegment.noScale, server != TCPSegment.noScale else { return 0 }
    return min(14, direction == .toServer ? client : server)
  }
}
