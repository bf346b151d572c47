public import Custody
public import Simulation
internal import Timeline

/// Makes a failing scenario as small as it can be, and shows that it is.
public struct Shrinker: Sendable {
  /// Runs for shrinking and verifying; explanations come on top.
  public var limit = 20_000
  public var passes: [any ShrinkPass] = ShrinkPassCatalog.all

  public init() {}

  /// - Parameters:
  ///   - scenario: one that `judge` finds to fail with `signature`; returned unchanged otherwise.
  ///   - subject: the protocol, for its words.
  public func shrink(
    _ scenario: Scenario, signature: Signature, subject: ProtocolUnderTest,
    judge: any ShrinkJudge, explaining: Bool = true
  ) -> Shrunk? {
    var start = scenario
    // They speak of numbers that change.
    start.expectations = []
    guard judge.findings(of: start).contains(signature) else { return nil }
    var target = ShrinkTarget(
      start, signature: signature, subject: subject, judge: judge, limit: limit)
    var statistics = passes.map { ShrinkPassStatistics(name: type(of: $0).name) }
    var rounds = 0
    var minimality: Minimality?
    while minimality == nil {
      rounds += runToFixpoint(&target, &statistics)
      minimality = Minimality.verify(&target)
    }
    let attempts = target.attempts
    let explanations = explaining ? Explanation.explain(&target) : []
    return Shrunk(
      scenario: target.scenario, signature: signature, attempts: attempts, rounds: rounds,
      passes: statistics, minimality: minimality ?? Minimality(), explanations: explanations)
  }

  private func runToFixpoint(
    _ target: inout ShrinkTarget, _ statistics: inout [ShrinkPassStatistics]
  ) -> Int {
    // Every round makes the scenario smaller in a well-founded order, so this ends; the cap is for
    // the day on which that is no longer true.
    for round in 1...100 {
      let before = target.improvements
      for (index, pass) in passes.enumerated() {
        let attempts = target.attempts
        let improvements = target.improvements
        pass.run(on: &target)
        statistics[index].attempts += target.attempts - attempts
        statistics[index].improvements += target.improvements - improvements
      }
      if target.improvements == before || target.isExhausted { return round }
    }
    return 100
  }
}

/// What one pass has tried, and what came of it.
public struct ShrinkPassStatistics: Hashable, Sendable {
  public var name: String
  public var attempts = 0
  public var improvements = 0
}

/// A scenario that has been made small.
public struct Shrunk: Sendable {
  /// Without expectations: whoever writes it down adds what its run shows.
  public var scenario: Scenario
  public var signature: Signature
  /// Runs that it took, the verification included.
  public var attempts: Int
  public var rounds: Int
  public var passes: [ShrinkPassStatistics]
  public var minimality: Minimality
  public var explanations: [Explanation]
}
