import ArgumentParser
import Foundation
import PushBench

/// `pushbench compare`: what does it cost to use one machine rather than another?
struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Runs the same campaign on several machines and measures what differs.",
    discussion: """
      Begins with the scenarios of captures, of scenario files, or of a protocol (such as mqtt). \
      Each is run as it is, without faults, and with faults that are the same for every machine; \
      each run lasts a day. Rates are of the receivers, times are exact, and the radio is a model: \
      docs/compare.md says what is measured how. The same seeds print the same, with any number of \
      workers.

      Two clients on one recorded system:
        pushbench compare --client mqtt.client@good --client mqtt.client@no-ping-timeout \
      captures/mqtt/offline-queue.pcap

      The same as a chart, and the scenarios that make the difference, with diagrams:
        pushbench compare --client mqtt.client@good --client mqtt.client@retries-without-pause \
      mqtt --svg compare.svg --output differences

      Two servers:
        pushbench compare --server mqtt.broker@good --server mqtt.broker@leaks-window mqtt

      Exit codes: 0 no oracle found anything, 1 one did, 64 wrong usage, 65 a file is neither \
      capture nor scenario, 66 a file can't be read, 73 a file can't be written.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Argument(help: "Captures, scenario files, directories of scenario files, or a protocol.")
  var scenarios: [String] = []

  @Option(
    name: .customLong("client"),
    help: "A client machine; several are compared. Without one: the protocol's standard client.")
  var clients: [String] = []

  @Option(
    name: .customLong("server"),
    help: "A server machine; each client is compared with each of several.")
  var servers: [String] = []

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Option(help: "How many seeds; how they differ is the spread of a number.")
  var seeds: UInt64 = 5

  @Option(help: "The first seed.")
  var seed: UInt64 = 1

  @Option(help: "How many scenarios with faults are written from each seed.")
  var executions: Int = 200

  @Option(help: "How long each run is measured; rates are told for a day.")
  var length = "24h"

  @Option(help: "How often each publisher submits something more; never for not at all.")
  var submitEvery = "1h"

  @Option(help: "How long the radio stays on after it sent or received something.")
  var radioTail = "10s"

  @Option(help: "How many threads; numbers do not depend on it.")
  var workers: Int = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Where the scenarios go that make the difference, with their diagrams.")
  var output: String?

  @Option(help: "A file for a chart.", completion: .file())
  var svg: String?

  @Option(help: "text for people, json for programs.")
  var format = Format.text

  @Flag(name: .customLong("no-colour"), help: "No colours, even on a terminal.")
  var noColour = false

  func validate() throws {
    for text in [length, submitEvery, radioTail] where Nanoseconds(text: text) == nil {
      throw ValidationError("\"\(text)\" is no length of time; write 10s, 5min or 24h.")
    }
    guard (Nanoseconds.minutes(20)...Nanoseconds.hours(24 * 30)).contains(measured) else {
      throw ValidationError("Runs are measured for 20min to 720h.")
    }
    guard (1...1024).contains(workers) else { throw ValidationError("1 to 1024 workers, please.") }
    guard (1...100).contains(seeds) else { throw ValidationError("1 to 100 seeds, please.") }
    guard (1...1_000_000).contains(executions) else {
      throw ValidationError("1 to 1,000,000 executions, please.")
    }
    if scenarios.isEmpty {
      throw ValidationError("Name a capture, a scenario, or a protocol such as mqtt.")
    }
    if max(clients.count, 1) * max(servers.count, 1) < 2 {
      throw ValidationError("Name two machines or more: --client A --client B.")
    }
  }

  private var measured: Nanoseconds { Nanoseconds(text: length) ?? .hours(24) }

  func run() async throws {
    let options = try reading.options()
    let items = try CommandFailure.mapped { () throws(ScenarioInput.Failure) in
      try ScenarioInput(options: options).load(scenarios)
    }
    let subject = items[0].subject
    guard items.allSatisfy({ $0.subject.name == subject.name }) else {
      throw CommandFailure.exit("These are scenarios of several protocols.", code: 65)
    }
    try CommandFailure.mapped { () throws(ScenarioInput.Failure) in
      for name in clients { _ = try ScenarioInput.machine(name, .client, subject) }
      for name in servers { _ = try ScenarioInput.machine(name, .server, subject) }
    }
    Interruption.listen()
    var comparison = Comparison(
      items.map(\.scenario),
      contestants: Contestant.pairs(clients: clients, servers: servers, subject: subject),
      subject: subject, settings: settings)
    var progress = TerminalProgress(
      style: Terminal.errorStyle, goal: .count(UInt64(comparison.total)), unit: "scenarios",
      started: .start)
    let started = ContinuousClock.now
    await comparison.run { now in
      let line = progress.update(
        at: .start + elapsed(since: started), done: UInt64(now.done), findings: now.findings)
      if let line { Terminal.writeError(line) }
      return !Interruption.happened
    }
    if let clear = progress.clear() { Terminal.writeError(clear) }
    try report(comparison)
    if comparison.hasFindings { throw ExitCode(1) }
  }

  private var settings: Comparison.Settings {
    var settings = Comparison.Settings()
    settings.seeds = (0..<seeds).map { seed &+ $0 }
    settings.executions = executions
    settings.day = MeasuredDay(
      length: measured, submitsEvery: Nanoseconds(text: submitEvery) ?? .forever)
    settings.radio = RadioModel(tail: Nanoseconds(text: radioTail) ?? RadioModel.lteTail)
    settings.workers = workers
    return settings
  }

  private func elapsed(since started: ContinuousClock.Instant) -> Nanoseconds {
    let (seconds, attoseconds) = (ContinuousClock.now - started).components
    return .seconds(UInt64(max(0, seconds)))
      + Nanoseconds(UInt64(max(0, attoseconds)) / 1_000_000_000)
  }

  private func writeDifferences(
    _ comparison: Comparison, to directory: String
  ) throws(OutputError) -> Int {
    var progress = TerminalProgress(
      style: Terminal.errorStyle, goal: .count(UInt64(ComparisonFiles.rows(comparison).count)),
      unit: "differences", started: .start)
    let started = ContinuousClock.now
    let files = try ComparisonFiles(comparison).write(to: directory) { done in
      let line = progress.update(
        at: .start + elapsed(since: started), done: UInt64(done), findings: comparison.findings)
      if let line { Terminal.writeError(line) }
    }
    if let clear = progress.clear() { Terminal.writeError(clear) }
    return files
  }

  private func report(_ comparison: Comparison) throws {
    let style = Terminal.style(noColour: noColour)
    switch format {
    case .text: Terminal.write(ComparisonText.text(comparison, style: style))
    case .json: Terminal.write(ComparisonJSON.text(comparison))
    }
    try CommandFailure.output { () throws(OutputError) in
      if let svg { try WholeFile.write(ComparisonChart.svg(comparison), to: svg) }
      guard let output else { return }
      let files = try writeDifferences(comparison, to: output)
      if format == .text {
        Terminal.print(style.paint("→ \(files) files in \(output)", .faint))
      }
    }
  }
}
