@testable import PushProtocols
import Custody
import Oracles
import Simulation
import Testing
import Timeline

/// Machines, kernel, witness and oracles together.
@Suite struct APNsProviderRunTests {
  private func findings(_ bench: any Bench, _ scenario: Scenario) -> [String] {
    _ = bench.run(scenario, options: RunOptions())
    var violations: [Violation] = []
    OracleCatalog.judge(bench.ledger, into: &violations)
    return violations.map { OracleCatalog.name(of: $0.signature) }
  }

  private func good() throws -> any Bench {
    let subject = ProtocolCatalog.apnsProvider
    return try #require(subject.makeBench(subject.standardClient, subject.standardServer))
  }

  @Test(arguments: APNsProviderStandardScenarios.all)
  func `a standard scenario holds without faults`(scenario: Scenario) throws {
    let bench = try good()
    #expect(scenario.flaw == nil)
    #expect(findings(bench, scenario) == [])
    #expect(bench.ledger.calmReached)
    for row in bench.ledger.deliveries {
      #expect(
        row.facts.isSuperset(of: [.accepted, .settled, .countedDone])
          || !row.facts.isDisjoint(with: .excused), "\(row)")
    }
  }

  @Test func `the same scenario leaves the same trace`() throws {
    for scenario in APNsProviderStandardScenarios.all {
      let (first, second) = (try good(), try good())
      let summary = first.run(scenario, options: RunOptions())
      _ = second.run(APNsProviderStandardScenarios.all[1], options: RunOptions())
      #expect(summary == second.run(scenario, options: RunOptions()))
    }
  }

  @Test func `the good machines hold under random faults`() throws {
    let bench = try good()
    var random = SeededRandom(seed: 2026)
    for round in 0..<440 {
      let seeds = APNsProviderStandardScenarios.all
      var scenario = seeds[round % seeds.count]
      for _ in 0...random.below(4) {
        scenario.faults.append(.random(in: scenario, using: &random))
      }
      let found = findings(bench, scenario)
      #expect(found == [], "\(scenario.source): \(scenario.faults)")
    }
  }

  @Test func `every specimen cites where it was seen`() {
    let names = ProtocolCatalog.apnsProvider.machines.filter { !$0.name.hasSuffix("@good") }
    #expect(names.count == 20)
    for specimen in names { #expect(!specimen.citation.isEmpty) }
  }

  @Test func `messages and states have names`() {
    let model = APNsProviderModel.self
    #expect(model.messageKinds.count == APNsProviderMessage.Kind.allCases.count + 1)
    #expect(MemoryLayout<APNsProviderMessage>.stride <= 24)
    for side in Side.allCases {
      let names = model.states(of: side).map { model.stateName($0, of: side) }
      #expect(Set(names).count == names.count && !names.contains { $0.contains("?") })
    }
  }
}
