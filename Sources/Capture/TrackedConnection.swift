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
///
/// A struct that lives in an array and is only changed in place: a packet costs no reference
/// counting and no exclusivity check.
struct TrackedConnection {
  enum Phase: Equatable {
    case following
    /// Reset; what the other end had under way is still told.
    case lingering
    case over(EndOfConnection)
    /// The slot is free.
    case vacant
  }

  // First what a plain segment asks for: it lies together.

  /// Of its key; `none` for IPv6, and when the slot is free.
  private(set) var flow: PlainFlow
  let id: ConnectionID
  /// Whether `key.first` is the client.
  private var clientIsFirst: Bool
  /// Followed, and nothing about it is out of order: found anew after each segment that is not
  /// plain itself.
  private var isPlain = false
  /// How the windows are scaled that the client and the server advertise, while it is plain.
  private var clientScale: UInt8 = 0
  private var serverScale: UInt8 = 0
  /// Set by each packet, cleared by the search for idle connections.
  var wasTouched = true
  /// Waits in the queue of those with bytes held back.
  var isQueuedAsHolder = false
  private(set) var lastMoment: Moment
  private var toServer = StreamReassembly(.toServer)
  private var toClient = StreamReassembly(.toClient)
  private var talk: Talk
  private(set) var phase = Phase.following
  let key: FlowKey

  init(key: FlowKey, outlet: EventOutlet, clientIsFirst: Bool, at moment: Moment) {
    self.key = key
    flow = PlainFlow(key) ?? .none
    id = outlet.connection
    self.talk = Talk(outlet: outlet)
    self.clientIsFirst = clientIsFirst
    self.lastMoment = moment
  }

  var outlet: EventOutlet { talk.outlet }

  var isOver: Bool {
    if case .over = phase { true } else { false }
  }

  var isVacant: Bool {
    if case .vacant = phase { true } else { false }
  }

  /// Frees the slot, and the memory that hangs on it.
  mutating func vacate() {
    phase = .vacant
    flow = .none
    isPlain = false
    toServer = StreamReassembly(.toServer)
    toClient = StreamReassembly(.toClient)
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
    case .over, .following, .lingering, .vacant:
      switch stream.base {
      case .unknown: return isOver
      case .guessed, .handshakeAck, .data, .syn: return !isSameNumber
      }
    }
  }

  // MARK: Packets

  /// Takes a segment like nearly all of them.
  ///
  /// - Returns: what is to be told, if that is news; `nil`, and nothing has happened, when it or
  ///   the connection is in any way different.
  @inline(__always)
  mutating func receivePlain(_ packet: borrowing PlainPacket, at moment: Moment) -> PlainSegment? {
    guard isPlain, packet.isPlain else { return nil }
    let plain =
      packet.fromFirst == clientIsFirst
      ? Talk.receivePlain(packet, &toServer, &toClient, scale: clientScale, at: moment)
      : Talk.receivePlain(packet, &toClient, &toServer, scale: serverScale, at: moment)
    if plain != nil {
      lastMoment = moment
      wasTouched = true
    }
    return plain
  }

  /// How many bytes, from the first one on, a plain segment asks for.
  static let plainBytes = MemoryLayout<TrackedConnection>.offset(of: \.toClient)! + 64

  mutating func receive(
    _ segment: TCPSegment, _ payload: RawSpan, fromFirst: Bool, at moment: Moment,
    _ books: inout Bookkeeping
  ) {
    lastMoment = moment
    wasTouched = true
    if isOver { return }
    if fromFirst == clientIsFirst {
      talk.receive(segment, payload, &toServer, &toClient, at: moment, &books)
    } else {
      talk.receive(segment, payload, &toClient, &toServer, at: moment, &books)
    }
    if talk.wasReset, case .following = phase { phase = .lingering }
    if toServer.isSettled, toClient.isSettled { conclude(.closed, at: moment, &books) }
    isPlain =
      phase == .following && books.limits.overlaps == .firstCopy
      && talk.isPlain(toServer, toClient)
    clientScale = talk.scale(of: .toServer)
    serverScale = talk.scale(of: .toClient)
  }

  /// The answer to a SYN was a RST, and nothing else ever came from there.
  var wasRefused: Bool {
    talk.resets.toClient && !talk.resets.toServer && toServer.base == .syn && toClient.base != .syn
      && toClient.isUntouched
  }

  /// Tells the rest and the end. Nothing is told of this connection any more.
  ///
  /// - Parameter end: how, unless the packets show it.
  mutating func conclude(_ end: EndOfConnection, at moment: Moment, _ books: inout Bookkeeping) {
    if isOver { return }
    toServer.conclude(peerWasSeen: toClient.packets > 0, at: moment, outlet, &books)
    toClient.conclude(peerWasSeen: toServer.packets > 0, at: moment, outlet, &books)
    let shown = endShown ?? end
    phase = .over(shown)
    isPlain = false
    outlet.send(.ended(shown), at: moment)
  }

  private var endShown: EndOfConnection? {
    if wasRefused { return .refused }
    if talk.wasReset { return .reset }
    return toServer.isFinished && toClient.isFinished ? .closed : nil
  }

  /// Lets go of the bytes that are held back.
  mutating func giveUpHoles(_ books: inout Bookkeeping) {
    while !toServer.pending.isEmpty { toServer.giveUpHole(at: lastMoment, outlet, &books) }
    while !toClient.pending.isEmpty { toClient.giveUpHole(at: lastMoment, outlet, &books) }
  }
}
