internal import Custody
public import Simulation
internal import Timeline

/// Submits something more, somewhere among what happens.
public struct AddSubmission: Mutator {
  public let name = "add-submission"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard scenario.steps.count < ground.moderation.steps,
      let step = Submitting.step(
        in: scenario, at: ground.instant(using: &random), ground, &random)
    else { return false }
    scenario.insert(step)
    return true
  }
}

/// Submits something after everything else is over: a deaf session or a leaked window shows only
/// when there is something to deliver.
public struct AppendLateSubmission: Mutator {
  public let name = "append-late-submission"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    var time = max(scenario.lastTime, ground.hints.times.last ?? .start)
    time = time + (random.chance(1, in: 2) ? .seconds(5) : ground.length(using: &random))
    guard scenario.steps.count < ground.moderation.steps, time <= ground.moderation.latest,
      let step = Submitting.step(in: scenario, at: time, ground, &random)
    else { return false }
    scenario.insert(step)
    return true
  }
}

enum Submitting {
  /// A submission like those that are there: by a device that submits, to a topic that is published
  /// to, for a filter is not.
  static func step(
    in scenario: Scenario, at time: Instant, _ ground: borrowing MutationGround,
    _ random: inout SeededRandom
  ) -> Step? {
    guard let publication = scenario.freePublication, !scenario.topics.isEmpty else { return nil }
    var example: Step?
    var seen = 0
    for step in scenario.steps {
      guard case .submit = step.action else { continue }
      seen += 1
      // Each with the same probability.
      if random.below(seen) == 0 { example = step }
    }
    if let example, case .submit(var submission) = example.action {
      submission.publication = publication
      if random.chance(1, in: 3) { submission.quality = UInt8(1 + random.below(2)) }
      return Step(time, example.node, .submit(submission))
    }
    guard let node = scenario.randomDevice(&random), let topic = ground.hints.publishableTopic,
      Int(topic) < scenario.topics.count
    else { return nil }
    let submission = Submission(
      publication: publication, topic: topic, quality: UInt8(1 + random.below(2)))
    return Step(time, node, .submit(submission))
  }
}
