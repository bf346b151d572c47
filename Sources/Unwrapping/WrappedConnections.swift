public import TLS
public import WebSocket
public import Wire

/// A connection that had something around its protocol.
public struct WrappedConnection: Sendable {
  public var id: ConnectionID
  public var description: ConnectionDescription
  public var tls: TLSFacts?
  public var webSocket: WebSocketFacts?

  /// Why not all of it could be read; `nil` when it could.
  public var secrecy: Secrecy? {
    let all = [tls?.toServer.secrecy, tls?.toClient.secrecy].compactMap { $0 }
    return all.first { $0 != .decrypted }
  }
}

/// What was taken off the connections of a capture; filled in as they end.
public final class WrappedConnections {
  private var byConnection: [ConnectionID: WrappedConnection] = [:]
  weak var tls: TLSDecryptingSink?
  weak var webSocket: WebSocketSink?
  /// What waits to be complete, here and in whatever reads the connections.
  public let unfinished: UnfinishedBytes

  public init(unfinished: UnfinishedBytes = UnfinishedBytes()) { self.unfinished = unfinished }

  /// With the limit that somebody has set.
  public convenience init(_ options: CaptureOptions) {
    self.init(unfinished: UnfinishedBytes(limit: options.unfinishedBytes))
  }

  /// What is known by now; `nil` for a connection that has nothing around its protocol.
  public subscript(connection: ConnectionID) -> WrappedConnection? {
    byConnection[connection]
  }

  /// What is known by now of a connection that may not have ended.
  public func current(
    _ connection: ConnectionID, _ description: ConnectionDescription
  ) -> WrappedConnection? {
    if let known = byConnection[connection] { return known }
    let found = WrappedConnection(
      id: connection, description: description, tls: tls?.facts(of: connection),
      webSocket: webSocket?.facts(of: connection))
    return found.tls != nil || found.webSocket != nil ? found : nil
  }

  /// The connection is inside of a WebSocket, as far as it has been told.
  public func isWebSocket(_ connection: ConnectionID) -> Bool {
    byConnection[connection]?.webSocket != nil || webSocket?.facts(of: connection) != nil
  }

  /// In the order of their numbers.
  public var all: [WrappedConnection] {
    byConnection.values.sorted { $0.id < $1.id }
  }

  /// The connection ends: what is around it is known now.
  func note(_ connection: ConnectionID, _ description: ConnectionDescription) {
    if let found = current(connection, description) { byConnection[connection] = found }
  }
}
