internal import Simulation

/// A machine of one side by name: one that is meant to be right, or with one change of policy.
struct Specimen<Policy: Sendable>: Sendable {
  /// Full name, such as `mqtt.broker@forgets-in-flight`.
  var name: String
  /// What it does; for a defect: what is wrong with it.
  var summary: String
  /// Where the defect was seen; empty for a machine that is meant to be right.
  var citation: String
  var policy: Policy
}

extension [ProtocolUnderTest.MachineName] {
  /// What the neutral layers know of two sides' machines.
  init<Client, Server>(clients: [Specimen<Client>], servers: [Specimen<Server>]) {
    self =
      clients.map {
        .init(name: $0.name, side: .client, summary: $0.summary, citation: $0.citation)
      }
      + servers.map {
        .init(name: $0.name, side: .server, summary: $0.summary, citation: $0.citation)
      }
  }
}
