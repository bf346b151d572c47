public import Timeline
public import Wire

/// Stands between a capture and the sink that reads its connections, and opens those in TLS.
///
/// The sink behind sees a connection in TLS as if it were a clear one: `.bytes`, `.gap`,
/// `.acknowledged`, `.retransmission` and `.finished` count plaintext. What can't be opened comes
/// as gaps of kind `.encrypted`, as long as what they hide, after a `.secured` that says why. TLS
/// is found by content; any other connection passes untouched.
///
///     let sink = TLSDecryptingSink(secrets, to: sessions)
///     let summary = try CaptureFile(path: path).read(into: sink)
public final class TLSDecryptingSink: ConnectionSink {
  /// A number for each connection: cheaper than a look-up for the many that are not in TLS.
  private enum State {
    static let unseen: UInt32 = 0
    /// The SYN was seen, and no bytes yet.
    static let begun: UInt32 = 1
    static let clear: UInt32 = 2
    /// Bytes or holes were seen that don't tell yet; `prefixes` has them.
    static let undecided: UInt32 = 3
    /// Slots of `secured` from here on.
    static let firstSlot: UInt32 = 4
  }

  /// What was seen of a connection that may be in TLS.
  private struct Prefix {
    var isFromStart: Bool
    var bytes: [UInt8] = []
    var direction = Direction.toServer
    var offset: UInt64 = 0
    var moment: Moment
    /// Where each direction has come to, in what the sink behind knows.
    var toServer: UInt64 = 0
    var toClient: UInt64 = 0
  }

  /// Connections are numbered without holes; more are taken for clear ones.
  private static let mostConnections = 1 << 28

  private let sink: any ConnectionSink
  private let shared: TLSShared
  private var states: [UInt32] = []
  private var prefixes: [ConnectionID: Prefix] = [:]
  private var secured: [TLSConnection?] = []
  private var freeSlots: [Int] = []

  /// - Parameter unfinished: bounds what waits to be complete; `makeRoom` is for others to call.
  public init(
    _ secrets: TLSSecrets, to sink: any ConnectionSink,
    unfinished: UnfinishedBytes = UnfinishedBytes()
  ) {
    self.sink = sink
    self.shared = TLSShared(secrets: secrets, unfinished: unfinished)
  }

  /// May grow while a capture is read: connections take from it what they need when they need it.
  public var secrets: TLSSecrets {
    get { shared.secrets }
    set { shared.secrets = newValue }
  }

  /// Asked for what was added to the key logs since it was last asked, when the secrets of a
  /// connection are missing. With it, records wait for secrets for two seconds.
  public var moreSecrets: (() -> [UInt8])? {
    get { shared.moreSecrets }
    set { shared.moreSecrets = newValue }
  }

  /// Time has passed, and perhaps nothing has come: what waited for long enough is told.
  public func letGo(after now: Instant) {
    guard shared.heldBytes > 0 else { return }
    for connection in secured { connection?.letGo(after: now) }
  }

  /// Takes in a key log that came while the capture was read.
  public func add(keyLog: some Sequence<UInt8>) { shared.secrets.read(keyLog: keyLog) }

  /// The connection has begun, and is not in TLS: it passes untouched from now on.
  public func isClear(_ connection: ConnectionID) -> Bool {
    let index = Int(connection.index)
    return index < states.count && states[index] == State.clear
  }

  /// The connection is in TLS.
  public func isSecured(_ connection: ConnectionID) -> Bool {
    let index = Int(connection.index)
    return index < states.count && states[index] >= State.firstSlot
  }

  /// What is known of the TLS of a connection; `nil` when it has none, or after it has ended. The
  /// sink behind may ask while it is told `.ended`.
  public func facts(of connection: ConnectionID) -> TLSFacts? {
    securedConnection(connection)?.facts
  }

