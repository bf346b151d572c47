internal import Custody
public import Simulation

/// Lets the same happen again somewhere else: leaks show at the second time.
public struct DuplicateFault: Mutator {
  public let name = "duplicate-fault"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard !scenario.faults.isEmpty, scenario.faults.count < ground.moderation.faults,
      let device = scenario.randomDevice(&random)
    else { return false }
    var fault = scenario.faults[random.below(scenario.faults.count)]
    let own = fault.node.isServer ? device : fault.node
    fault.anchor = ground.anchor(of: own, using: &random)
    scenario.faults.append(fault)
    return true
  }
}
