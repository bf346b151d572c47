import ArgumentParser
import Foundation
import PushBench

/// `pushbench run`: do scenarios still show what they say?
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs scenarios and checks what they expect.",
    discussion: """
      Exit codes: 0 all as expected, 1 something is not, 64 wrong usage, 65 a file is no scenario, \
      66 a file can't be read.
      """)

  @Argument(help: "Scenario files, directories of them, or a protocol.", completion: .file())
  var scenarios: [String]

  @Option(help: "Another client machine than the scenario names.")
  var client: String?

  @Option(help: "Another server machine than the scenario names.")
  var server: String?

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Flag(help: "Expect that nothing is wrong, whatever the scenarios expect.")
  var clean = false

  @Flag(help: "Show who wrote what to whom.")
  var trace = false

  func run() throws {
    let options = try reading.options()
    let items = try CommandFailure.mapped { () throws(ScenarioInput.Failure) in
      try ScenarioInput(client: client, server: server, options: options).load(scenarios)
    }
    var unexpected = 0
    for item in items {
      var scenario = item.scenario
      if clean { scenario.expectations = [] }
      guard let run = ScenarioCheck(scenario, subject: item.subject) else {
        throw CommandFailure.exit("\(item.origin): no such machines.", code: 65)
      }
      if !run.isAsExpected { unexpected += 1 }
      let word = run.isAsExpected ? "ok      " : "NOT OK  "
      Terminal.print("\(word)\(run.traceHash)  \(item.origin)")
      if !run.isAsExpected {
        for expected in scenario.expectations where !expected.isMet(by: run.violations) {
          Terminal.print("    \(words(expected, scenario)) did not happen")
        }
        Terminal.print("    \(run)")
      }
      if trace { show(scenario, item.subject) }
    }
    Terminal.print(
      "\(items.count) run, \(unexpected == 0 ? "all" : "\(items.count - unexpected)") as expected")
    if unexpected > 0 { throw ExitCode(1) }
  }

  private func words(_ expected: Expectation, _ scenario: Scenario) -> String {
    let publication = expected.publication == 0 ? "" : " \(expected.publication)"
    let device = expected.node.isServer ? "server" : scenario.devices[expected.node.device].name
    return "\(expected.oracle)\(publication) \(device)"
  }

  private func show(_ scenario: Scenario, _ subject: ProtocolUnderTest) {
    guard let judge = BenchJudge(for: scenario, subject: subject) else { return }
    Terminal.print(SequenceDiagram.text(judge.trace(of: scenario), scenario: scenario, limit: 2000))
  }
}

/// Ends a command with a sentence on standard error and an exit code of its own.
enum CommandFailure {
  static func exit(_ text: String, code: Int32) -> ExitCode {
    FileHandle.standardError.write(Data("pushbench: \(text)\n".utf8))
    return ExitCode(code)
  }

  static func mapped<Result>(
    _ work: () throws(ScenarioInput.Failure) -> Result
  ) throws -> Result {
    do throws(ScenarioInput.Failure) {
      return try work()
    } catch {
      throw exit(error.text, code: error.exitCode)
    }
  }
}
