internal import Custody
internal import Oracles
internal import Shrinking
public import Simulation

/// A scenario that shows the difference of a row, with everything left out that it does not take.
public struct ShownDifference: Sendable {
  /// Where it was seen.
  public var unit: Comparison.Unit
  /// With the machines of each contestant, in their order.
  public var scenarios: [Scenario]
  /// What the runs measured, in the same order.
  public var tallies: [Tally]
}

extension Comparison {
  /// Runs that making one scenario smaller may take.
  static let shrinkLimit = 120
  /// Of the difference between the machines, in hundredths: so much has to stay.
  static let keptShare = 90.0

  /// The scenario in which machines differ most by the row's measure, made smaller by whole steps,
  /// faults and devices; `nil` when they don't differ.
  public func shownDifference(of row: ComparisonRow) -> ShownDifference? {
    guard let showcase = row.showcase,
      let judge = DifferenceJudge(self, row.measure, wanted: showcase.difference),
      let writer = PairedScenarios(given, day: settings.day, subject: subject)
    else { return nil }
    var target = ShrinkTarget(
      writer.scenario(of: showcase.unit), signature: DifferenceJudge.shown, subject: subject,
      judge: judge, limit: Self.shrinkLimit)
    for pass: any ShrinkPass in [RemoveFaults(), DropDevices(), RemoveSteps()] {
      pass.run(on: &target)
    }
    let scenario = target.scenario
    return ShownDifference(
      unit: showcase.unit, scenarios: results.map { scenario.with($0.contestant) },
      tallies: judge.tallies(of: scenario))
  }
}

/// Finds one thing in a scenario: that machines differ by a measure nearly as much as they did.
private final class DifferenceJudge: ShrinkJudge {
  static let shown = Signature(oracle: .max, detail: 1, upward: false)

  private let contestants: [Contestant]
  private let benches: [any Bench]
  private let measure: Measure
  private let wanted: Double
  private let radio: RadioModel

  init?(_ comparison: Comparison, _ measure: Measure, wanted: Double) {
    contestants = comparison.results.map(\.contestant)
    benches = contestants.compactMap {
      comparison.subject.makeBench($0.client, $0.server)
    }
    guard benches.count == contestants.count else { return nil }
    self.measure = measure
    self.wanted = wanted * Comparison.keptShare / 100
    radio = comparison.settings.radio
  }

  func tallies(of scenario: Scenario) -> [Tally] {
    var options = RunOptions()
    options.eventLimit = Comparison.eventLimit
    return zip(contestants, benches).map { contestant, bench in
      RunMeter.measure(scenario.with(contestant), on: bench, options: options, radio: radio)
    }
  }

  func findings(of scenario: Scenario) -> [Signature] {
    let weights = tallies(of: scenario).map(measure.weight)
    let difference = (weights.max() ?? 0) - (weights.min() ?? 0)
    return difference >= wanted ? [Self.shown] : []
  }

  func trace(of scenario: Scenario) -> [TraceEntry] { [] }
}
