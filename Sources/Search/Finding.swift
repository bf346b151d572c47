public import Custody
internal import Oracles
public import Simulation

/// Something that is wrong, with the scenario that shows it.
public struct Finding: Sendable {
  public var violation: Violation
  /// With the expectation that its run fulfils.
  public var scenario: Scenario
  /// Of the run, to check that it is the same elsewhere.
  public var traceHash: UInt64
  public var epoch: Int
  /// Executions of the campaign before it.
  public var execution: UInt64
  /// What wrote the scenario, in order; empty for one that was given.
  public var mutators: [String]
  /// Two runs of the scenario were the same. If not, the bench itself is broken.
  public var isRepeatable = true

  public var signature: Signature { violation.signature }
  public var oracle: String { OracleCatalog.name(of: signature) }
  public var name: String { signature.name }
}

extension Expectation {
  /// What a scenario file has to expect so that a run shows this violation.
  public init(_ violation: Violation) {
    self.init(
      oracle: OracleCatalog.name(of: violation.signature), publication: violation.publication,
      node: violation.device)
  }

  /// Whether a run with these violations is as expected.
  public func isMet(by violations: [Violation]) -> Bool {
    violations.contains { Expectation($0) == self }
  }
}
