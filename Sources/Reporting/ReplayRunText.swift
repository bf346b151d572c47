internal import Custody
internal import Oracles
public import Replay
internal import Simulation
internal import Timeline

/// What a scenario led to, for people.
public enum ReplayRunText {
  /// - Parameter file: the scenario file as the user gave it.
  public static func text(_ run: ScenarioRun, file: String, style: TerminalStyle) -> String {
    var lines = [headline(run, file, style)]
    let machines = "\(run.scenario.client) and \(run.scenario.server)"
    lines.append(
      " \(machines), \(run.summary.events) events, to \(run.summary.ended), trace "
        + hash(run.summary))
    if let reason = run.ledger.inconclusive {
      lines += ["", style.paint(" INCONCLUSIVE  \(reason.rawValue)", .doubtful)]
    }
    for violation in run.violations {
      let name = OracleCatalog.name(of: violation.signature)
      lines += ["", style.paint(" " + name.uppercased(), .bad)]
      let story = OracleCatalog.story(of: violation, in: run.ledger) { run.scenario.name(of: $0) }
      lines += style.wrap(story, indent: 3)
    }
    lines += ledger(run, style)
    return lines.joined(separator: "\n") + "\n"
  }

  private static func headline(
    _ run: ScenarioRun, _ file: String, _ style: TerminalStyle
  ) -> String {
    let verdict =
      switch run.verdict {
      case .holds: style.paint("CLEAN", .good)
      case .violated: style.paint("VIOLATED", .bad)
      case .inconclusive: style.paint("INCONCLUSIVE", .doubtful)
      }
    return style.paint(file, .heading) + "   " + verdict
  }

  static func hash(_ summary: RunSummary) -> String {
    let digits = String(summary.traceHash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func ledger(_ run: ScenarioRun, _ style: TerminalStyle) -> [String] {
    guard !run.ledger.deliveries.isEmpty else { return [] }
    var table = TerminalTable([
      .init("publication", .right), .init("from"), .init("to"), .init("QoS", .right),
      .init("written", .right), .init("to the app", .right), .init("state"),
    ])
    for row in run.ledger.deliveries {
      table.append([
        .init(row.publication), .init(run.scenario.name(of: row.sender)),
        .init(run.scenario.name(of: row.receiver)), .init(row.quality), .init(row.sends),
        .init(row.handOvers), .init(row.outcome),
      ])
    }
    return [""] + table.lines(style)
  }
}

extension Scenario {
  /// What to call a node.
  func name(of node: NodeID) -> String {
    guard !node.isServer else { return "server" }
    return node.device < devices.count ? devices[node.device].name : "device \(node.index)"
  }
}

extension DeliveryRow {
  /// The one word for how it stands.
  var outcome: String {
    if facts.contains(.acknowledged) { return "acknowledged" }
    if facts.contains(.expired) { return "expired" }
    if facts.contains(.rejected) { return "rejected" }
    if facts.contains(.superseded) { return "superseded" }
    if facts.contains(.released) { return "released" }
    if facts.contains(.held) { return "pending" }
    if quality == 0 { return facts.contains(.handedOver) ? "handed over" : "not promised" }
    if facts.contains(.countedDone) { return "ghost" }
    return facts.contains(.sent) ? "sent, not held any more" : "not held any more"
  }
}
