public import Comparison
internal import Simulation
internal import Timeline

/// A comparison for people. No clock in it: equal comparisons print equal bytes.
public enum ComparisonText {
  public static func text(_ comparison: Comparison, style: TerminalStyle) -> String {
    let rows = comparison.rows
    var lines = head(comparison, style) + [""]
    let table = table(rows, comparison, style)
    lines += table.lines + [""]
    let notes = absences(rows) + notes(comparison, hasSpread: table.hasSpread)
    lines += notes.flatMap { style.wrap($0, indent: 1) }
    return lines.joined(separator: "\n") + "\n"
  }

  /// `3/87`: seed and number; `day 2`: the second given scenario, without faults.
  public static func name(of unit: Comparison.Unit) -> String {
    switch unit {
    case .healthy(let index): "day \(index + 1)"
    case .campaign(let seed, let number): "\(seed)/\(number)"
    }
  }

  // MARK: - Above the table

  private static func head(_ comparison: Comparison, _ style: TerminalStyle) -> [String] {
    let settings = comparison.settings
    let given = TerminalNumber.counted(comparison.given.count, "scenario")
    let days = TerminalNumber.counted(settings.executions, "day")
    var line =
      "\(comparison.subject.name): \(given), "
      + "\(TerminalNumber.counted(settings.seeds.count, "seed")) × \(days) of "
      + "\(settings.day.length) with faults, \(comparison.results.count) machines"
    if !comparison.isFinished {
      line +=
        "; stopped after \(TerminalNumber.grouped(comparison.done)) of "
        + "\(TerminalNumber.grouped(comparison.total))"
    }
    let labels = Contestant.labels(of: comparison.results.map(\.contestant))
    var table = TerminalTable([.init("column"), .init("client"), .init("server")])
    for (label, result) in zip(labels, comparison.results) {
      table.append([
        .init(label, .heading), .init(result.contestant.client), .init(result.contestant.server),
      ])
    }
    return [line, ""] + table.lines(style)
  }

  // MARK: - The table

  static func heading(of part: Measure.Part) -> String {
    switch part {
    case .healthy: "A DAY WITHOUT FAULTS"
    case .campaign: "DAYS WITH FAULTS"
    case .findings: "FINDINGS PER 10,000"
    case .layers: "STAYED, PER 10,000"
    }
  }

  /// With the spread of each number where there is room for it.
  private static func table(
    _ rows: [ComparisonRow], _ comparison: Comparison, _ style: TerminalStyle
  ) -> (lines: [String], hasSpread: Bool) {
    let whole = table(rows, comparison, hasSpread: true).lines(style)
    if whole.allSatisfy({ TerminalStyle.columns(of: $0) <= style.width }) { return (whole, true) }
    return (table(rows, comparison, hasSpread: false).lines(style), false)
  }

  private static func table(
    _ rows: [ComparisonRow], _ comparison: Comparison, hasSpread: Bool
  ) -> TerminalTable {
    let labels = Contestant.labels(of: comparison.results.map(\.contestant))
    var columns: [TerminalTable.Column] = [.init("")]
    for (index, label) in labels.enumerated() {
      columns.append(.init(label, .right))
      if index > 0 { columns.append(.init("ratio", .right)) }
    }
    var table = TerminalTable(columns + [.init("scenario")])
    for part in Measure.Part.allCases {
      let own = rows.filter { $0.measure.part == part && isShown($0) }
      guard !own.isEmpty else { continue }
      let blank = Array(repeating: TerminalTable.Cell(""), count: columns.count)
      table.append([.init(heading(of: part), .heading)] + blank)
      for row in own { table.append(cells(of: row, hasSpread: hasSpread)) }
    }
    return table
  }

  /// What nobody has is told in a line, not in a row of zeros; what nobody has wrong, too.
  private static func isShown(_ row: ComparisonRow) -> Bool {
    switch row.measure.unit {
    case .perTenThousand, .count, .perDay: !row.isZero
    case .time, .timePerDay, .share: !row.isEmpty
    }
  }

  private static func cells(
    of row: ComparisonRow, hasSpread: Bool
  ) -> [TerminalTable.Cell] {
    var cells: [TerminalTable.Cell] = [.init(row.measure.title)]
    for index in row.cells.indices {
      var cell = row.cells[index]
      if !hasSpread { cell.seeds = [] }
      cells.append(.init(MeasureNumber.text(cell, row.measure.unit)))
      if index > 0 { cells.append(.init(MeasureNumber.ratio(row, index), ink(row, index))) }
    }
    let unit = row.differs ? row.showcase?.unit : nil
    return cells + [.init(unit.map(name) ?? "", .faint)]
  }

  /// Coloured when every seed agrees that it is better or worse.
  private static func ink(_ row: ComparisonRow, _ index: Int) -> TerminalStyle.Ink? {
    guard let first = row.cells[0].value, let own = row.cells[index].value, first != own,
      row.isConsistent(index)
    else { return .faint }
    return (own > first) == row.measure.isGood ? .good : .bad
  }

  // MARK: - Below the table

  private static func absences(_ rows: [ComparisonRow]) -> [String] {
    func titles(_ isWanted: (ComparisonRow) -> Bool) -> String {
      rows.filter { !$0.measure.part.isHealthy && isWanted($0) }.map(\.measure.title)
        .joined(separator: ", ")
    }
    let unmeasured = titles { !isShown($0) && $0.isEmpty }
    let never = titles { !isShown($0) && !$0.isEmpty }
    var lines: [String] = []
    if !unmeasured.isEmpty { lines.append("Nothing to measure: \(unmeasured).") }
    if !never.isEmpty { lines.append("None with any machine: \(never).") }
    return lines
  }

  private static func notes(_ comparison: Comparison, hasSpread: Bool) -> [String] {
    let spread =
      hasSpread
      ? "In parentheses: lowest and highest of single seeds."
      : "The spread over seeds has no room here; --format json and --svg have it."
    let labels = Contestant.labels(of: comparison.results.map(\.contestant))
    var lines = [
      "Radio: a model that keeps it on for \(comparison.settings.radio.tail) after each "
        + "transmission and reception. \(spread) ~: a seed shows the opposite. Scenario: where "
        + "machines differ most, as seed/number."
    ]
    for (label, result) in zip(labels, comparison.results) {
      let cut = result.campaign.cutRuns + result.healthy.cutRuns
      if cut > 0 {
        lines.append(
          "\(label): \(TerminalNumber.counted(cut, "run")) reached the limit of "
            + "\(TerminalNumber.grouped(Comparison.eventLimit)) events; measured as far as "
            + "\(cut == 1 ? "it" : "they") went.")
      }
    }
    return lines
  }
}
