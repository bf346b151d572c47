internal import Custody
internal import Shrinking
internal import Simulation

/// Shortens what a campaign begins with, as long as it still does all that it did.
///
/// A capture repeats itself: ten publishers come and go where two would do, and every execution
/// that begins with it would pay for all ten. So a campaign begins with a short version beside each
/// scenario that it is given (AFL's trimming of inputs, here by steps of the workload). What a
/// number of times alone shows (a storm, a full queue) stays to be found from the whole one.
enum SeedTrim {
  /// Runs that one scenario may take.
  static let limit = 96

  /// - Returns: a shorter scenario that passes the same states and ends deliveries in the same way;
  ///   `nil` when there is none, or when the scenario itself does not hold.
  static func trim(
    _ scenario: Scenario, judge: BenchJudge, subject: ProtocolUnderTest
  ) -> SeedVariant? {
    let same = SameFeatures(as: scenario, judge: judge)
    guard same.holds else { return nil }
    var target = ShrinkTarget(
      scenario, signature: SameFeatures.shown, subject: subject, judge: same, limit: limit)
    RemoveSteps().run(on: &target)
    DropDevices().run(on: &target)
    guard target.improvements > 0 else { return nil }
    judge.judge(target.scenario)
    return SeedVariant(
      scenario: target.scenario, events: judge.summary.events, executions: target.attempts + 2,
      isShorter: true)
  }
}

/// Finds one thing in a scenario: that it shows everything that another one shows.
private final class SameFeatures: ShrinkJudge {
  static let shown = Signature(oracle: .max, detail: 0, upward: false)

  let judge: BenchJudge
  let holds: Bool
  private let wanted: [UInt16]
  private var counter = NoveltyCounter()
  private let nothing = NoveltyMap()

  init(as scenario: Scenario, judge: BenchJudge) {
    self.judge = judge
    holds = judge.judge(scenario) == .holds
    wanted = counter.progress(of: judge.bench, beyond: nothing)
  }

  func findings(of scenario: Scenario) -> [Signature] {
    guard judge.judge(scenario) == .holds else { return [] }
    let shown = Set(counter.progress(of: judge.bench, beyond: nothing))
    return wanted.allSatisfy(shown.contains) ? [Self.shown] : []
  }

  func trace(of scenario: Scenario) -> [TraceEntry] { judge.trace(of: scenario) }
}
