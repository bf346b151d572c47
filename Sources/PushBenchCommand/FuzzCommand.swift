import ArgumentParser
import Foundation
import PushBench

/// `pushbench fuzz`: what else could go wrong?
struct FuzzCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuzz",
    abstract: "Searches for faults that make deliveries go wrong.",
    discussion: """
      Begins with the scenarios of captures, of scenario files, or of a protocol (such as mqtt), \
      writes new ones out of them, and keeps what shows something new. The same seed finds the \
      same, with any number of workers. Every finding is written to the output directory at once.

      What could go wrong with the system in this capture, in a minute:
        pushbench fuzz captures/mqtt/offline-queue.pcap

      Is this defect found? (pushbench machines lists them)
        pushbench fuzz mqtt --server mqtt.broker@leaks-window --executions 20000 --first

      For an hour, with everything there is; and on with it the next day:
        pushbench fuzz captures/mqtt/offline-queue.pcap corpus --time 1h --output findings
        pushbench fuzz --resume --time 1h --output findings

      Then make a finding small:
        pushbench minimize findings/ghost-qos1-after-sent.scenario

      Exit codes: 0 nothing is wrong, 1 there are findings, 64 wrong usage, 65 a file is neither \
      capture nor scenario, 66 a file can't be read, 70 a defect of pushbench itself.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Argument(help: "Captures, scenario files, directories of scenario files, or a protocol.")
  var scenarios: [String] = []

  @Option(help: "The client machine, such as mqtt.client@good.")
  var client: String?

  @Option(help: "The server machine, such as mqtt.broker@good.")
  var server: String?

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Option(help: "How many executions.")
  var executions: UInt64?

  @Option(
    help: "How long, such as 30s or 5min; a minute when neither this nor executions is given.")
  var time: String?

  @Option(help: "What all choices follow from.")
  var seed: UInt64 = 1

  @Option(help: "How many threads; findings do not depend on it.")
  var workers: Int = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Where findings and the campaign's own files go.")
  var output = "findings"

  @Flag(help: "End with the first epoch that has a finding.")
  var first = false

  @Flag(help: "Go on with the campaign that the output directory holds.")
  var resume = false

  @Option(help: "text for people, json for programs.")
  var format = Format.text

  @Flag(name: .customLong("no-colour"), help: "No colours, even on a terminal.")
  var noColour = false

  @Flag(help: "List the machines and end.")
  var listMachines = false

  func validate() throws {
    if let time, Nanoseconds(text: time) == nil {
      throw ValidationError("\"\(time)\" is no length of time; write 30s, 5min or 1h.")
    }
    guard (1...1024).contains(workers) else { throw ValidationError("1 to 1024 workers, please.") }
    if scenarios.isEmpty, !listMachines, !resume {
      throw ValidationError("Name a capture, a scenario, or a protocol such as mqtt.")
    }
  }

  func run() async throws {
    if listMachines { return MachinesCommand().run() }
    let store = CampaignStore(directory: output)
    let options = try reading.options()
    let items = try CommandFailure.mapped { () throws(ScenarioInput.Failure) in
      let input = ScenarioInput(client: client, server: server, options: options)
      return resume ? try store.load(input) : try input.load(scenarios)
    }
    Interruption.listen()
    // Protocols one after the other; their scenarios have nothing to say to each other.
    var subjects: [ProtocolUnderTest] = []
    for item in items where !subjects.contains(where: { $0.name == item.subject.name }) {
      subjects.append(item.subject)
    }
    var found = false
    var broken = false
    for subject in subjects {
      let own = items.filter { $0.subject.name == subject.name }.map(\.scenario)
      let campaign = try await search(own, subject, store)
      if !campaign.findings.isEmpty { found = true }
      if campaign.findings.contains(where: { !$0.isRepeatable }) { broken = true }
    }
    if broken { throw ExitCode(70) }
    if found { throw ExitCode(1) }
  }

  private func search(
    _ scenarios: [Scenario], _ subject: ProtocolUnderTest, _ store: CampaignStore
  ) async throws -> Campaign {
    var settings = Campaign.Settings()
    settings.seed = seed
    settings.executions = executions ?? .max
    settings.workers = workers
    settings.firstEpoch = resume ? store.savedEpoch : 0
    var campaign = Campaign(scenarios, subject: subject, settings: settings)
    let limit = time.flatMap { Nanoseconds(text: $0) } ?? (executions == nil ? .minutes(1) : nil)
    var watcher = FuzzWatcher(
      subject: subject, store: store, limit: limit, executions: executions, endsAtFirst: first,
      style: Terminal.style(noColour: noColour), isQuiet: format == .json)
    try watcher.begin(resuming: resume)
    await campaign.run { watcher.watch($0) }
    watcher.end(campaign)
    if let failure = watcher.failure {
      try CommandFailure.output { () throws(OutputError) in throw failure }
    }
    switch format {
    case .text:
      Terminal.write(
        CampaignText.summary(
          campaign.statistics, findings: campaign.findings, subject: subject,
          style: Terminal.style(noColour: noColour)))
    case .json:
      Terminal.write(
        CampaignJSON.text(
          campaign.statistics, findings: campaign.findings, files: watcher.files, seed: seed,
          subject: subject))
    }
    return campaign
  }
}

/// What happens between epochs: findings are written down and told, the clock is looked at.
private struct FuzzWatcher {
  let subject: ProtocolUnderTest
  let store: CampaignStore
  let limit: Nanoseconds?
  let executions: UInt64?
  let endsAtFirst: Bool
  let style: TerminalStyle
  let isQuiet: Bool
  private let started = ContinuousClock.now
  private var progress: TerminalProgress
  /// Of the findings, in their order.
  private(set) var files: [String?] = []
  private(set) var failure: OutputError?

  init(
    subject: ProtocolUnderTest, store: CampaignStore, limit: Nanoseconds?, executions: UInt64?,
    endsAtFirst: Bool, style: TerminalStyle, isQuiet: Bool
  ) {
    self.subject = subject
    self.store = store
    self.limit = limit
    self.executions = executions
    self.endsAtFirst = endsAtFirst
    self.style = style
    self.isQuiet = isQuiet
    let goal: TerminalProgress.Goal =
      limit.map { .time($0) } ?? executions.map { .count($0) } ?? .open
    progress = TerminalProgress(
      style: Terminal.errorStyle, goal: goal, unit: "executions", started: .start)
  }

  mutating func begin(resuming: Bool) throws {
    try CommandFailure.output { () throws(OutputError) in
      try store.begin(resuming: resuming)
    }
  }

  private var elapsed: Nanoseconds {
    let (seconds, attoseconds) = (ContinuousClock.now - started).components
    return .seconds(UInt64(max(0, seconds)))
      + Nanoseconds(UInt64(max(0, attoseconds)) / 1_000_000_000)
  }

  mutating func watch(_ report: Campaign.EpochReport) -> Bool {
    do throws(OutputError) {
      for finding in report.findings {
        let file = try store.write(finding, subject)
        files.append(file)
        tell(finding, file)
      }
      try store.append(report, subject)
    } catch {
      failure = error
      return false
    }
    let now = Instant.start + elapsed
    let line = progress.update(
      at: now, done: report.statistics.executions, findings: report.statistics.findings)
    if let line { Terminal.writeError(line) }
    if let limit, elapsed >= limit { return false }
    if endsAtFirst, report.statistics.findings > 0 { return false }
    return !Interruption.happened
  }

  private mutating func tell(_ finding: Finding, _ file: String) {
    guard !isQuiet else { return }
    if let clear = progress.clear() { Terminal.writeError(clear) }
    let story = ScenarioCheck(finding.scenario, subject: subject)?.stories.first ?? ""
    Terminal.write(CampaignText.finding(finding, story: story, file: file, style: style))
  }

  /// What depends on the clock goes to standard error, so that equal campaigns print equal bytes.
  mutating func end(_ campaign: Campaign) {
    if let clear = progress.clear() { Terminal.writeError(clear) }
    let statistics = campaign.statistics
    let executions = Double(statistics.executions)
    let time = elapsed
    let rate = executions / max(Double(time.count) / 1e9, 1e-9)
    let ownRate = executions / max(Double(ProcessorTime.spent.count) / 1e9, 1e-9)
    Terminal.writeError(
      "\(TerminalNumber.grouped(UInt64(rate))) executions/s with "
        + "\(TerminalNumber.counted(campaign.settings.workers, "worker")), "
        + "\(TerminalNumber.grouped(UInt64(ownRate))) for a second of one processor, "
        + "\(TerminalNumber.grouped(statistics.eventsPerRun)) events a run, \(time.seconds3)\n")
    if Interruption.happened {
      Terminal.writeError(
        "Stopped after epoch \(campaign.epoch). Go on with: pushbench fuzz --resume "
          + "--output \(store.directory) --seed \(campaign.settings.seed)\n")
    }
  }
}
