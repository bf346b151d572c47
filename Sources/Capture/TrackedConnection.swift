import Timeline
import Wire

/// One TCP connection: both directions, how it began, and how it ends.
///
///     following --RST--> lingering --a while--> over
///         |                                      ^
///         `--both FINs acknowledged, refused-----'
///
/// A connection that is over is remembered for a while, so that stragglers are not taken for a new
/// one; nothing more is told of it.
final class TrackedConnection {
  private enum Phase {
    case following
    /// Reset; what the other end had under way is still told.
    case lingering
    case over(EndOfConnection)
  }

  let key: FlowKey
  let outlet: EventOutlet
  /// Whether `key.first` is the client.
  private let clientIsFirst: Bool
  private var phase = Phase.following
  private var toServer = StreamReassembly(.toServer)
  private var toClient = StreamReassembly(.toClient)
  private var isEstablished = false
  private var resets: (toServer: Bool, toClient: Bool) = (false, false)
  /// Window scaling (RFC 7323) of the windows that the client and the server advertise; in force
  /// only when both offered it. Unknown when the SYN was not seen.
  private var scales: (client: UInt8?, server: UInt8?) = (nil, nil)
  private(set) var lastMoment: Moment
  /// Set by each packet, cleared by the search for idle connections.
  var wasTouched = true
  /// Waits in the queue of those with bytes held back.
  var isQueuedAsHolder = false

  init(key: FlowKey, outlet: EventOutlet, clientIsFirst: Bool, at moment: Moment) {
    self.key = key
    self.outlet = outlet
    self.clientIsFirst = clientIsFirst
    self.lastMoment = moment
  }

  var id: ConnectionID { outlet.connection }

  var isOver: Bool {
    if case .over = phase { true } else { false }
  }

  var isLingering: Bool {
    if case .lingering = phase { true } else { false }
  }

  var hasHole: Bool { toServer.hasHole || toClient.hasHole }

  // MARK: Is it still the same connection?

  /// Whether a segment opens a new connection of the same four-tuple.
  func isSuperseded(by segment: TCPSegment, fromFirst: Bool) -> Bool {
    guard segment.flags.contains(.syn) else { return false }
    let isFromClient = fromFirst == clientIsFirst
    let stream = isFromClient ? toServer : toClient
    let other = isFromClient ? toClient : toServer
    let isSameNumber = stream.baseSequence == segment.sequence &+ 1
    if segment.flags.contains(.ack) {
      // A second SYN/ACK to the same SYN belongs to this connection, whatever its number.
      guard stream.base != .unknown, !isSameNumber else { return false }
      return other.base != .syn || other.baseSequence != segment.acknowledgement
    }
    switch phase {
    case .over(.refused): return true
    case .over, .following, .lingering:
      switch stream.base {
      case .unknown: return isOver
      case .guessed, .handshakeAck, .data, .syn: return !isSameNumber
      }
    }
  }

  // MARK: Packets

  func receive(
    _ segment: TCPSegment, _ payload: RawSpan, fromFirst: Bool, at moment: Moment,
    _ books: inout Bookkeeping
  ) {
    lastMoment = moment
    wasTouched = true
    if isOver { return }
    if fromFirst == clientIsFirst {
      receive(segment, payload, &toServer, &toClient, at: moment, &books)
    } else {
      receive(segment, payload, &toClient, &toServer, at: moment, &books)
    }
    if toServer.isSettled, toClient.isSettled {
      conclude(.closed, at: moment, &books)
    }
  }

  private func receive(
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
      reset(segment, &sent, answered, at: moment, &books)
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
    _ segment: TCPSegment, _ sent: StreamReassembly, _ answered: inout StreamReassembly,
    at moment: Moment
  ) {
    if answered.base == .unknown {
      guard !segment.flags.contains(.rst) else { return }
      let endsHandshake =
        segment.flags.contains(.syn) || (sent.base == .syn && sent.offset(of: segment.sequence) == 0)
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

  // MARK: Windows

  private func noteScale(_ scale: UInt8, _ direction: Direction) {
    if direction == .toServer { scales.client = scale } else { scales.server = scale }
  }

  /// How windows that travel in `direction` are scaled; as much as possible when unknown.
  private func scale(of direction: Direction) -> UInt8 {
    guard let client = scales.client, let server = scales.server else { return 14 }
    guard client != TCPSegment.noScale, server != TCPSegment.noScale else { return 0 }
    return min(14, direction == .toServer ? client : server)
  }

  // MARK: Beginning and end

  private func tellEstablished(
    _ sent: StreamReassembly, _ answered: StreamReassembly, at moment: Moment
  ) {
    guard !isEstablished, sent.base == .syn, answered.base == .syn, sent.acknowledged >= 0,
      answered.acknowledged >= 0
    else { return }
    isEstablished = true
    outlet.send(.established, at: moment)
  }

  private func reset(
    _ segment: TCPSegment, _ sent: inout StreamReassembly, _ answered: StreamReassembly,
    at moment: Moment, _ books: inout Bookkeeping
  ) {
    let answersSyn = sent.base == .unknown || sent.base == .handshakeAck && sent.packets == 1
    let isGenuine =
      answersSyn
      ? !segment.flags.contains(.ack) || answered.acknowledged >= 0
      : sent.couldAccept(sent.offset(of: segment.sequence))
    guard isGenuine else {
      books.warnings.add(
        .outOfWindow, frame: moment.frame,
        "RST in \(outlet.description.name(sent.direction)) outside the receiver's window, ignored")
      return
    }
    let isFirst = sent.direction == .toServer ? !resets.toServer : !resets.toClient
    if sent.direction == .toServer { resets.toServer = true } else { resets.toClient = true }
    if isFirst { outlet.send(.reset(sent.direction), at: moment) }
    phase = .lingering
  }

  /// The answer to a SYN was a RST, and nothing else ever came from there.
  var wasRefused: Bool {
    resets.toClient && !resets.toServer && toServer.base == .syn && toClient.base != .syn
      && toClient.isUntouched
  }

  /// Tells the rest and the end. Nothing is told of this connection any more.
  ///
  /// - Parameter end: how, unless the packets show it.
  func conclude(_ end: EndOfConnection, at moment: Moment, _ books: inout Bookkeeping) {
    if isOver { return }
    toServer.conclude(peerWasSeen: toClient.packets > 0, at: moment, outlet, &books)
    toClient.conclude(peerWasSeen: toServer.packets > 0, at: moment, outlet, &books)
    let shown = endShown ?? end
    phase = .over(shown)
    outlet.send(.ended(shown), at: moment)
  }

  private var endShown: EndOfConnection? {
    if wasRefused { return .refused }
    if resets.toServer || resets.toClient { return .reset }
    return toServer.isFinished && toClient.isFinished ? .closed : nil
  }

  /// Lets go of the bytes that are held back.
  func giveUpHoles(_ books: inout Bookkeeping) {
    while !toServer.pending.isEmpty { toServer.giveUpHole(at: lastMoment, outlet, &books) }
    while !toClient.pending.isEmpty { toClient.giveUpHole(at: lastMoment, outlet, &books) }
  }
}
