internal import Oracles
public import Search
public import Simulation

/// A campaign for people. No clock in it: equal campaigns print equal bytes.
public enum CampaignText {
  /// The lines that are printed the moment a finding is made.
  public static func finding(
    _ finding: Finding, story: String, file: String?, style: TerminalStyle
  ) -> String {
    let name = style.paint(finding.name, .bad)
    let when =
      finding.mutators.isEmpty
      ? "in a given scenario, unchanged"
      : "after \(TerminalNumber.grouped(finding.execution)) executions, by "
        + finding.mutators.joined(separator: ", ")
    var lines = ["FINDING  \(name)  \(style.paint(when, .faint))", "  \(story)"]
    if !finding.isRepeatable {
      lines.append("  A second run differed: this is a defect of pushbench, please report it.")
    }
    if let file { lines.append("  \(style.paint("→ \(file)", .faint))") }
    return lines.joined(separator: "\n") + "\n"
  }

  public static func summary(
    _ statistics: CampaignStatistics, findings: [Finding], subject: ProtocolUnderTest,
    style: TerminalStyle
  ) -> String {
    var lines = [""]
    lines += headline(statistics, findings)
    if !findings.isEmpty { lines += [""] + findingTable(findings, style) }
    lines += [""] + mutatorTable(statistics, style)
    lines += [""] + encounterLines(statistics.encounters, subject, style)
    return lines.joined(separator: "\n") + "\n"
  }

  private static func headline(
    _ statistics: CampaignStatistics, _ findings: [Finding]
  ) -> [String] {
    var line =
      "\(TerminalNumber.grouped(statistics.executions)) executions in "
      + "\(TerminalNumber.counted(statistics.epochs, "epoch")), "
      + "\(TerminalNumber.grouped(statistics.events)) events "
      + "(\(TerminalNumber.grouped(statistics.eventsPerRun)) a run), "
      + "\(TerminalNumber.grouped(statistics.features)) features of states, "
      + "\(TerminalNumber.grouped(statistics.corpus)) scenarios kept: "
      + (findings.isEmpty ? "no findings" : TerminalNumber.counted(findings.count, "finding"))
    if statistics.inconclusive > 0 {
      line += " (\(TerminalNumber.grouped(statistics.inconclusive)) runs were inconclusive)"
    }
    return [line]
  }

  private static func findingTable(_ findings: [Finding], _ style: TerminalStyle) -> [String] {
    var table = TerminalTable([
      .init("finding", narrowest: 12), .init("execution", .right), .init("epoch", .right),
      .init("faults", .right), .init("steps", .right), .init("meaning", narrowest: 20),
    ])
    for finding in findings {
      let meaning =
        OracleCatalog.number(of: finding.oracle).map {
          type(of: OracleCatalog.all[Int($0)]).meaning
        } ?? ""
      table.append([
        .init(finding.name, .bad), .init(finding.execution), .init(finding.epoch),
        .init(finding.scenario.faults.count), .init(finding.scenario.steps.count),
        .init(meaning),
      ])
    }
    return table.lines(style)
  }

  private static func mutatorTable(
    _ statistics: CampaignStatistics, _ style: TerminalStyle
  ) -> [String] {
    var table = TerminalTable([
      .init("mutator"), .init("tried", .right), .init("novel", .right),
      .init("findings", .right),
    ])
    for mutator in statistics.mutators {
      table.append([
        .init(mutator.name), .init(mutator.tried), .init(mutator.novel), .init(mutator.findings),
      ])
    }
    return table.lines(style)
  }

  /// What never met was not tested: one line about the kinds of fault, one about the states of each
  /// side. Every pair that is missing is in the JSON.
  private static func encounterLines(
    _ encounters: FaultEncounters, _ subject: ProtocolUnderTest, _ style: TerminalStyle
  ) -> [String] {
    let kinds = FaultKind.allNames.count
    let never = encounters.kindsNeverMet
    let struck = "\(kinds - never.count) of \(kinds) kinds of fault struck"
    guard never.count < kinds else { return [" \(struck)"] }
    let rest = never.isEmpty ? "" : "; never: " + never.joined(separator: ", ")
    var lines = [" \(struck)\(rest)"]
    for side in Side.allCases {
      let states = subject.states(side)
      let missing = encounters.missing(side, among: states)
      if !states.isEmpty { lines.append(style.paint(reach(missing, states.count, side), .faint)) }
    }
    return lines
  }

  /// How many kinds the line names.
  private static let worstKinds = 4

  private static func reach(
    _ missing: [(fault: String, states: [UInt16])], _ states: Int, _ side: Side
  ) -> String {
    let met = missing.map { (fault: $0.fault, count: states - $0.states.count) }
    let reached = met.reduce(0) { $0 + $1.count }
    var line =
      " They met \(reached * 100 / (met.count * states)) % of the \(side.name)'s states"
    // Sorting is stable: kinds with equal counts stay in the order of the catalog.
    let worst = met.filter { $0.count < states }.sorted { $0.count < $1.count }
    for (index, kind) in worst.prefix(worstKinds).enumerated() {
      line += index == 0 ? ", fewest: " : ", "
      line += "\(kind.fault) \(kind.count)" + (index == 0 ? " of \(states)" : "")
    }
    return line
  }
}
