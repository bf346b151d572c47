internal import Custody
internal import Simulation
internal import Timeline

/// Does without steps of the workload.
///
/// With a step its messages go, and an anchor such as "the third publish" would then miss; so each
/// removal is tried again with the anchors moved to the times at which they struck.
public struct RemoveSteps: ShrinkPass {
  public static let name = "remove-steps"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    removeFromBack(count: target.scenario.steps.count) { range in
      Self.remove(range, from: &target)
    }
    removePairs(from: &target)
  }

  static func remove(_ range: Range<Int>, from target: inout ShrinkTarget) -> Bool {
    if target.consider({ $0.steps.removeSubrange(range) }) { return true }
    guard let pinned = pinned(&target) else { return false }
    var candidate = pinned
    candidate.steps.removeSubrange(range)
    return target.consider(candidate)
  }

  /// The scenario with times in place of all other anchors; `nil` when there are none.
  static func pinned(_ target: inout ShrinkTarget) -> Scenario? {
    var pinned = target.scenario
    var changed = false
    for index in pinned.faults.indices {
      if case .at = pinned.faults[index].anchor { continue }
      guard let time = target.strikeTime(ofFault: index) else { continue }
      pinned.faults[index].anchor = .at(time)
      changed = true
    }
    return changed ? pinned : nil
  }

  /// Steps that undo each other can only go together: disconnect and connect, sleep and wake.
  private func removePairs(from target: inout ShrinkTarget) {
    guard target.scenario.steps.count <= 40 else { return }
    var first = 0
    while first < target.scenario.steps.count {
      var second = first + 1
      while second < target.scenario.steps.count {
        let steps = target.scenario.steps
        guard steps[first].node == steps[second].node,
          target.consider({
            $0.steps.remove(at: second)
            $0.steps.remove(at: first)
          })
        else {
          second += 1
          continue
        }
        second = first + 1
      }
      first += 1
    }
  }
}
