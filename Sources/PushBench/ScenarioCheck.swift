public import PushProtocols

/// A scenario, run and judged: what a generated test looks at.
public struct ScenarioCheck: Sendable {
  public var scenario: Scenario
  public var summary: RunSummary
  public var verdict: Verdict
  public var violations: [Violation]
  /// A sentence for each violation.
  public var stories: [String]

  /// Runs a scenario file's text.
  ///
  /// - Parameters:
  ///   - text: as `ScenarioScript` reads it.
  ///   - client: another client machine than the one in the text.
  ///   - server: another server machine than the one in the text.
  ///   - file: its name, for error messages.
  ///   - catalog: the protocols it may name; add your own machines' here.
  public init(
    of text: String, client: String? = nil, server: String? = nil, file: String = "scenario",
    catalog: [ProtocolUnderTest] = ProtocolCatalog.all
  ) throws(ScenarioError) {
    var scenario = try ScenarioScript.read(text, file: file, catalog: catalog)
    if let client { scenario.client = client }
    if let server { scenario.server = server }
    guard let subject = catalog.first(where: { $0.name == scenario.model }),
      let run = ScenarioCheck(scenario, subject: subject)
    else {
      throw ScenarioError(
        file: file, line: 0, column: 0,
        problem: "no machines \"\(scenario.client)\" and \"\(scenario.server)\"",
        advice: "`pushbench machines` lists those that there are.", text: "")
    }
    self = run
  }

  /// `nil` when the protocol has no machines of the scenario's names.
  public init?(_ scenario: Scenario, subject: ProtocolUnderTest) {
    guard let judge = BenchJudge(for: scenario, subject: subject) else { return nil }
    judge.judge(scenario)
    self.scenario = scenario
    summary = judge.summary
    verdict = judge.verdict
    violations = judge.violations
    let ledger = judge.bench.ledger
    stories = judge.violations.map {
      FindingStory.sentence($0, in: ledger, scenario: scenario, subject: subject)
    }
  }

  /// Every expectation is met; without expectations, nothing is wrong.
  public var isAsExpected: Bool {
    scenario.expectations.isEmpty
      ? verdict == .holds : scenario.expectations.allSatisfy { $0.isMet(by: violations) }
  }

  public var traceHash: String {
    let digits = String(summary.traceHash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension ScenarioCheck: CustomStringConvertible {
  public var description: String {
    let found = stories.isEmpty ? "nothing is wrong" : stories.joined(separator: " ")
    return verdict == .inconclusive && stories.isEmpty ? "inconclusive" : found
  }
}
