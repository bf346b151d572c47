import PushBench

/// For each row that differs the scenario that makes the difference: a file for each machine, with
/// what its run shows as expectation, and a page with the diagrams of all machines.
///
///     DIR/client-zombie-p99.good.scenario    the scenario with one of the machines
///     DIR/client-zombie-p99.md               who wrote what to whom, from where they differ
struct ComparisonFiles {
  private let comparison: Comparison
  private let labels: [String]
  /// Lines of a diagram.
  private static let limit = 120
  /// Events of a diagram before the first one that differs.
  private static let lead = 40

  init(_ comparison: Comparison) {
    self.comparison = comparison
    labels = Contestant.labels(of: comparison.results.map(\.contestant))
  }

  /// - Parameter watch: called before each row that has files, with its position among them.
  /// - Returns: how many files.
  func write(to directory: String, watch: (_ done: Int) -> Void) throws(OutputError) -> Int {
    try WholeFile.makeFolder(directory)
    var count = 0
    for (position, row) in Self.rows(comparison).enumerated() {
      watch(position)
      for (path, text) in files(of: row) {
        try WholeFile.write(text, to: "\(directory)/\(path)")
        count += 1
      }
    }
    return count
  }

  static func rows(_ comparison: Comparison) -> [ComparisonRow] {
    comparison.rows.filter { $0.differs && $0.showcase != nil }
  }

  private func files(of row: ComparisonRow) -> [(path: String, text: String)] {
    guard let shown = comparison.shownDifference(of: row) else { return [] }
    let base = Self.slug(row.measure.name)
    let numbers = zip(labels, shown.tallies).map { label, tally in
      let value = row.measure.value(tally)
      return "\(label) \(value.map { MeasureNumber.text($0, row.measure.unit) } ?? "none")"
    }
    let sentence =
      "\(row.measure.title) (\(row.measure.part.words)): \(numbers.joined(separator: ", ")). "
      + "From scenario \(ComparisonText.name(of: shown.unit)), "
      + "without what the difference does not take."
    let runs = shown.scenarios.compactMap { Run($0, subject: comparison.subject) }
    let common = Self.commonStart(runs.map(\.trace))
    var page = "# \(row.measure.title)\n\n\(sentence)\n"
    if common > 0 {
      let time = Nanoseconds(runs[0].trace[common - 1].time.nanoseconds).seconds3
      page += "All runs are the same until \(time).\n"
    }
    var files: [(path: String, text: String)] = []
    for (label, run) in zip(labels, runs) {
      var notes = ScenarioNotes()
      notes.header = TerminalStyle.plain.wrap(sentence)
      files.append(
        (
          "\(base).\(Self.slug(label)).scenario",
          ScenarioScript.write(run.scenario, for: comparison.subject, notes: notes)
        ))
      page += "\n## \(label)\n\n"
      let stories =
        run.stories.isEmpty ? ["At the end no oracle finds anything wrong."] : run.stories
      page += stories.joined(separator: "\n") + "\n"
      page += "\n```\n\(run.diagram(from: common))```\n"
    }
    return files + [("\(base).md", page)]
  }

  /// How many events all runs begin with.
  private static func commonStart(_ traces: [[TraceEntry]]) -> Int {
    guard let first = traces.first else { return 0 }
    return traces.dropFirst().reduce(first.count) { common, trace in
      let difference = zip(first, trace).enumerated().first { $1.0 != $1.1 }?.offset
      return min(common, difference ?? min(first.count, trace.count))
    }
  }

  /// `clientZombieP99` is `client-zombie-p99`.
  private static func slug(_ name: String) -> String {
    var slug = ""
    for character in name {
      if character.isUppercase, slug.last?.isLowercase == true { slug.append("-") }
      if character.isLetter || character.isNumber {
        slug += character.lowercased()
      } else if slug.last != "-" {
        slug.append("-")
      }
    }
    while slug.last == "-" { slug.removeLast() }
    return slug
  }

  /// A scenario with what its run shows.
  private struct Run {
    var scenario: Scenario
    var stories: [String] = []
    var trace: [TraceEntry]

    init?(_ scenario: Scenario, subject: ProtocolUnderTest) {
      guard let judge = BenchJudge(for: scenario, subject: subject) else { return nil }
      trace = judge.trace(of: scenario)
      self.scenario = scenario
      for violation in judge.violations {
        self.scenario.expectations.append(Expectation(violation))
        stories.append(
          FindingStory.sentence(
            violation, in: judge.bench.ledger, scenario: scenario, subject: subject))
      }
    }

    /// From shortly before an event on; of what was before only the faults.
    func diagram(from common: Int) -> String {
      let begin = max(0, common - ComparisonFiles.lead)
      let faults = trace[..<begin].filter { entry in
        if case .fault = entry.what { return true }
        return false
      }
      let diagram = SequenceDiagram.text(
        faults + trace[begin...], scenario: scenario, limit: .max)
      return FoldedLines(diagram, limit: ComparisonFiles.limit).text
    }
  }
}

extension Measure.Part {
  fileprivate var words: String {
    switch self {
    case .healthy: "a day without faults"
    case .campaign: "days with faults"
    case .findings: "findings"
    case .layers: "where deliveries stay"
    }
  }
}
