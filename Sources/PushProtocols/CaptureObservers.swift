public import Custody
public import Timeline
public import Wire

/// Hands each connection of a capture to the observer that recognises its first bytes.
///
/// Until one does, the connection's events are kept (a few kilobytes of them); when none does, the
/// connection is counted by what it looked like, so that a report can say what it left out.
public final class CaptureObservers: ConnectionSink {
  /// How much of a connection is kept before it has to be recognised.
  static let openingLimit = (bytes: 64 * 1024, events: 512)

  private enum Route {
    case undecided(Waiting)
    case claimed(Int)
    case ignored
  }

  private let observers: [any CaptureObserver]
  /// The same as the first of them. Asked for every segment: to call what never changes costs no
  /// counting of references, to take it out of an array does.
  private let first: any CaptureObserver
  private var routes = ConnectionTable<Route>()
  /// The observers of the claimed ones, by the numbers of connections; `nobody` for others. Asked
  /// for every segment, so small.
  private var claims: [UInt8] = []
  private static let nobody = UInt8.max
  /// Connections are numbered without holes; more are told by their events.
  private static let mostClaims = 1 << 28
  private var leftOut: [UnrecognisedConnections] = []

  /// Observers by the ports that a user said are theirs.
  private var assigned: [UInt16: Int] = [:]
  private let around: (ConnectionID) -> String?
  private let names: (ConnectionID, ConnectionDescription) -> TLSNames?
  private let unfinished: UnfinishedBytes
  /// How many of the observers are of the catalog; the others come behind.
  private let catalogCount: Int

  /// - Parameters:
  ///   - assigned: names in the catalog, by port: connections that are claimed whatever they look
  ///     like.
  ///   - keepsDeliveries: the observation lists every delivery; else it counts them.
  ///   - unfinished: bounds what waits to be complete; `makeRoom` is for others to call.
  ///   - topicNames: what the user calls the topics of APNs.
  ///   - others: observers that are asked when none of the catalog is interested.
  ///   - around: what unclaimed connections were inside of, when that says more than their content.
  ///   - names: what the client of a connection in TLS asked for in the clear.
  public init(
    _ catalog: [ObservedProtocol] = ObservationCatalog.all, assigned: [UInt16: String] = [:],
    keepsDeliveries: Bool = true, unfinished: UnfinishedBytes = UnfinishedBytes(),
    topicNames: APNsTopicNames = APNsTopicNames(),
    others: [any CaptureObserver] = [],
    around: @escaping (ConnectionID) -> String? = { _ in nil },
    names: @escaping (ConnectionID, ConnectionDescription) -> TLSNames? = { _, _ in nil }
  ) {
    self.around = around
    self.names = names
    self.unfinished = unfinished
    catalogCount = catalog.count
    let numbers = RecordNumbers(
      keepsDeliveries: keepsDeliveries, unfinished: unfinished, topicNames: topicNames,
      names: names)
    observers = catalog.map { $0.makeObserver(numbers) } + others
    precondition(!observers.isEmpty, "observers of no protocol")
    first = observers[0]
    self.assigned = assigned.compactMapValues { name in catalog.firstIndex { $0.name == name } }
  }

  public func takes(
    _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) -> Bool {
    let claim = claim(connection)
    if claim == 0 {
      return unsafe first.takes(segment, of: connection, bytes: bytes, at: moment)
    }
    return unsafe claim != Self.nobody
      && observers[Int(claim)].takes(segment, of: connection, bytes: bytes, at: moment)
  }

  /// Of the observer that most segments are for. What it makes of others is for nobody.
  public var preparation: SegmentPreparation? { unsafe first.preparation }

  public func take(_ run: SegmentRun) -> Int {
    if run.count == 0 { return 0 }
    let claim = claim(run[0].connection)
    if claim == Self.nobody { return 0 }
    let own = run.prefix { self.claim($0) == claim }
    return claim == 0 ? first.take(own) : observers[Int(claim)].take(own)
  }

  @inline(__always)
  private func claim(_ connection: ConnectionID) -> UInt8 {
    let index = Int(connection.index)
    return index < claims.count ? claims[index] : Self.nobody
  }

