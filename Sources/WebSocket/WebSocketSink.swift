public import Wire

/// Stands between connections and the sink that reads them, and takes WebSocket off (RFC 6455).
///
/// The sink behind sees what is in the messages as if it were the connection: `.bytes`, `.gap`,
/// `.acknowledged`, `.retransmission` and `.finished` count that. Borders of messages are not told:
/// MQTT has its own (MQTT-6.0.0-2). A WebSocket is known by its upgrade; any other connection
/// passes untouched.
public final class WebSocketSink: ConnectionSink {
  private enum State {
    case clear
    case opening(WebSocketOpening)
    case upgraded(WebSocketConnection)
  }

  private let sink: any ConnectionSink
  private let isAssigned: (ConnectionDescription) -> Bool
  private let unfinished: UnfinishedBytes
  private var states: [ConnectionID: State] = [:]

  /// - Parameters:
  ///   - unfinished: bounds what waits to be complete; `makeRoom` is for others to call.
  ///   - isAssigned: connections that somebody says are WebSocket, upgrade or not.
  public init(
    to sink: any ConnectionSink, unfinished: UnfinishedBytes = UnfinishedBytes(),
    isAssigned: @escaping (ConnectionDescription) -> Bool
  ) {
    self.sink = sink
    self.unfinished = unfinished
    self.isAssigned = isAssigned
  }

  /// What is known of the WebSocket of a connection; `nil` when it has none, or after it has ended.
  public func facts(of connection: ConnectionID) -> WebSocketFacts? {
    guard case .upgraded(let webSocket)? = states[connection] else { return nil }
    return webSocket.facts
  }

  /// The connection has begun, and is no WebSocket: it passes untouched from now on.
  public func isClear(_ connection: ConnectionID) -> Bool {
    if case .clear? = states[connection] { true } else { false }
  }

  /// What is kept of a clear connection may go: nobody will call for it here any more.
  public func forget(_ connection: ConnectionID) {
    if isClear(connection) { states[connection] = nil }
  }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    switch states[connection] {
    case .clear?:
      unsafe sink.receive(event, of: connection, description, bytes: bytes, at: moment)
    case .upgraded(let webSocket)?:
      unsafe webSocket.receive(event, bytes: bytes, at: moment)
    case .opening(let opening)?:
      unsafe opening.keep(event, bytes, moment)
      decide(opening, connection, description, at: moment)
    case nil:
      // What comes before the first byte has nothing to do with it.
      guard event.isContent else {
        unsafe sink.receive(event, of: connection, description, bytes: bytes, at: moment)
        return
      }
      let opening = WebSocketOpening()
      states[connection] = .opening(opening)
      unsafe opening.keep(event, bytes, moment)
      decide(opening, connection, description, at: moment)
    }
    if case .ended = event { states[connection] = nil }
  }

  private func decide(
    _ opening: WebSocketOpening, _ connection: ConnectionID, _ description: ConnectionDescription,
    at moment: Moment
  ) {
    let outlet = ContentOutlet(sink: sink, connection: connection, description: description)
    let verdict = opening.judge()
    var kept = 0
    if case .undecided = verdict { kept = opening.size }
    unfinished.count(
      kept, known: &opening.counted, UnfinishedBytes.Place(connection, .toServer, .opening),
      description, of: self, at: moment)
    switch verdict {
    case .undecided:
      return
    case .upgraded(let request, let answer):
      let webSocket = WebSocketConnection(
        outlet, request: request?.head, answer: answer?.head,
        toServer: UInt64(request?.length ?? 0), toClient: UInt64(answer?.length ?? 0),
        unfinished: unfinished)
      states[connection] = .upgraded(webSocket)
      opening.replay(
        to: webSocket, request: request?.length ?? 0, answer: answer?.length ?? 0)
    case .isSomethingElse:
      if isAssigned(description) {
        let webSocket = WebSocketConnection(
          outlet, request: nil, answer: nil, toServer: 0, toClient: 0, unfinished: unfinished)
        states[connection] = .upgraded(webSocket)
        opening.replay(to: webSocket, request: 0, answer: 0)
      } else {
        states[connection] = .clear
        opening.replay(to: outlet)
      }
    }
  }
}

extension WebSocketSink: UnfinishedHolder {
  /// It is taken for something else: an upgrade is short.
  public func giveUp(_ bytes: UnfinishedBytes.Held) {
    guard case .opening(let opening)? = states[bytes.place.connection] else { return }
    opening.isGivenUp = true
    decide(opening, bytes.place.connection, bytes.description, at: bytes.moment)
  }
}
