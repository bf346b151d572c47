public import Simulation

/// Takes a fault away, so that a corpus does not only grow.
public struct RemoveFault: Mutator {
  public let name = "remove-fault"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard !scenario.faults.isEmpty else { return false }
    scenario.faults.remove(at: random.below(scenario.faults.count))
    return true
  }
}