  private func setClaim(_ claim: UInt8, _ connection: ConnectionID) {
    let index = Int(connection.index)
    if index >= Self.mostClaims { return }
    if index >= claims.count {
      claims.append(contentsOf: repeatElement(Self.nobody, count: index + 1 - claims.count))
    }
    claims[index] = claim
  }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    switch routes[connection] ?? .undecided(Waiting(description)) {
    case .claimed(let index):
      unsafe observers[index].receive(
        event, of: connection, description, bytes: bytes, at: moment)
    case .ignored: break
    case .undecided(let waiting):
      unsafe waiting.append(event, bytes: bytes, at: moment)
      if case .secured = event, let names = names(connection, description) {
        waiting.opening.serverName = names.server
        waiting.opening.applicationProtocols = names.protocols
      }
      settle(waiting, connection, at: moment)
    }
    if case .ended = event {
      routes.remove(connection)
      if claim(connection) != Self.nobody { setClaim(Self.nobody, connection) }
    }
  }

  /// What a client asks for in the clear when it begins TLS.
  public struct TLSNames: Sendable {
    /// Whom: SNI.
    public var server: String?
    /// To speak what: ALPN, offered or chosen.
    public var protocols: [String]

    public init(server: String?, protocols: [String]) {
      self.server = server
      self.protocols = protocols
    }
  }

  /// What is made of a connection.
  public enum Standing: Sendable {
    case undecided
    /// A protocol of the catalog reads it.
    case claimed
    /// No protocol does.
    case unclaimed
  }

  /// - Parameter connection: one that has not ended.
  public func standing(of connection: ConnectionID) -> Standing {
    switch routes[connection] {
    case .claimed(let index): index < catalogCount ? .claimed : .unclaimed
    case .ignored: .unclaimed
    case .undecided, nil: .undecided
    }
  }

  /// Of the protocols, only the first one has a use for it.
  public func foresee(_ run: SegmentRun) { first.foresee(run) }

  private func settle(_ waiting: Waiting, _ connection: ConnectionID, at moment: Moment) {
    let route = decide(waiting, connection)
    routes[connection] = route
    if case .claimed(let index) = route { setClaim(UInt8(index), connection) }
    var kept = 0
    if case .undecided = route { kept = waiting.size }
    unfinished.count(
      kept, known: &waiting.counted, UnfinishedBytes.Place(connection, .toServer, .recognition),
      waiting.opening.description, of: self, at: moment)
  }

  private func decide(_ waiting: Waiting, _ connection: ConnectionID) -> Route {
    let description = waiting.opening.description
    let known = assigned[description.server.port] ?? assigned[description.client.port]
    // Of what can't be read, saying what it is makes no more of it.
    let isUnreadable = waiting.isEmpty && waiting.opening.isUnreadable.contains(true)
    if !assigned.isEmpty, let known, waiting.hasContent, !isUnreadable {
      waiting.replay(to: observers[known], of: connection)
      return .claimed(known)
    }
    var mayChange = false
    for (index, observer) in observers.enumerated() {
      switch observer.recognise(waiting.opening) {
      case .mine:
        waiting.replay(to: observer, of: connection)
        return .claimed(index)
      case .undecided: mayChange = true
      case .notMine: break
      }
    }
    if mayChange, !waiting.opening.isComplete { return .undecided(waiting) }
    if waiting.isEmpty, !waiting.opening.isComplete { return .undecided(waiting) }
    count(waiting.opening, connection)
    return .ignored
  }

  private func count(_ opening: ConnectionOpening, _ connection: ConnectionID) {
    let kind = around(connection) ?? opening.looksLike
    let server = opening.description.server.description
    guard let index = leftOut.firstIndex(where: { $0.kind == kind }) else {
      leftOut.append(UnrecognisedConnections(kind: kind, count: 1, servers: [server]))
      return
    }
    leftOut[index].count += 1
    if leftOut[index].servers.count < 4, !leftOut[index].servers.contains(server) {
      leftOut[index].servers.append(server)
    }
  }

  /// To be called before the first event of a capture that is still being made.
  public func watch(patience: Nanoseconds) {
    for observer in observers { observer.watch(patience: patience) }
  }

  /// What has become known since this was last asked.
  public func news(at now: Instant) -> [LiveEvent] { observers.flatMap { $0.news(at: now) } }

  /// Packets are missing, of whatever was open.
  public func missedPackets(_ why: String, at moment: Moment) {
    for observer in observers { observer.missedPackets(why, at: moment) }
  }

  /// The capture is over: what every observer learned, and the connections that nobody claimed.
  public func finish(at end: Moment) -> (CaptureObservation, [UnrecognisedConnections]) {
    // Connections that the capture did not say were over.
    for connection in routes.keysInOrder {
      guard case .undecided(let waiting)? = routes[connection] else { continue }
      waiting.opening.isComplete = true
      routes[connection] = decide(waiting, connection)
    }
    var all = CaptureObservation()
    for observer in observers {
      let one = observer.finish(at: end)
      // The first one's are taken as they are: there may be very many.
      if all.sessions.isEmpty { all.sessions = one.sessions } else { all.sessions += one.sessions }
      all.deliveries += one.deliveries
      all.tallies += one.tallies
      all.findings += one.findings
      all.warnings += one.warnings
    }
    if observers.count > 1 {
      all.sessions.sort { $0.id < $1.id }
      all.deliveries.sort { $0.id < $1.id }
    }
    return (all, leftOut)
  }
}

