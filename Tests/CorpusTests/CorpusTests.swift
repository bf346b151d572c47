import PushBench
import Testing

/// One file, one test case.
@Suite struct CorpusTests {
  @Test func `there is a corpus`() { #expect(!CorpusFolder.files.isEmpty) }

  @Test(arguments: CorpusFolder.files)
  func `a scenario shows what it says, every time`(file: String) throws {
    let text = try CorpusFolder.text(of: file)
    let check = try ScenarioCheck(of: text, file: file)
    // Whatever was a false alarm once must show nothing; all others are findings.
    #expect(check.scenario.expectations.isEmpty == CorpusFolder.isFalseAlarm(file))
    #expect(check.isAsExpected, "\(check)")
    #expect(try ScenarioCheck(of: text, file: file).summary == check.summary)
  }

  @Test(arguments: CorpusFolder.files)
  func `the machines that are meant to be right pass it`(file: String) throws {
    let text = try CorpusFolder.text(of: file)
    let model = try ScenarioCheck(of: text, file: file).scenario.model
    let subject = try #require(ProtocolCatalog.named(model))
    let check = try ScenarioCheck(
      of: text, client: subject.standardClient, server: subject.standardServer, file: file)
    #expect(check.verdict == .holds, "\(check)")
  }

  @Test(arguments: CorpusFolder.specimens)
  func `every specimen is convicted by a small scenario`(machine: String) throws {
    let file = CorpusFolder.file(for: machine)
    let scenario = try ScenarioCheck(of: CorpusFolder.text(of: file), file: file).scenario
    #expect(scenario.client == machine || scenario.server == machine)
    #expect(scenario.faults.count <= 3)
    #expect(scenario.steps.count <= 7)
  }
}
