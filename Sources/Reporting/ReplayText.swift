internal import Custody
internal import PushProtocols
public import Replay
internal import Simulation
internal import Timeline

/// A fidelity report for people.
public enum ReplayText {
  /// - Parameters:
  ///   - capture: the path as the user gave it.
  ///   - isComplete: every message, not only those around differences.
  public static func text(
    _ fidelity: Fidelity, capture: String, isComplete: Bool = false, style: TerminalStyle
  ) -> String {
    var lines: [String] = [headline(fidelity, capture, style)]
    lines.append(
      " \(fidelity.client) and \(fidelity.server), \(summary(of: fidelity))")
    lines.append("")
    lines.append(
      " messages  " + count(fidelity.application, "application messages", style) + ", "
        + count(fidelity.all, "control packets", style))
    lines.append(" ledger    " + ledger(fidelity, style))
    lines += firstDifference(fidelity, style)
    lines += sideBySide(fidelity, isComplete: isComplete, style)
    lines += ledgerTable(fidelity, style)
    lines += unmodelled(fidelity, style)
    return lines.joined(separator: "\n") + "\n"
  }

  private static func headline(
    _ fidelity: Fidelity, _ capture: String, _ style: TerminalStyle
  ) -> String {
    let subscriber =
      fidelity.history.subscriber.isEmpty ? "no subscriber" : fidelity.history.subscriber
    let verdict =
      fidelity.isFaithful
      ? style.paint("FAITHFUL", .good) : style.paint("DIFFERENT", .bad)
    return style.paint(capture, .heading) + "   \(subscriber)   " + verdict
  }

  private static func summary(of fidelity: Fidelity) -> String {
    let scenario = fidelity.history.scenario
    return plural(scenario.devices.count, "device") + ", " + plural(scenario.steps.count, "step")
      + ", " + plural(scenario.faults.count, "fault") + ", "
      + plural(Int(fidelity.summary.events), "event")
  }

  private static func plural(_ count: Int, _ word: String) -> String {
    "\(count) \(word)\(count == 1 ? "" : "s")"
  }

  private static func count(
    _ count: Fidelity.Count, _ what: String, _ style: TerminalStyle
  ) -> String {
    let extra = count.extra == 0 ? "" : ", \(count.extra) only simulated"
    let text = "\(count.reproduced) of \(count.captured) \(what) in order\(extra)"
    return count.isWhole ? text : style.paint(text, .doubtful)
  }

  private static func ledger(_ fidelity: Fidelity, _ style: TerminalStyle) -> String {
    let different = fidelity.ledger.count { !$0.isSame }
    if different == 0 { return "the same for \(plural(fidelity.ledger.count, "row"))" }
    return style.paint("\(different) of \(plural(fidelity.ledger.count, "row")) differ", .bad)
  }

  // MARK: - Differences

  private static func firstDifference(_ fidelity: Fidelity, _ style: TerminalStyle) -> [String] {
    guard let first = fidelity.firstDifference else { return [] }
    let line = fidelity.lines[first.line]
    let what =
      line.captured.map { "captured only: \($0.text), frame \($0.frame)" }
      ?? "simulated only: \(line.simulated?.text ?? "")"
    var text = [
      "", " FIRST DIFFERENCE  \(since(line.time))  \(what)",
      "   \(first.cause.rawValue): \(first.reason)",
    ]
    var counts: [String] = []
    for cause in Fidelity.Difference.Cause.allCases {
      let count = fidelity.differences.count { $0.cause == cause }
      if count > 0 { counts.append("\(count) \(cause.rawValue)") }
    }
    if fidelity.differences.count > 1 {
      text.append("   in all \(counts.joined(separator: ", "))")
    }
    return text.map { $0.hasPrefix(" FIRST") ? style.paint($0, .doubtful) : $0 }
  }

  private static func since(_ time: Instant) -> String { (time - .start).seconds3 }

  private static func sideBySide(
    _ fidelity: Fidelity, isComplete: Bool, _ style: TerminalStyle
  ) -> [String] {
    let near = fidelity.differences.map(\.line)
    let shown = fidelity.lines.indices.filter { index in
      isComplete || near.contains { abs($0 - index) <= 3 }
    }
    guard !shown.isEmpty else { return [] }
    var table = TerminalTable([
      .init("captured", .right), .init("frame", .right), .init("device"), .init(""),
      .init("message"), .init("simulated", .right), .init(""),
    ])
    var last = -1
    for index in shown.prefix(isComplete ? .max : 120) {
      if index > last + 1, last >= 0 { table.append(["", "", "", "", "…", "", ""]) }
      last = index
      table.append(cells(fidelity.lines[index], fidelity))
    }
    return [""] + table.lines(style)
  }

  private static func cells(_ line: Fidelity.Line, _ fidelity: Fidelity) -> [TerminalTable.Cell] {
    let device = line.captured?.device ?? line.simulated?.device ?? .server
    let sender = line.captured?.sender ?? line.simulated?.sender ?? .client
    let name =
      device.isServer ? "server" : fidelity.history.scenario.devices[device.device].name
    let mark: TerminalTable.Cell =
      line.isSame ? "" : .init(line.captured == nil ? "simulated only" : "captured only", .bad)
    return [
      .init(line.captured.map { since($0.time) } ?? ""),
      .init(line.captured.map { "\($0.frame)" } ?? ""), .init(name),
      .init(sender == .client ? "→" : "←"),
      .init(line.captured?.text ?? line.simulated?.text ?? ""),
      .init(line.simulated.map { since($0.time) } ?? ""), mark,
    ]
  }

  private static func ledgerTable(_ fidelity: Fidelity, _ style: TerminalStyle) -> [String] {
    let different = fidelity.ledger.filter { !$0.isSame }
    guard !different.isEmpty else { return [] }
    var table = TerminalTable([
      .init("publication", .right), .init("to"), .init("captured"), .init("simulated"),
    ])
    for line in different.prefix(40) {
      let receiver =
        line.receiver.isServer
        ? "server" : fidelity.history.scenario.devices[line.receiver.device].name
      let captured = line.captured.map { describe(Int($0.sends), $0.isAcknowledged) }
      let simulated = line.simulated.map {
        describe(Int($0.sends), $0.facts.contains(.acknowledged))
      }
      table.append([
        .init(line.publication), .init(receiver), .init(captured ?? "never written"),
        .init(simulated ?? "not in the ledger"),
      ])
    }
    return [""] + table.lines(style)
  }

  private static func describe(_ sends: Int, _ isAcknowledged: Bool) -> String {
    "written \(sends)×, \(isAcknowledged ? "acknowledged" : "not acknowledged")"
  }

  private static func unmodelled(_ fidelity: Fidelity, _ style: TerminalStyle) -> [String] {
    guard !fidelity.history.unmodelled.isEmpty else { return [] }
    var lines = ["", " UNMODELLED  what a scenario has no words for"]
    for event in fidelity.history.unmodelled.prefix(40) {
      let frame = event.frame == 0 ? "" : "frame \(event.frame)  "
      let device =
        event.device.isServer
        ? "" : fidelity.history.scenario.devices[event.device.device].name + "  "
      lines.append("   \(since(event.time))  \(frame)\(device)\(event.text)")
    }
    return lines
  }
}
