internal import Custody
internal import Simulation
internal import Timeline

/// Puts one fault in place of two steps that undo each other: disconnect and connect, sleep and
/// wake, kill and launch.
public struct FaultsForInterruptions: ShrinkPass {
  public static let name = "faults-for-interruptions"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    var first = 0
    while first < target.scenario.steps.count {
      let steps = target.scenario.steps
      let end = Self.end(of: steps[first].action)
      let second = steps.indices.dropFirst(first + 1).first { index in
        steps[index].node == steps[first].node && steps[index].action == end
      }
      if let second, replace(first, second, &target) { continue }
      first += 1
    }
  }

  private static func end(of action: Action) -> Action? {
    switch action {
    case .disconnect: .connect
    case .sleep: .wake
    case .kill: .launch
    case .connect, .subscribe, .unsubscribe, .submit, .wake, .launch: nil
    }
  }

  private func replace(_ first: Int, _ second: Int, _ target: inout ShrinkTarget) -> Bool {
    let steps = target.scenario.steps
    let length = steps[second].time - steps[first].time
    let kinds: [FaultKind] = [
      .reset(client: true, server: true), .pause(.client, for: length), .cut,
      .lose(.both, for: length), .halfOpen, .changeNetwork,
      .killClient(downFor: length, host: false),
      .killClient(downFor: length, host: true),
    ]
    for kind in kinds {
      let fault = Fault(kind, node: steps[first].node, .at(steps[first].time))
      let replaced = target.consider { scenario in
        scenario.steps.remove(at: second)
        scenario.steps.remove(at: first)
        scenario.faults.append(fault)
      }
      if replaced { return true }
    }
    return false
  }
}
