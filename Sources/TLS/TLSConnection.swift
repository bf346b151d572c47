import Timeline
import Wire

/// What the connections of a sink share.
final class TLSShared {
  var secrets: TLSSecrets
  var resumption = ResumptionCache()
  let unfinished: UnfinishedBytes
  /// Bytes of records that wait for the other direction's hello, of all connections.
  var heldBytes = 0

  /// Asked for what was added to the key logs since it was last asked; `nil` when nothing is.
  /// Programs write their secrets while their packets come.
  var moreSecrets: (() -> [UInt8])?
  /// How long records wait for secrets that may still come.
  static let patience = Nanoseconds.seconds(2)

  /// The secrets of a client random, with those that have come meanwhile.
  func secrets(of random: [UInt8], with needed: SecretKind) -> SecretSet? {
    guard let random = ClientRandom(random) else { return nil }
    let known = secrets.secrets(of: random)
    guard known?[needed] == nil, let moreSecrets else { return known }
    let more = moreSecrets()
    if more.isEmpty { return known }
    secrets.read(keyLog: more)
    return secrets.secrets(of: random)
  }

  /// Records of one direction that wait, and of all connections.
  static let mostHeldByStream = 32 << 10
  static let mostHeld = 16 << 20

  init(secrets: TLSSecrets, unfinished: UnfinishedBytes) {
    self.secrets = secrets
    self.unfinished = unfinished
  }
}

/// Where the events of one connection go.
struct ClearOutlet {
  let sink: any ConnectionSink
  let connection: ConnectionID
  let description: ConnectionDescription

  func send(_ event: ConnectionEvent, _ bytes: [UInt8] = [], at moment: Moment) {
    unsafe bytes.withUnsafeBytes {
      unsafe sink.receive(event, of: connection, description, bytes: $0, at: moment)
    }
  }
}

/// One connection in TLS: follows the handshake in both directions, opens records, and tells the
/// connection as if it were a clear one.
///
/// Nothing is mutated while the sink behind is called, so that it may ask for the facts.
final class TLSConnection {
  let outlet: ClearOutlet
  let shared: TLSShared
  let toServer: TLSStream
  let toClient: TLSStream
  var facts = TLSFacts()
  var handshake = HandshakeState()
  /// Where TLS begins in each direction; bytes before are passed on as they are (STARTTLS).
  var clearUntil: (toServer: UInt64, toClient: UInt64) = (0, 0)
  private var handshakeIsDamaged = false

  init(
    outlet: ClearOutlet, shared: TLSShared, toServer: UInt64 = 0, toClient: UInt64 = 0
  ) {
    self.outlet = outlet
    self.shared = shared
    self.toServer = TLSStream(offset: toServer)
    self.toClient = TLSStream(offset: toClient)
  }

  subscript(direction: Direction) -> TLSStream {
    direction == .toServer ? toServer : toClient
  }

  /// Why records stay closed when a hello is missing.
  var reasonForNoHello: Secrecy {
    handshakeIsDamaged ? .bytesMissing : .beganMidStream
  }

  func receive(_ event: ConnectionEvent, bytes: UnsafeRawBufferPointer, at moment: Moment) {
    switch event {
    case .bytes(let direction, let offset):
      let end = offset &+ UInt64(bytes.count)
      let inClear = clearBytes(direction, from: offset, to: end)
      let content = unsafe Array(bytes)
      if inClear > 0 {
        outlet.send(
          .bytes(direction, offset: offset), Array(content.prefix(inClear)), at: moment)
      }
      guard inClear < content.count else { return }
      receive(Array(content.dropFirst(inClear)), direction, endingAt: end, at: moment)
      countUnfinished(direction, at: moment)
    case .gap(let direction, let offset, let length, let kind):
      receiveGap(direction, offset: offset, length: length, kind, at: moment)
      countUnfinished(direction, at: moment)
    case .acknowledged(let direction, let upTo):
      if upTo < clearBorder(direction) { outlet.send(event, at: moment) }
      self[direction].marks.acknowledge(upTo: upTo)
      tellAcknowledged(direction, at: moment)
    case .retransmission(let direction, let offset, let length):
      let range = offset..<max(offset, offset &+ length)
      if range.upperBound <= clearBorder(direction) { outlet.send(event, at: moment) }
      guard range.upperBound > clearBorder(direction),
        let plain = self[direction].marks.content(touchedBy: range), !plain.isEmpty
      else { return }
      outlet.send(
        .retransmission(direction, offset: plain.lowerBound, length: UInt64(plain.count)),
        at: moment)
    case .finished(let direction, _):
      letGo(direction)
      outlet.send(.finished(direction, offset: self[direction].plaintextOffset), at: moment)
    case .ended:
      letGo(.toServer)
      letGo(.toClient)
      for direction in Direction.allCases {
        self[direction].clearBuffer()
        self[direction].handshake.reset()
        countUnfinished(direction, at: moment)
      }
      outlet.send(event, at: moment)
    case .began, .established, .keepAliveProbe, .windowClosed, .secured, .reset:
      outlet.send(event, at: moment)
    }
  }

  private func clearBorder(_ direction: Direction) -> UInt64 {
    direction == .toServer ? clearUntil.toServer : clearUntil.toClient
  }

