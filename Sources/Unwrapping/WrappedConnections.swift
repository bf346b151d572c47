public import TLS
public import Wire

/// A connection that had something around its protocol.
public struct WrappedConnection: Sendable {
  public var id: ConnectionID
  public var description: ConnectionDescription
  public var tls: TLSFacts?

  /// Why not all of it could be read; `nil` when it could.
  public var secrecy: Secrecy? {
    let all = [tls?.toServer.secrecy, tls?.toClient.secrecy].compactMap { $0 }
    return all.first { $0 != .decrypted }
  }
}

/// What was taken off the connections of a capture; filled in as they end.
public final class WrappedConnections {
  private var byConnection: [ConnectionID: WrappedConnection] = [:]

  public init() {}

  public subscript(connection: ConnectionID) -> WrappedConnection? { byConnection[connection] }

  /// In the order of their numbers.
  public var all: [WrappedConnection] {
    byConnection.values.sorted { $0.id < $1.id }
  }

  func note(_ connection: WrappedConnection) { byConnection[connection.id] = connection }
}
