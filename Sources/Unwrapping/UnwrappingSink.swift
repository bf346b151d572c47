public import TLS
public import Timeline
internal import WebSocket
public import Wire

/// Stands between a capture and the sink that reads its connections, and takes off what is around
/// their protocols.
///
/// A connection that has nothing around it is known by its first bytes and goes straight to the
/// sink behind from then on.
public final class UnwrappingSink: ConnectionSink {
  private enum Stage {
    static let unseen: UInt8 = 0
    /// Nothing is around it, or it is not known yet.
    static let undecided: UInt8 = 1
    /// Clear so far, of a protocol that may begin TLS later.
    static let watched: UInt8 = 2
    static let clear: UInt8 = 3
  }

  /// Connections are numbered without holes; more go through the layers one by one.
  private static let mostConnections = 1 << 28

  /// The one look-up of a clear connection. Nothing changes it while it is read: what is called
  /// meanwhile comes back to another method only.
  @exclusivity(unchecked) private var stages: [UInt8] = []
  private let sink: any ConnectionSink
  private let tls: TLSDecryptingSink
  private let webSocket: WebSocketSink
  private let assignments: PortAssignments
  private let takesOffWebSocket: Bool
  private let unfinished: UnfinishedBytes
  private var lateStarts: [ConnectionID: LateStart] = [:]
  /// Of connections of which it is not known what they are.
  private var earlier: [ConnectionID: LateStart] = [:]

  /// - Parameters:
  ///   - sink: told of every connection as if nothing were around it.
  ///   - wrapped: takes what was.
  public init(
    _ options: CaptureOptions, to sink: any ConnectionSink, noting wrapped: WrappedConnections
  ) {
    let tap = WrappingTap(to: sink, noting: wrapped)
    self.sink = sink
    assignments = options.assignments
    takesOffWebSocket = options.takesOffWebSocket
    let ports = options.assignments
    unfinished = wrapped.unfinished
    webSocket = WebSocketSink(to: tap, unfinished: unfinished) { ports.assigns("websocket", $0) }
    tls = TLSDecryptingSink(
      options.secrets, to: options.takesOffWebSocket ? webSocket : tap, unfinished: unfinished)
    wrapped.tls = tls
    wrapped.webSocket = webSocket
  }

  /// What opens TLS, that which came with the capture included.
  public var secrets: TLSSecrets { tls.secrets }

  /// Asked for what was added to the key logs since it was last asked.
  public var moreSecrets: (() -> [UInt8])? {
    get { tls.moreSecrets }
    set { tls.moreSecrets = newValue }
  }

  /// Time has passed, and perhaps nothing has come: what waited long enough for secrets is told.
  public func letGo(after now: Instant) { tls.letGo(after: now) }

  /// Takes in a key log that came with the capture.
  public func add(keyLog: [UInt8]) { tls.add(keyLog: keyLog) }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    let index = Int(connection.index)
    if stage(index) == Stage.clear {
      unsafe sink.receive(event, of: connection, description, bytes: bytes, at: moment)
    } else {
      unsafe unwrap(event, connection, description, bytes, moment)
    }
    if unfinished.isOverLimit { unfinished.makeRoom() }
  }

  public func takes(
    _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) -> Bool {
    unsafe stage(Int(connection.index)) == Stage.clear
      && sink.takes(segment, of: connection, bytes: bytes, at: moment)
  }

  /// Segments in the clear are told as they are.
  public var preparation: SegmentPreparation? { unsafe sink.preparation }

  public func take(_ run: SegmentRun) -> Int {
    let clear = run.prefix { stage(Int($0.index)) == Stage.clear }
    return clear.count > 0 ? sink.take(clear) : 0
  }

  public func foresee(_ run: SegmentRun) { sink.foresee(run) }

  @inline(__always)
  private func stage(_ index: Int) -> UInt8 {
    unsafe index < stages.count ? stages[index] : Stage.unseen
  }

  private func set(_ stage: UInt8, _ connection: ConnectionID) {
    let index = Int(connection.index)
    let missing = index + 1 - (unsafe stages.count)
    if missing > 0 {
      unsafe stages.append(contentsOf: repeatElement(Stage.unseen, count: missing))
    }
    unsafe stages[index] = stage
  }

  // MARK: Connections that are not known to be clear

  @inline(never)
  private func unwrap(
    _ event: ConnectionEvent, _ connection: ConnectionID, _ description: ConnectionDescription,
    _ bytes: UnsafeRawBufferPointer, _ moment: Moment
  ) {
    let index = Int(connection.index)
    guard index < Self.mostConnections else {
      unsafe tls.receive(event, of: connection, description, bytes: bytes, at: moment)
      return
    }
    if stage(index) == Stage.unseen {
      set(Stage.undecided, connection)
      if assignments.assigns("tls", description) {
        tls.beginTLS(connection, description, toServer: 0, toClient: 0)
      }
    }
    if stage(index) == Stage.watched {
      unsafe watch(event, connection, description, bytes)
    }
    unsafe tls.receive(event, of: connection, description, bytes: bytes, at: moment)
    if stage(index) == Stage.undecided, tls.isClear(connection), isWebSocketDecided(connection) {
      unsafe settle(event, connection, bytes)
    } else if stage(index) == Stage.undecided {
      unsafe follow(event, connection, bytes)
    }
  }

  /// Holes and first bytes before it is known what the connection is: TLS may begin behind them.
  private func follow(
    _ event: ConnectionEvent, _ connection: ConnectionID, _ bytes: UnsafeRawBufferPointer
  ) {
    if case .ended = event { earlier[connection] = nil }
    guard event.isContent, !tls.isSecured(connection) else { return }
    var start = earlier[connection] ?? LateStart()
    unsafe _ = start.judge(event, bytes)
    earlier[connection] = start
  }

  private func isWebSocketDecided(_ connection: ConnectionID) -> Bool {
    !takesOffWebSocket || webSocket.isClear(connection)
  }

  /// Not in TLS by its first bytes. Those tell too whether it may begin TLS later.
  private func settle(
    _ event: ConnectionEvent, _ connection: ConnectionID, _ bytes: UnsafeRawBufferPointer
  ) {
    let earlier = earlier.isEmpty ? nil : earlier.removeValue(forKey: connection)
    guard let start = unsafe LateStart(event, bytes, after: earlier) else {
      pass(connection)
      return
    }
    lateStarts[connection] = start
    set(Stage.watched, connection)
  }

  /// From now on it goes straight to the sink behind.
  private func pass(_ connection: ConnectionID) {
    set(Stage.clear, connection)
    webSocket.forget(connection)
  }

  private func watch(
    _ event: ConnectionEvent, _ connection: ConnectionID, _ description: ConnectionDescription,
    _ bytes: UnsafeRawBufferPointer
  ) {
    guard var start = lateStarts[connection] else { return }
    lateStarts[connection] = nil
    switch unsafe start.judge(event, bytes) {
    case .clear:
      lateStarts[connection] = start
    case .begins:
      tls.beginTLS(
        connection, description, toServer: start.toServer, toClient: start.toClient)
      set(Stage.undecided, connection)
    case .over:
      pass(connection)
    }
  }
}

/// Tells the sink behind, and notes what was around a connection when it ends.
private final class WrappingTap: ConnectionSink {
  private let sink: any ConnectionSink
  private let wrapped: WrappedConnections

  init(to sink: any ConnectionSink, noting wrapped: WrappedConnections) {
    self.sink = sink
    self.wrapped = wrapped
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if case .ended = event { wrapped.note(connection, description) }
    unsafe sink.receive(event, of: connection, description, bytes: bytes, at: moment)
  }
}
