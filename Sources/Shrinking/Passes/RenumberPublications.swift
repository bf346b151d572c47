internal import Simulation

/// Numbers submissions 1, 2, 3… in their order.
public struct RenumberPublications: ShrinkPass {
  public static let name = "renumber-publications"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    _ = target.consider { scenario in
      var next: UInt16 = 1
      for index in scenario.steps.indices {
        guard case .submit(var submission) = scenario.steps[index].action else { continue }
        submission.publication = next
        scenario.steps[index].action = .submit(submission)
        next += 1
      }
    }
  }
}
