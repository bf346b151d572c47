import PushBench

/// The scenarios that make the difference: a file for each machine, with what its run shows as
/// expectation, and a page with the diagrams of all machines.
///
///     DIR/seed-3-number-87.good.scenario    the scenario with one of the machines
///     DIR/seed-3-number-87.md               in what they differ, and who wrote what to whom
struct ComparisonFiles {
  private let comparison: Comparison
  private let labels: [String]
  /// Events of a diagram.
  private static let limit = 160
  /// Events of a diagram before the first one that differs.
  private static let lead = 60

  init(_ comparison: Comparison) {
    self.comparison = comparison
    labels = Contestant.labels(of: comparison.results.map(\.contestant))
  }

  /// - Returns: how many files.
  func write(to directory: String) throws(OutputError) -> Int {
    try WholeFile.makeFolder(directory)
    var units: [Comparison.Unit] = []
    for row in comparison.rows {
      if let unit = row.showcase?.unit, !units.contains(unit) { units.append(unit) }
    }
    var count = 0
    for unit in units {
      for (path, text) in files(of: unit) {
        try WholeFile.write(text, to: "\(directory)/\(path)")
        count += 1
      }
    }
    return count
  }

  private func files(of unit: Comparison.Unit) -> [(path: String, text: String)] {
    let base = base(of: unit)
    let differences = comparison.rows.filter { $0.showcase?.unit == unit }.map { row in
      "\(row.measure.title) (\(row.measure.part.words))"
    }
    let sentence =
      "Of all scenarios this one makes most difference to: "
      + differences.joined(separator: "; ") + "."
    let runs = comparison.results.compactMap { result in
      comparison.scenario(of: unit, with: result.contestant).flatMap {
        Run($0, subject: comparison.subject)
      }
    }
    let common = Self.commonStart(runs.map(\.trace))
    var page = "# \(base)\n\n\(sentence)\n"
    if common > 0 { page += "All runs are the same until \(runs[0].trace[common - 1].time).\n" }
    var files: [(path: String, text: String)] = []
    for (label, run) in zip(labels, runs) {
      var notes = ScenarioNotes()
      notes.header = TerminalStyle.plain.wrap(sentence)
      files.append(
        (
          "\(base).\(slug(label)).scenario",
          ScenarioScript.write(run.scenario, for: comparison.subject, notes: notes)
        ))
      page += "\n## \(label)\n\n"
      let stories = run.stories.isEmpty ? ["Nothing is wrong."] : run.stories
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

  private func base(of unit: Comparison.Unit) -> String {
    switch unit {
    case .healthy(let index): "healthy-day-\(index + 1)"
    case .campaign(let seed, let number): "seed-\(seed)-number-\(number)"
    }
  }

  private func slug(_ label: String) -> String {
    var slug = ""
    for character in label {
      if character.isLetter || character.isNumber || character == "." {
        slug.append(character)
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
      return SequenceDiagram.text(
        faults + trace[begin...], scenario: scenario, limit: ComparisonFiles.limit)
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
