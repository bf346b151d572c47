public import Simulation

/// Two machines that are put to the same test as others.
public struct Contestant: Hashable, Sendable {
  /// Full names, such as `mqtt.client@good`.
  public var client: String
  public var server: String

  public init(client: String, server: String) {
    self.client = client
    self.server = server
  }

  /// Every client with every server, clients first; where none are named, the protocol's standard.
  public static func pairs(
    clients: [String], servers: [String], subject: ProtocolUnderTest
  ) -> [Contestant] {
    let servers = servers.isEmpty ? [subject.standardServer] : servers
    return (clients.isEmpty ? [subject.standardClient] : clients).flatMap { client in
      servers.map { Contestant(client: client, server: $0) }
    }
  }

  /// What tells them apart, in a few letters: `good` and `no-ping-timeout`, when all are policies
  /// of one client; numbered where names alone don't.
  public static func labels(of contestants: [Contestant]) -> [String] {
    let clients = shortened(contestants.map(\.client))
    let servers = shortened(contestants.map(\.server))
    let clientsVary = Set(contestants.map(\.client)).count > 1
    let serversVary = Set(contestants.map(\.server)).count > 1
    let labels = contestants.indices.map { index in
      if clientsVary, serversVary { return "\(clients[index]) + \(servers[index])" }
      return serversVary ? servers[index] : clients[index]
    }
    return labels.indices.map { index in
      guard labels.count(where: { $0 == labels[index] }) > 1 else { return labels[index] }
      return "\(labels[index]) (\(labels[...index].count { $0 == labels[index] }))"
    }
  }

  /// Without what stands before `@`, when that is the same for all.
  private static func shortened(_ names: [String]) -> [String] {
    let parts = names.map { $0.split(separator: "@", maxSplits: 1).map(String.init) }
    guard parts.allSatisfy({ $0.count == 2 }), Set(parts.map { $0[0] }).count == 1 else {
      return names
    }
    return parts.map { $0[1] }
  }
}
