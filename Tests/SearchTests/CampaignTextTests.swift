import Reporting
import Search
import Simulation
import Testing
import ToyBench

@Suite struct CampaignTextTests {
  /// The lines behind the table of mutators.
  private func lastLines(
    executions: UInt64, from scenario: Scenario = MutatorTests.base()
  ) async -> (lines: [String], Campaign) {
    var settings = Campaign.Settings()
    settings.executions = executions
    var campaign = Campaign([scenario], subject: .toy(), settings: settings)
    await campaign.run { _ in true }
    let text = CampaignText.summary(
      campaign.statistics, findings: [], subject: .toy(), style: .plain)
    let paragraphs = text.split(separator: "\n\n")
    return (paragraphs.last?.split(separator: "\n").map(String.init) ?? [], campaign)
  }

  @Test func `three lines say what was not tested, however much that is`() async throws {
    let (lines, campaign) = await lastLines(executions: 2000)
    try #require(lines.count == 3)
    let never = campaign.statistics.encounters.kindsNeverMet
    let kinds = FaultKind.allNames.count
    #expect(
      lines[0] == " \(kinds - never.count) of \(kinds) kinds of fault struck; never: "
        + never.joined(separator: ", "))
    #expect(lines[1].hasPrefix(" They met "))
    // The toy's server is always in the first of five states. Four kinds are named, not all.
    let prefix = " They met 20 % of the server's states, fewest: "
    #expect(lines[2].hasPrefix(prefix))
    let named = lines[2].dropFirst(prefix.count).split(separator: ", ")
    #expect(named.count == 4)
    #expect(named.first?.hasSuffix(" 1 of 5") == true)
    #expect(named.dropFirst().allSatisfy { $0.hasSuffix(" 1") })
  }

  @Test func `a campaign without faults says that none struck`() async {
    var scenario = MutatorTests.base()
    scenario.faults = []
    let (lines, _) = await lastLines(executions: 0, from: scenario)
    #expect(lines == [" 0 of \(FaultKind.allNames.count) kinds of fault struck"])
  }

  @Test func `the headline says how long a run is`() async {
    var settings = Campaign.Settings()
    settings.executions = 500
    var campaign = Campaign([MutatorTests.base()], subject: .toy(), settings: settings)
    await campaign.run { _ in true }
    let statistics = campaign.statistics
    #expect(statistics.eventsPerRun == statistics.events / 500)
    let text = CampaignText.summary(statistics, findings: [], subject: .toy(), style: .plain)
    #expect(text.contains(" events (\(statistics.eventsPerRun) a run), "))
  }
}
