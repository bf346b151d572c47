import ArgumentParser
import Foundation
import PushBench

/// `pushbench minimize`: the smallest thing that makes it happen again.
struct MinimizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "minimize",
    abstract: "Makes findings as small as they can be, and a test of each.",
    discussion: """
      Writes, for each finding, a scenario, a Swift test that replays it and a sequence diagram.

      Exit codes: 0 all were minimized, 1 a scenario shows nothing that could be, 64 wrong usage, \
      65 a file is no scenario, 66 a file can't be read, 70 a defect of pushbench itself.
      """)

  @Argument(help: "Scenario files, or directories of them.", completion: .file())
  var scenarios: [String]

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Option(help: "Where the results go.")
  var output = "minimized"

  @Option(help: "The name of the results; otherwise that of the scenario's file.")
  var name: String?

  @Option(help: "Another client machine than the scenario names.")
  var client: String?

  @Option(help: "Another server machine than the scenario names.")
  var server: String?

  @Option(help: "Runs after which it gives up.")
  var limit = 20_000

  func run() throws {
    let options = try reading.options()
    let items = try CommandFailure.mapped { () throws(ScenarioInput.Failure) in
      try ScenarioInput(client: client, server: server, options: options).load(scenarios)
    }
    try CommandFailure.output { () throws(OutputError) in try WholeFile.makeFolder(output) }
    var failed = 0
    for (index, item) in items.enumerated() {
      if index > 0 { Terminal.print() }
      if try !minimize(item, isOnly: items.count == 1) { failed += 1 }
    }
    if failed > 0 { throw ExitCode(1) }
  }

  /// - Returns: whether there was something to minimize.
  private func minimize(_ item: ScenarioInput.Item, isOnly: Bool) throws -> Bool {
    guard let judge = BenchJudge(for: item.scenario, subject: item.subject) else {
      throw CommandFailure.exit("\(item.origin): no such machines.", code: 65)
    }
    judge.judge(item.scenario)
    let expected = item.scenario.expectations
    // What the file speaks of, if it still happens; otherwise whatever is wrong.
    let violation =
      judge.violations.first { violation in expected.contains(Expectation(violation)) }
      ?? judge.violations.first
    guard let violation else {
      Terminal.print("\(item.origin): nothing is wrong in it.")
      return false
    }
    var shrinker = Shrinker()
    shrinker.limit = limit
    guard
      let shrunk = shrinker.shrink(
        item.scenario, signature: violation.signature, subject: item.subject, judge: judge)
    else {
      throw CommandFailure.exit("\(item.origin): a second run differed.", code: 70)
    }
    let files = MinimizedFiles(shrunk, subject: item.subject, judge: judge)
    let base = isOnly ? name ?? self.base(of: item.origin) : self.base(of: item.origin)
    Terminal.print(headline(item, shrunk))
    Terminal.print(shrunk.minimality.sentence)
    Terminal.print("\n" + files.script, terminator: "")
    Terminal.print("\n" + files.diagram, terminator: "")
    let paths = try CommandFailure.output { () throws(OutputError) in
      try files.write(to: output, base: base)
    }
    for path in paths { Terminal.print("→ \(path)") }
    return true
  }

  private func base(of origin: String) -> String {
    let name = URL(fileURLWithPath: origin).lastPathComponent
    return name.hasSuffix(".scenario") ? String(name.dropLast(".scenario".count)) : name
  }

  private func headline(_ item: ScenarioInput.Item, _ shrunk: Shrunk) -> String {
    let old = item.scenario
    let new = shrunk.scenario
    return "\(item.origin): \(shrunk.signature.name): \(old.faults.count) → "
      + "\(TerminalNumber.counted(new.faults.count, "fault")), \(old.steps.count) → "
      + "\(TerminalNumber.counted(new.steps.count, "step")), \(old.devices.count) → "
      + "\(TerminalNumber.counted(new.devices.count, "device")) in \(shrunk.attempts) runs"
  }
}

/// What is written of a minimized finding.
struct MinimizedFiles {
  let scenario: Scenario
  let story: String
  let script: String
  let diagram: String
  private let mermaid: String
  private let subject: ProtocolUnderTest

  init(_ shrunk: Shrunk, subject: ProtocolUnderTest, judge: BenchJudge) {
    var scenario = shrunk.scenario
    let trace = judge.trace(of: scenario)
    let violation = judge.violations.first { $0.signature == shrunk.signature }
    if let violation {
      scenario.expectations = [Expectation(violation)]
      story = FindingStory.sentence(
        violation, in: judge.bench.ledger, scenario: scenario, subject: subject)
    } else {
      story = ""
    }
    self.scenario = scenario
    self.subject = subject
    let notes = ScenarioNotes(shrunk, story: story, traceHash: judge.summary.traceHash)
    script = ScenarioScript.write(scenario, for: subject, notes: notes)
    diagram = SequenceDiagram.text(trace, scenario: scenario)
    mermaid = SequenceDiagram.mermaid(trace, scenario: scenario)
  }

  /// - Returns: the paths of the files.
  func write(to directory: String, base: String) throws(OutputError) -> [String] {
    let test = SwiftTestText.text(
      name: base, script: script, story: story, scenario: scenario, subject: subject)
    let page = """
      # \(base)

      \(story)

      ```mermaid
      \(mermaid)```

      ```
      \(diagram)```

      """
    let files = [
      ("\(directory)/\(base).scenario", script),
      ("\(directory)/\(SwiftTestText.typeName(for: base)).swift", test),
      ("\(directory)/\(base).md", page),
    ]
    for (path, text) in files { try WholeFile.write(text, to: path) }
    return files.map(\.0)
  }
}
