import Custody

/// What stood around the sessions of a capture, for people.
enum InspectionConnectionsText {
  /// Kinds of TLS that are named; servers and client randoms likewise.
  private static let limit = 3

  /// Which sessions were decrypted: one line for each kind.
  static func decrypted(_ inspection: InspectionRecord) -> [String] {
    var kinds: [(name: String, sessions: Int)] = []
    for session in inspection.observation.sessions {
      guard let tls = session.tls, tls.isReadable else { continue }
      var name = [tls.version, tls.suite].compactMap { $0 }.joined(separator: ", ")
      if let server = tls.serverName { name += ", server name \(server)" }
      if let chosen = tls.chosenProtocol { name += ", ALPN \(chosen)" }
      if let index = kinds.firstIndex(where: { $0.name == name }) {
        kinds[index].sessions += 1
      } else {
        kinds.append((name, 1))
      }
    }
    var lines = kinds.prefix(limit).map {
      " \(TerminalNumber.counted($0.sessions, "session")) decrypted: \($0.name)"
    }
    if kinds.count > limit { lines.append(" … and \(kinds.count - limit) other kinds of TLS") }
    return lines
  }

  /// What stayed closed and why: one note for each reason.
  static func unread(_ connections: [ConnectionRecord]) -> [String] {
    var obstacles: [String] = []
    for connection in connections where !connection.obstacle.isEmpty {
      if !obstacles.contains(connection.obstacle) { obstacles.append(connection.obstacle) }
    }
    return obstacles.map { obstacle in
      let all = connections.filter { $0.obstacle == obstacle }
      let servers = distinct(all.map(server))
      let problems = distinct(all.map(\.problem)).replacing(
        ", no secrets for client random", with: ",")
      return "\(TerminalNumber.counted(all.count, "connection")) to \(servers) "
        + "\(all.count == 1 ? "stays" : "stay") encrypted: \(problems). \(all[0].hint)"
    }
  }

  /// With what the client said in the clear: whom it looked for, and to speak what.
  private static func server(_ connection: ConnectionRecord) -> String {
    var said: [String] = []
    if let name = connection.tls?.serverName { said.append(name) }
    let protocols = connection.tls?.chosenProtocol.map { [$0] } ?? connection.tls?.offeredProtocols
    if let protocols, !protocols.isEmpty {
      said.append("ALPN \(protocols.joined(separator: " or "))")
    }
    return connection.server + (said.isEmpty ? "" : " (\(said.joined(separator: ", ")))")
  }

  private static func distinct(_ texts: [String]) -> String {
    var found: [String] = []
    for text in texts where !found.contains(text) {
      if found.count == limit { return found.joined(separator: ", ") + " …" }
      found.append(text)
    }
    return found.joined(separator: ", ")
  }
}
