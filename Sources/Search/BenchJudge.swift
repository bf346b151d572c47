public import Custody
internal import Oracles
public import Shrinking
public import Simulation

/// Runs scenarios on a bench and lets every oracle judge: what shrinking, checking and reporting
/// share.
public final class BenchJudge: ShrinkJudge {
  public let bench: any Bench
  public var options = RunOptions()
  public private(set) var summary = RunSummary()
  public private(set) var violations: [Violation] = []
  public private(set) var verdict = Verdict.inconclusive

  public init(_ bench: any Bench) { self.bench = bench }

  /// The bench for the machines that a scenario names; `nil` when the protocol has none such.
  public convenience init?(for scenario: Scenario, subject: ProtocolUnderTest) {
    guard let bench = subject.makeBench(scenario.client, scenario.server) else { return nil }
    self.init(bench)
  }

  /// Results stay in `summary`, `violations`, `verdict` and the bench until the next run.
  @discardableResult
  public func judge(_ scenario: Scenario, tracing: Bool = false) -> Verdict {
    options.tracing = tracing
    summary = bench.run(scenario, options: options)
    verdict = OracleCatalog.judge(bench.ledger, into: &violations)
    return verdict
  }

  public func findings(of scenario: Scenario) -> [Signature] {
    judge(scenario)
    return violations.map(\.signature)
  }

  public func trace(of scenario: Scenario) -> [TraceEntry] {
    judge(scenario, tracing: true)
    return bench.trace
  }
}
