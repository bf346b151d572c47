internal import Simulation

/// Does without faults.
public struct RemoveFaults: ShrinkPass {
  public static let name = "remove-faults"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    removeFromBack(count: target.scenario.faults.count) { range in
      target.consider { $0.faults.removeSubrange(range) }
    }
  }
}
