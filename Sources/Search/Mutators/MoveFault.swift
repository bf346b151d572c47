internal import Custody
public import Simulation
internal import Timeline

/// Lets a fault strike elsewhere: at another message or state, a little earlier or later, or on
/// another device.
public struct MoveFault: Mutator {
  public let name = "move-fault"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard !scenario.faults.isEmpty else { return false }
    let index = random.below(scenario.faults.count)
    let old = scenario.faults[index]
    switch random.below(4) {
    case 0:
      guard !old.kind.isServers, let node = scenario.randomDevice(&random) else { return false }
      scenario.faults[index].node = node
    case 1: scenario.faults[index].anchor = nudged(old.anchor, ground, &random)
    default:
      let device = old.node.isServer ? scenario.randomDevice(&random) ?? old.node : old.node
      scenario.faults[index].anchor = ground.anchor(of: device, using: &random)
    }
    return scenario.faults[index] != old
  }

  private func nudged(
    _ anchor: Anchor, _ ground: borrowing MutationGround, _ random: inout SeededRandom
  ) -> Anchor {
    let later = random.chance(1, in: 2)
    switch anchor {
    case .at(let time):
      let distance = ground.length(using: &random)
      return .at(later ? min(time + distance, ground.moderation.latest) : time - distance)
    case .message(let sender, let kind, let ordinal):
      return .message(
        sender: sender, kind: kind, ordinal: later ? min(ordinal, 999) + 1 : max(2, ordinal) - 1)
    case .state(let side, let state, let ordinal):
      return .state(
        side: side, state: state, ordinal: later ? min(ordinal, 999) + 1 : max(2, ordinal) - 1)
    }
  }
}
