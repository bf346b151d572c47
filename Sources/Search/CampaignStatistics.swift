public import Simulation

/// What a campaign did and what it earned.
public struct CampaignStatistics: Sendable {
  public struct Contribution: Hashable, Sendable {
    public var name: String
    /// Scenarios that it changed.
    public var tried: UInt64 = 0
    /// Scenarios with something new that it had a part in.
    public var novel: UInt64 = 0
    public var findings: UInt64 = 0
  }

  public var epochs = 0
  public var executions: UInt64 = 0
  /// Simulated events.
  public var events: UInt64 = 0
  public var inconclusive: UInt64 = 0
  /// Features of runs seen so far.
  public var features = 0
  public var corpus = 0
  public var findings = 0
  public var mutators: [Contribution] =
    MutatorCatalog.names.map { Contribution(name: $0) }
  /// Which kinds of fault met which states of the client and of the server.
  public var encounters = FaultEncounters()

  public init() {}

  /// On average, rounded down.
  public var eventsPerRun: UInt64 { executions == 0 ? 0 : events / executions }
}

/// Guards against vacuity: what never met cannot have been tested.
public struct FaultEncounters: Sendable {
  /// States met, by number of the fault kind. Sorted.
  public private(set) var clientStates: [[UInt16]]
  public private(set) var serverStates: [[UInt16]]

  public init() {
    clientStates = Array(repeating: [], count: FaultKind.allNames.count)
    serverStates = clientStates
  }

  mutating func note(_ encounter: FaultEncounter) {
    Self.insert(encounter.clientState, into: &clientStates[Int(encounter.fault)])
    Self.insert(encounter.serverState, into: &serverStates[Int(encounter.fault)])
  }

  private static func insert(_ state: UInt16, into states: inout [UInt16]) {
    var index = 0
    while index < states.count, states[index] < state { index += 1 }
    if index == states.count || states[index] != state { states.insert(state, at: index) }
  }

  /// Kinds of fault that met nothing at all.
  public var kindsNeverMet: [String] {
    FaultKind.allNames.indices.filter { clientStates[$0].isEmpty }.map { FaultKind.allNames[$0] }
  }

  /// For each kind that met something, the states of this side that it never met.
  public func missing(
    _ side: Side, among states: [UInt16]
  ) -> [(fault: String, states: [UInt16])] {
    let met = side == .client ? clientStates : serverStates
    return met.indices.filter { !met[$0].isEmpty }.map { index in
      (FaultKind.allNames[index], states.filter { !met[index].contains($0) })
    }
  }
}
