internal import Custody
public import Simulation
internal import Timeline

/// Lets a device do something and, mostly, undo it later: disconnect and connect, sleep and wake,
/// kill and launch; or one of them alone.
public struct AddInterruption: Mutator {
  public let name = "add-interruption"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard scenario.steps.count + 2 <= ground.moderation.steps,
      let node = scenario.randomDevice(&random)
    else { return false }
    let first: Action
    let second: Action
    switch random.below(4) {
    case 0..<2: (first, second) = (.disconnect, .connect)
    case 2: (first, second) = (.sleep, .wake)
    default: (first, second) = (.kill(host: random.chance(1, in: 3)), .launch)
    }
    let time = ground.instant(using: &random)
    let later = min(time + ground.length(using: &random), ground.moderation.latest)
    scenario.insert(Step(time, node, first))
    // Alone only where the calm brings the device back anyway.
    if random.chance(7, in: 8) { scenario.insert(Step(later, node, second)) }
    return true
  }
}