  /// Time has passed without a record: secrets that were to come would be there.
  func letGo(after now: Instant) {
    let began = Direction.allCases.compactMap { self[$0].held.first?.moment.time }.min()
    if let began, now > began, now - began > TLSShared.patience { letGoOfBoth() }
  }

  /// Nothing may be held any more. Each turn uses up a record that was held.
  func letGo(_ direction: Direction) {
    while self[direction].isAwaitingKeys { resume(direction, force: true) }
  }

  /// How many bytes of a range come before TLS begins.
  private func clearBytes(_ direction: Direction, from start: UInt64, to end: UInt64) -> Int {
    let border = clearBorder(direction)
    return start < border && start <= end ? Int(min(border, end) - start) : 0
  }

  /// A hole of the TCP stream.
  private func receiveGap(
    _ direction: Direction, offset: UInt64, length: UInt64, _ kind: GapKind, at moment: Moment
  ) {
    letGo(direction)
    if needsHello { handshakeIsDamaged = true }
    let end = max(offset, offset &+ length)
    self[direction].tcpOffset = end
    self[direction].handshake.reset()
    if stepOver(direction, holeOf: length, endingAt: end, kind, at: moment) { return }
    let lost = length &+ UInt64(self[direction].buffer.count)
    self[direction].clearBuffer()
    switch self[direction].framing {
    case .broken: break
    case .records: self[direction].framing = .searching(RecordSearch(missingBytes: lost))
    case .searching(var search):
      search.widen(by: lost)
      self[direction].framing = .searching(search)
    }
    losePlaceUnlessSurvivable(direction, at: moment)
    tellGap(direction, length: max(1, lost), kind, record: offset..<end, at: moment)
  }

  // MARK: What is not complete

  private func countUnfinished(_ direction: Direction, at moment: Moment) {
    let stream = self[direction]
    shared.unfinished.count(
      stream.buffer.count + stream.handshake.pendingBytes, known: &stream.counted,
      UnfinishedBytes.Place(outlet.connection, direction, .tls), outlet.description, of: self,
      at: moment)
  }

  /// Whether a hello that is missing would still be of use.
  private var needsHello: Bool { toServer.isPlain || toClient.isPlain }

  /// Ciphers and compression that chain records can't go on behind a lost one.
  func losePlaceUnlessSurvivable(_ direction: Direction, at moment: Moment) {
    guard case .sealed12(let cipher, _) = self[direction].phase else { return }
    if cipher.survivesLoss, self[direction].decompression == nil { return }
    close(direction, .bytesMissing, at: moment)
  }

  /// This direction will not be opened any more.
  func close(_ direction: Direction, _ reason: Secrecy, at moment: Moment) {
    self[direction].phase = .opaque(reason)
    tellSecrecy(direction, reason, at: moment)
  }
}

extension TLSConnection: UnfinishedHolder {
  /// As if the rest of the record were a hole: its length is known, so the next one is found.
  func giveUp(_ bytes: UnfinishedBytes.Held) {
    let direction = bytes.place.direction
    let end = self[direction].tcpOffset
    if self[direction].handshake.isInside, needsHello { handshakeIsDamaged = true }
    self[direction].handshake.reset()
    let lost = UInt64(self[direction].buffer.count)
    if lost > 0 { letGo(direction) }
    if lost > 0,
      !stepOver(direction, holeOf: 0, endingAt: end, .givenUp, at: bytes.moment)
    {
      self[direction].clearBuffer()
      tellGap(direction, length: lost, .givenUp, record: end..<end, at: bytes.moment)
    }
    countUnfinished(direction, at: bytes.moment)
  }
}

/// The handshake that is going on, or was the last.
struct HandshakeState {
  var clientHello: ClientHello?
  var serverHello: ServerHello?
  var suite: CipherSuite?
  /// A HelloRetryRequest came, and the ServerHello did not yet.
  var isRetrying = false
  /// Only full handshakes have a ServerHelloDone (RFC 5246 §7.3).
  var sawServerHelloDone = false
  /// Of TLS 1.2 and before.
  var keys: KeySchedule12.KeyBlock?
  /// The client sent an encrypted record. TLS 1.3 hides which records still belong to the
  /// handshake: they are the client's first, its Finished, and those of the server before it.
  var clientSpokeSealed = false
  /// The ticket that the server issued in this handshake (RFC 5077 §3.3).
  var ticket: [UInt8] = []

  var isTLS13: Bool {
    guard let version = serverHello?.version else { return false }
    return version == ProtocolVersion.tls13 || ProtocolVersion.isDraft13(version)
  }
}

/// Master secrets of sessions that may be resumed (RFC 5246 §7.3, RFC 5077), for key logs that name
/// a session only once.
struct ResumptionCache {
  private static let mostSessions = 4096

  private var masters: [[UInt8]: [UInt8]] = [:]
  private var order: [[UInt8]] = []

  subscript(name: [UInt8]) -> [UInt8]? { name.isEmpty ? nil : masters[name] }

  /// - Parameter name: a session identifier or a ticket.
  mutating func remember(_ master: [UInt8], as name: [UInt8]) {
    guard !name.isEmpty else { return }
    if masters.updateValue(master, forKey: name) == nil { order.append(name) }
    guard order.count > Self.mostSessions else { return }
    for old in order.prefix(Self.mostSessions / 2) { masters[old] = nil }
    order.removeFirst(Self.mostSessions / 2)
  }
}
