public import Simulation
internal import Timeline

/// Changes what is submitted: quality of service, expiry, topic.
public struct ChangeSubmission: Mutator {
  public let name = "change-submission"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard !scenario.steps.isEmpty else { return false }
    let start = random.below(scenario.steps.count)
    for offset in scenario.steps.indices {
      let index = (start + offset) % scenario.steps.count
      guard case .submit(var submission) = scenario.steps[index].action else { continue }
      let old = submission
      switch random.below(5) {
      case 0..<2: submission.quality = UInt8(random.below(3))
      case 2: submission.expiry = random.chance(1, in: 3) ? .forever : expiry(ground, &random)
      case 3: submission.retain.toggle()
      default:
        guard !ground.hints.publishedTopics.isEmpty else { return false }
        let topics = ground.hints.publishedTopics
        submission.topic = topics[random.below(topics.count)]
      }
      guard Int(submission.topic) < scenario.topics.count else { return false }
      scenario.steps[index].action = .submit(submission)
      return submission != old
    }
    return false
  }

  /// Whole seconds, at least one: no protocol counts finer.
  private func expiry(
    _ ground: borrowing MutationGround, _ random: inout SeededRandom
  ) -> Nanoseconds {
    let length = ground.length(using: &random)
    return .seconds(max(1, length.count / 1_000_000_000))
  }
}
