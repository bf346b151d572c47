public import Simulation
internal import Timeline

/// Takes a step away.
public struct RemoveStep: Mutator {
  public let name = "remove-step"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard scenario.steps.count > 1 else { return false }
    scenario.steps.remove(at: random.below(scenario.steps.count))
    return true
  }
}

/// Lets a step happen at another time, next to something else.
public struct MoveStep: Mutator {
  public let name = "move-step"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard !scenario.steps.isEmpty else { return false }
    var step = scenario.steps.remove(at: random.below(scenario.steps.count))
    step.time = ground.instant(using: &random)
    scenario.insert(step)
    return true
  }
}

/// Makes the pauses of a scenario longer or shorter: all of them, or one.
public struct StretchTime: Mutator {
  public let name = "stretch-time"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard let last = scenario.steps.last?.time, last > .start else { return false }
    if random.chance(1, in: 2) { return insertPause(&scenario, ground, &random) }
    let factor: UInt64 = 1 << UInt64(1 + random.below(3))
    let stretches = random.chance(1, in: 2)
    if stretches, last.nanoseconds > ground.moderation.latest.nanoseconds / factor { return false }
    for index in scenario.steps.indices {
      let count = scenario.steps[index].time.nanoseconds
      scenario.steps[index].time = Instant(
        nanoseconds: stretches ? count * factor : count / factor)
    }
    for index in scenario.faults.indices {
      guard case .at(let time) = scenario.faults[index].anchor else { continue }
      let count = min(time.nanoseconds, ground.moderation.latest.nanoseconds)
      scenario.faults[index].anchor = .at(
        Instant(nanoseconds: stretches ? count * factor : count / factor))
    }
    return true
  }

  private func insertPause(
    _ scenario: inout Scenario, _ ground: borrowing MutationGround, _ random: inout SeededRandom
  ) -> Bool {
    let from = scenario.steps[random.below(scenario.steps.count)].time
    let pause = ground.length(using: &random)
    guard scenario.lastTime + pause <= ground.moderation.latest else { return false }
    for index in scenario.steps.indices where scenario.steps[index].time >= from {
      scenario.steps[index].time = scenario.steps[index].time + pause
    }
    for index in scenario.faults.indices {
      if case .at(let time) = scenario.faults[index].anchor, time >= from {
        scenario.faults[index].anchor = .at(time + pause)
      }
    }
    return true
  }
}
