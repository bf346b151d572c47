internal import Custody
internal import Simulation

/// What a campaign begins with beside a scenario that it is given.
struct SeedVariant: Sendable {
  var scenario: Scenario
  /// Of its run.
  var events: UInt32
  /// What it took to find it.
  var executions: Int
  /// It does what the given one does, in less.
  var isShorter: Bool

  /// The same without last farewells: a capture ends with its programs, but the connections of the
  /// push services that it stands for stay open for days, and what goes wrong with them goes wrong
  /// when nobody is about to leave.
  ///
  /// - Returns: `nil` when nobody leaves at the end, or when that does not hold.
  static func staying(_ scenario: Scenario, judge: BenchJudge) -> SeedVariant? {
    var variant = scenario
    for device in scenario.devices.indices {
      let node = NodeID(device: device)
      guard let last = variant.steps.lastIndex(where: { $0.node == node }),
        variant.steps[last].action == .disconnect
      else { continue }
      variant.steps.remove(at: last)
    }
    guard variant.steps.count < scenario.steps.count, judge.judge(variant) == .holds else {
      return nil
    }
    return SeedVariant(
      scenario: variant, events: judge.summary.events, executions: 1, isShorter: false)
  }
}
