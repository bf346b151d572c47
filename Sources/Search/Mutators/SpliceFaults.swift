internal import Custody
public import Simulation

/// Takes faults over from another scenario of the corpus.
public struct SpliceFaults: Mutator {
  public let name = "splice-faults"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    let room = ground.moderation.faults - scenario.faults.count
    guard room > 0, !ground.partner.isEmpty else { return false }
    let first = random.below(ground.partner.count)
    let count = min(room, 1 + random.below(ground.partner.count - first))
    var changed = false
    for fault in ground.partner[first..<(first + count)] {
      // Of another scenario with other devices, perhaps.
      guard Int(fault.node.index) <= scenario.devices.count, ground.allows(fault.kind),
        !scenario.faults.contains(fault)
      else { continue }
      scenario.faults.append(fault)
      changed = true
    }
    return changed
  }
}