  /// From these offsets on a clear connection is in TLS (STARTTLS, CONNECT).
  ///
  /// The sink behind may call this while it is told the bytes in front. They must not be behind
  /// what it was told already.
  public func beginTLS(
    _ connection: ConnectionID, _ description: ConnectionDescription, toServer: UInt64,
    toClient: UInt64
  ) {
    guard securedConnection(connection) == nil, grow(to: connection) else { return }
    prefixes[connection] = nil
    let secured = TLSConnection(
      outlet: ClearOutlet(sink: sink, connection: connection, description: description),
      shared: shared, toServer: toServer, toClient: toClient)
    secured.clearUntil = (toServer, toClient)
    add(secured, connection)
  }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    let index = Int(connection.index)
    let isKnown = index < states.count
    // First, and with one look-up: the connections that have nothing to do with TLS.
    if isKnown ? states[index] == State.clear : !grow(to: connection) {
      unsafe sink.receive(event, of: connection, description, bytes: bytes, at: moment)
      return
    }
    let state = states[index]
    if state >= State.firstSlot {
      let slot = Int(state - State.firstSlot)
      unsafe secured[slot]?.receive(event, bytes: bytes, at: moment)
      if case .ended = event { remove(connection, slot) }
    } else {
      unsafe decide(event, connection, description, bytes, moment)
    }
  }

  // MARK: Is it TLS?

  private func decide(
    _ event: ConnectionEvent, _ connection: ConnectionID, _ description: ConnectionDescription,
    _ bytes: UnsafeRawBufferPointer, _ moment: Moment
  ) {
    let outlet = ClearOutlet(sink: sink, connection: connection, description: description)
    switch event {
    case .began(let handshake):
      if handshake { states[Int(connection.index)] = State.begun }
    case .bytes(let direction, let offset):
      unsafe judge(Array(bytes), direction, offset, connection, outlet, moment)
      return
    case .gap(let direction, let offset, let length, _):
      passOn(connection, outlet)
      if states[Int(connection.index)] == State.clear { break }
      var prefix = prefix(of: connection, moment)
      if direction == .toServer {
        prefix.toServer = offset &+ length
      } else {
        prefix.toClient = offset &+ length
      }
      prefixes[connection] = prefix
      states[Int(connection.index)] = State.undecided
    case .finished, .reset, .ended:
      passOn(connection, outlet)
      if case .ended = event {
        prefixes[connection] = nil
        states[Int(connection.index)] = State.clear
      }
    case .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed, .secured:
      break
    }
    unsafe sink.receive(event, of: connection, description, bytes: bytes, at: moment)
  }

  private func prefix(of connection: ConnectionID, _ moment: Moment) -> Prefix {
    let isFromStart = states[Int(connection.index)] == State.begun
    return prefixes[connection] ?? Prefix(isFromStart: isFromStart, moment: moment)
  }

  private func judge(
    _ bytes: [UInt8], _ direction: Direction, _ offset: UInt64, _ connection: ConnectionID,
    _ outlet: ClearOutlet, _ moment: Moment
  ) {
    var prefix = prefix(of: connection, moment)
    if !prefix.bytes.isEmpty, prefix.direction != direction {
      // Nobody answers an unfinished hello.
      passOn(connection, outlet)
      outlet.send(.bytes(direction, offset: offset), bytes, at: moment)
      return
    }
    if prefix.bytes.isEmpty {
      prefix.direction = direction
      prefix.offset = offset
    }
    let known = prefix.bytes.count
    prefix.bytes += bytes
    let verdict = TLSDetection.judge(
      prefix.bytes, fromStart: prefix.isFromStart && prefix.offset == 0)
    switch verdict {
    case .undecided:
      if known == 0 { prefix.moment = moment }
      prefixes[connection] = prefix
      states[Int(connection.index)] = State.undecided
    case .isSomethingElse:
      passOn(connection, outlet)
      states[Int(connection.index)] = State.clear
      outlet.send(.bytes(direction, offset: offset), bytes, at: moment)
    case .isTLS:
      prefixes[connection] = nil
      let isToServer = direction == .toServer
      let tls = TLSConnection(
        outlet: outlet, shared: shared, toServer: isToServer ? prefix.offset : prefix.toServer,
        toClient: isToServer ? prefix.toClient : prefix.offset)
      add(tls, connection)
      tls.receive(prefix.bytes, direction, endingAt: offset &+ UInt64(bytes.count), at: moment)
    }
  }

  /// Tells what was held back: it is no TLS.
  private func passOn(_ connection: ConnectionID, _ outlet: ClearOutlet) {
    guard let prefix = prefixes[connection], !prefix.bytes.isEmpty else { return }
    prefixes[connection] = nil
    states[Int(connection.index)] = State.clear
    outlet.send(.bytes(prefix.direction, offset: prefix.offset), prefix.bytes, at: prefix.moment)
  }

  // MARK: Connections

  private func grow(to connection: ConnectionID) -> Bool {
    let index = Int(connection.index)
    if index < states.count { return true }
    guard index < Self.mostConnections else { return false }
    states.append(contentsOf: repeatElement(State.unseen, count: index + 1 - states.count))
    return true
  }

  private func securedConnection(_ connection: ConnectionID) -> TLSConnection? {
    let index = Int(connection.index)
    guard index < states.count, states[index] >= State.firstSlot else { return nil }
    return secured[Int(states[index] - State.firstSlot)]
  }

  private func add(_ tls: TLSConnection, _ connection: ConnectionID) {
    let slot = freeSlots.popLast() ?? secured.count
    if slot == secured.count { secured.append(tls) } else { secured[slot] = tls }
    states[Int(connection.index)] = State.firstSlot + UInt32(slot)
  }

  private func remove(_ connection: ConnectionID, _ slot: Int) {
    secured[slot] = nil
    freeSlots.append(slot)
    states[Int(connection.index)] = State.clear
  }
}
