import Custody
import Search
import Simulation
import Testing
import ToyBench

@Suite struct BenchJudgeTests {
  @Test func `a bench exists for known machines only`() {
    let known = Scenario(model: "toy", client: "toy.client@good", server: "toy.server@bad")
    #expect(BenchJudge(for: known, subject: .toy()) != nil)
    let judge = BenchJudge(ToyBench(rule: { $1.plantGhost(1, for: NodeID(device: 0)) }))
    #expect(judge.judge(known) == .violated)
    #expect(judge.violations.count == 1)
  }
}
