public import Simulation
internal import Timeline

/// Makes a fault longer or shorter, or another one of its kind.
public struct ChangeMagnitude: Mutator {
  public let name = "change-magnitude"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard !scenario.faults.isEmpty else { return false }
    let index = random.below(scenario.faults.count)
    let old = scenario.faults[index].kind
    var kind = old
    if kind.by != nil, kind.length == nil || random.chance(1, in: 2) {
      kind.by = changed(kind.by ?? .zero, ground, &random)
      // A server that takes an hour for each message is not slow but gone.
      if case .slow = kind { kind.by = min(kind.by ?? .zero, .minutes(5)) }
    } else if kind.length != nil {
      kind.length = changed(kind.length ?? .zero, ground, &random)
    } else {
      kind = variant(of: kind, &random)
    }
    scenario.faults[index].kind = kind
    return kind != old
  }

  private func changed(
    _ length: Nanoseconds, _ ground: borrowing MutationGround, _ random: inout SeededRandom
  ) -> Nanoseconds {
    switch random.below(4) {
    case 0: min(length * 2, ground.moderation.longest)
    case 1: length / 2
    default: ground.length(using: &random)
    }
  }

  private func variant(of kind: FaultKind, _ random: inout SeededRandom) -> FaultKind {
    switch kind {
    case .cut: .halfOpen
    case .halfOpen: .forgetMapping(reset: random.chance(1, in: 2))
    case .reset:
      switch random.below(3) {
      case 0: .reset(client: true, server: true)
      case 1: .reset(client: true, server: false)
      default: .reset(client: false, server: true)
      }
    case .forgetMapping(let reset): .forgetMapping(reset: !reset)
    case .changeNetwork: .halfOpen
    case .delay, .pause, .slow, .clockJump, .lose, .refuse, .restartServer, .killClient,
      .resubmit, .expireCredential, .slowRefresh, .refuseRefresh, .staleRefresh, .loseRefresh,
      .throttleRefresh:
      kind
    }
  }
}
