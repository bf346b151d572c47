import PushBench
import Testing

/// What search and shrinking may do to a workload, with real machines.
@Suite struct WorkloadTests {
  /// Six publishers come and go one after the other, and a filter matches what they publish.
  static let repetitive = """
    pushbench scenario 1
    client  mqtt.client@good
    server  mqtt.broker@forgets-in-flight
    device  sub
    device  pub  clean-start yes

    +0s  sub  connect
    +0s  sub  subscribe t/#  qos 1

    """
    + (1...6).map { number in
      """
      +\(number)s      pub  connect
      +\(number).1s    pub  submit \(number)  topic t/x  qos 1
      +\(number).5s    pub  disconnect

      """
    }.joined()

  static let subject = ProtocolCatalog.all.first { $0.name == "mqtt" }!

  static func read(_ text: String) throws -> Scenario {
    try ScenarioScript.read(text, file: "test", catalog: ProtocolCatalog.all)
  }

  @Test func `a campaign begins with a short version beside what repeats itself`() async throws {
    let scenario = try Self.read(Self.repetitive)
    var settings = Campaign.Settings()
    settings.executions = 1000
    var campaign = Campaign([scenario], subject: Self.subject, settings: settings)
    _ = await campaign.begin()
    let entries = campaign.corpus.entries
    try #require(entries.count == 2)
    #expect(entries[0].scenario == scenario)
    #expect(entries[1].scenario.steps.count < scenario.steps.count / 2)
    #expect(entries[1].events < entries[0].events)
    #expect(entries.allSatisfy { $0.yardstick == entries[1].events })
    let submits = entries[1].scenario.steps.count { step in
      if case .submit = step.action { true } else { false }
    }
    #expect(submits > 0)
    #expect(campaign.statistics.executions < 200)
  }

  @Test func `where few executions are wanted they are for mutations`() async throws {
    var settings = Campaign.Settings()
    settings.executions = 100
    var campaign = Campaign(
      [try Self.read(Self.repetitive)], subject: Self.subject, settings: settings)
    _ = await campaign.begin()
    #expect(campaign.corpus.entries.count == 1)
    #expect(campaign.statistics.executions == 1)
  }

  @Test func `shrinking never publishes to a filter`() throws {
    let text = Self.repetitive + "+3.125s  fault  sub  reset both\n\nexpect none\n"
    let scenario = try Self.read(text)
    let judge = try #require(BenchJudge(for: scenario, subject: Self.subject))
    let signature = try #require(judge.findings(of: scenario).first, "the planted defect shows")
    let shrunk = try #require(
      Shrinker().shrink(scenario, signature: signature, subject: Self.subject, judge: judge))
    #expect(shrunk.scenario.topics == ["t/x"])
    #expect(shrunk.scenario.steps.count <= 6)
  }

  @Test func `a file that publishes to a filter is refused with the word that is wrong`() {
    let text = Self.repetitive + "+9s  pub  submit 9  topic t/+  qos 1\n"
    #expect {
      try Self.read(text)
    } throws: { error in
      "\(error)".contains("nothing can be published to \"t/+\", which is a filter")
    }
  }
}