extension CaptureObservers: UnfinishedHolder {
  /// What it speaks has to be told by what there is.
  public func giveUp(_ bytes: UnfinishedBytes.Held) {
    let connection = bytes.place.connection
    guard case .undecided(let waiting)? = routes[connection] else { return }
    waiting.opening.isComplete = true
    settle(waiting, connection, at: bytes.moment)
  }
}

/// The events of a connection that nobody has claimed yet.
private final class Waiting {
  private struct Kept {
    var event: ConnectionEvent
    var bytes: Range<Int>
    var moment: Moment
  }

  private var kept: [Kept] = []
  private var bytes: [UInt8] = []
  var opening: ConnectionOpening
  /// What `UnfinishedBytes` knows of.
  var counted = 0

  init(_ description: ConnectionDescription) { opening = ConnectionOpening(description) }

  var isEmpty: Bool { bytes.isEmpty }
  /// What is kept, each byte twice.
  var size: Int { 2 * bytes.count }
  /// Something was sent, seen or not.
  var hasContent: Bool { !bytes.isEmpty || opening.hasGap }

  func append(_ event: ConnectionEvent, bytes payload: UnsafeRawBufferPointer, at moment: Moment) {
    let start = bytes.count
    unsafe bytes.append(contentsOf: payload)
    kept.append(Kept(event: event, bytes: start..<bytes.count, moment: moment))
    switch event {
    case .began(let handshake): opening.handshake = handshake
    case .bytes(.toServer, _): opening.toServer += bytes[start...]
    case .bytes(.toClient, _): opening.toClient += bytes[start...]
    case .gap: opening.hasGap = true
    case .ended: opening.isComplete = true
    case .secured(let direction, let secrecy):
      opening.secrecy = secrecy
      opening.isUnreadable[Int(direction.rawValue)] = secrecy != .decrypted
    case .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed, .finished,
      .reset:
      break
    }
    let limit = CaptureObservers.openingLimit
    if bytes.count >= limit.bytes || kept.count >= limit.events { opening.isComplete = true }
  }

  func replay(to observer: any CaptureObserver, of connection: ConnectionID) {
    unsafe bytes.withUnsafeBytes { all in
      for item in kept {
        unsafe observer.receive(
          item.event, of: connection, opening.description,
          bytes: UnsafeRawBufferPointer(rebasing: all[item.bytes]), at: item.moment)
      }
    }
  }
}

extension ConnectionOpening {
  /// What an unclaimed connection looks like, for people.
  var looksLike: String {
    if let secrecy, secrecy != .decrypted { return "TLS" }
    if toServer.isEmpty, toClient.isEmpty { return "no payload" }
    for bytes in [toServer, toClient] {
      // A TLS record: handshake, alert or application data, major version 3 (RFC 8446 §5.1).
      if bytes.count >= 3, (0x14...0x17).contains(bytes[0]), bytes[1] == 3, bytes[2] <= 4 {
        return "TLS"
      }
      if Self.httpStarts.contains(where: { bytes.starts(with: $0.utf8) }) { return "HTTP" }
      if bytes.starts(with: "SSH-".utf8) { return "SSH" }
      if bytes.starts(with: "<?xml".utf8) || bytes.starts(with: "<stream:".utf8) { return "XMPP" }
    }
    return "unknown"
  }

  private static let httpStarts = [
    "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "HTTP/",
    "PRI * HTTP/2",
  ]
}
