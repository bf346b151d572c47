import Custody
import Search
import Simulation
import Testing
import Timeline
import ToyBench

@Suite struct CampaignTests {
  static let gk = NodeID(device: 0)

  /// Needs a loss of more than half a minute, and a submission of quality 2 after it.
  static let planted: ToyRule = { scenario, ledger in
    for fault in scenario.faults {
      guard case .lose(_, let length) = fault.kind, length > .seconds(30),
        case .at(let time) = fault.anchor
      else { continue }
      for step in scenario.steps where step.time > time {
        if case .submit(let submission) = step.action, submission.quality == 2 {
          ledger.plantGhost(submission.publication, for: gk)
          return
        }
      }
    }
  }

  func campaign(
    seed: UInt64 = 1, workers: Int = 1, executions: UInt64 = 20_000,
    rule: @escaping ToyRule = planted
  ) -> Campaign {
    var settings = Campaign.Settings()
    settings.seed = seed
    settings.workers = workers
    settings.executions = executions
    return Campaign([MutatorTests.base()], subject: .toy(rule), settings: settings)
  }

  @Test(arguments: UInt64(1)...5)
  func `a planted defect is found with every seed`(seed: UInt64) async throws {
    var campaign = campaign(seed: seed)
    await campaign.run { $0.findings.isEmpty }
    let finding = try #require(campaign.findings.first)
    #expect(finding.name == "ghost-qos1-after-sent")
    #expect(finding.isRepeatable)
    #expect(!finding.mutators.isEmpty)
    #expect(finding.scenario.expectations == [Expectation(finding.violation)])
    let judge = BenchJudge(ToyBench(rule: Self.planted))
    judge.judge(finding.scenario)
    #expect(finding.scenario.expectations.allSatisfy { $0.isMet(by: judge.violations) })
  }

  @Test func `a good machine has no findings`() async {
    var campaign = campaign(rule: { _, _ in })
    await campaign.run { _ in true }
    #expect(campaign.findings.isEmpty)
    #expect(campaign.statistics.executions == 20_000)
    #expect(campaign.statistics.corpus > 20)
  }

  @Test func `workers change nothing but the time`() async {
    var reports: [[Scenario]] = []
    var findings: [[Finding]] = []
    for workers in [1, 2, 3] {
      var campaign = campaign(workers: workers, executions: 6000)
      await campaign.run { _ in true }
      reports.append(campaign.corpus.entries.map(\.scenario))
      findings.append(campaign.findings)
    }
    #expect(reports[0].count > 10)
    #expect(reports[0] == reports[1] && reports[0] == reports[2])
    #expect(findings[0].map(\.scenario) == findings[1].map(\.scenario))
    #expect(findings[0].map(\.execution) == findings[2].map(\.execution))
  }

  @Test func `seeds differ`() async {
    var first = campaign(seed: 1, executions: 2000)
    var second = campaign(seed: 2, executions: 2000)
    await first.run { _ in true }
    await second.run { _ in true }
    #expect(first.corpus.entries.map(\.scenario) != second.corpus.entries.map(\.scenario))
  }

  @Test(arguments: [UInt64(1), 7, 255, 1000, 4321])
  func `the budget is kept to the execution`(executions: UInt64) async {
    var campaign = campaign(executions: executions)
    await campaign.run { _ in true }
    #expect(campaign.statistics.executions == executions)
  }

  @Test func `what is wrong from the beginning is found first`() async {
    var campaign = campaign(rule: { $1.plantGhost(1, for: Self.gk) })
    await campaign.run { $0.findings.isEmpty }
    #expect(campaign.findings.map(\.epoch) == [0])
    #expect(campaign.findings[0].mutators.isEmpty)
  }

  @Test func `a stopped campaign goes on with its corpus`() async {
    var first = campaign(executions: 3000)
    await first.run { _ in true }
    var settings = Campaign.Settings()
    settings.firstEpoch = first.epoch
    settings.executions = 3000
    var second = Campaign(
      first.corpus.entries.map(\.scenario), subject: .toy(Self.planted), settings: settings)
    await second.run { _ in true }
    #expect(second.epoch > first.epoch)
    #expect(second.corpus.entries.count >= first.corpus.entries.count)
  }

  @Test func `what never met is told`() async {
    var campaign = campaign(executions: 2000)
    await campaign.run { _ in true }
    let encounters = campaign.statistics.encounters
    // The toy has no credentials, so these faults meet nothing.
    #expect(encounters.kindsNeverMet.contains("expire-credential"))
    #expect(!encounters.kindsNeverMet.contains("lose"))
    let missing = encounters.missing(.client, among: [0, 1, 99])
    #expect(missing.allSatisfy { $0.states.contains(99) })
  }
}
