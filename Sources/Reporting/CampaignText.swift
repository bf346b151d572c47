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
      + "\(TerminalNumber.grouped(statistics.events)) events, "
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

  /// What never met was not tested.
  private static func encounterLines(
    _ encounters: FaultEncounters, _ subject: ProtocolUnderTest, _ style: TerminalStyle
  ) -> [String] {
    var lines: [String] = []
    let never = encounters.kindsNeverMet
    if !never.isEmpty {
      lines.append(" faults that never struck: \(never.joined(separator: ", "))")
    }
    for side in Side.allCases {
      let states = subject.states(side)
      for (fault, missing) in encounters.missing(side, among: states) where !missing.isEmpty {
        let names = missing.prefix(4).map { subject.stateName($0, side) }
        let more = missing.count > 4 ? ", and \(missing.count - 4) more" : ""
        lines.append(
          style.paint(
            " \(fault) never met \(missing.count) of \(states.count) states of the \(side.name): "
              + names.joined(separator: ", ") + more, .faint))
      }
    }
    return lines
  }
}
