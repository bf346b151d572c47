public import Custody
import Timeline

/// An inspection for people: a headline, who got what, and a short story for each finding.
public struct InspectionText {
  /// Rows of the table of sessions; the rest is in the JSON.
  private static let sessionLimit = 20
  /// Sessions of which details are told.
  private static let detailLimit = 4
  /// Stories of one kind; the rest is in the JSON.
  private static let storyLimit = 40

  private let style: TerminalStyle
  private let inspection: InspectionRecord
  private let rows: [Row]
  private var lines: [String] = []

  private init(_ inspection: InspectionRecord, _ style: TerminalStyle) {
    self.inspection = inspection
    rows = Self.rows(inspection.observation)
    self.style = style
  }

  /// The report on one capture, ending with a newline.
  public static func text(
    _ inspection: InspectionRecord, style: TerminalStyle = .plain
  ) -> String {
    var writer = InspectionText(inspection, style)
    writer.headline()
    writer.decrypted()
    writer.subscribers()
    writer.sessions()
    writer.encrypted()
    writer.findings()
    writer.notes()
    writer.summary()
    return writer.lines.joined(separator: "\n") + "\n"
  }

  // MARK: Headline

  private mutating func headline() {
    let capture = inspection.capture
    let sessions = inspection.observation.sessions
    let counts = [
      TerminalNumber.counted(capture.packets, "packet"),
      duration(capture.duration),
      TerminalNumber.counted(capture.connections, "connection"),
      TerminalNumber.counted(sessions.count, "session"),
      TerminalNumber.counted(rows.count, "subscriber"),
    ]
    lines.append(style.paint(capture.path, .heading) + "   " + counts.joined(separator: ", "))
  }

  private mutating func decrypted() {
    lines += InspectionConnectionsText.decrypted(inspection).map { style.paint($0, .faint) }
  }

  private func duration(_ length: Nanoseconds) -> String {
    let tenths = (length.count &+ 50_000_000) / 100_000_000
    if tenths < 10 { return length.seconds3 }
    let seconds = tenths / 10
    if seconds < 120 { return "\(seconds).\(tenths % 10) s" }
    if seconds < 7200 { return "\(seconds / 60) min \(seconds % 60) s" }
    return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
  }

  // MARK: Tables

  private struct Row {
    var subscriber: String
    var sessions = 0
    var atMostOnce: UInt64 = 0
    var tally: DeliveryTally

    init(_ subscriber: String) {
      self.subscriber = subscriber
      tally = DeliveryTally(subscriber: subscriber)
    }
  }

  /// Who subscribed or was sent something, in the order of the capture.
  private static func rows(_ observation: CaptureObservation) -> [Row] {
    var rows: [Row] = []
    var index: [String: Int] = [:]
    func row(_ subscriber: String) -> Int {
      if let known = index[subscriber] { return known }
      index[subscriber] = rows.count
      rows.append(Row(subscriber))
      return rows.count - 1
    }
    for session in observation.sessions where session.receives {
      let at = row(session.subscriber)
      rows[at].sessions += 1
      rows[at].atMostOnce += UInt64(session.sentAtMostOnce)
    }
    let tallies =
      observation.tallies.isEmpty ? DeliveryTally.of(observation.deliveries) : observation.tallies
    for tally in tallies { rows[row(tally.subscriber)].tally = tally }
    return rows
  }

  private mutating func subscribers() {
    if rows.isEmpty { return }
    let always: [DeliveryState] = [.acknowledged, .pending, .lost, .ghost]
    let states = DeliveryState.allCases.filter { state in
      always.contains(state) || rows.contains { $0.tally[state] > 0 }
    }
    let hasAtMostOnce = rows.contains { $0.atMostOnce > 0 }
    var columns: [TerminalTable.Column] = [
      .init("subscriber", narrowest: 12), .init("sessions", .right), .init("deliveries", .right),
    ]
    for state in states {
      columns.append(.init(state.rawValue, .right))
      if state == .acknowledged { columns.append(.init("redelivered", .right)) }
    }
    if hasAtMostOnce { columns.append(.init("QoS 0", .right)) }
    var table = TerminalTable(columns)
    for row in rows {
      var cells: [TerminalTable.Cell] = [
        .init(row.subscriber), .init(row.sessions), .init(row.tally.total),
      ]
      for state in states {
        let count = row.tally[state]
        cells.append(.init(count, count == 0 ? nil : ink(state)))
        if state == .acknowledged { cells.append(.init(row.tally.redelivered)) }
      }
      if hasAtMostOnce { cells.append(.init(row.atMostOnce)) }
      table.append(cells)
    }
    lines.append("")
    lines += table.lines(style)
  }

  private func ink(_ state: DeliveryState) -> TerminalStyle.Ink? {
    switch state {
    case .acknowledged: .good
    case .lost, .ghost: .bad
    case .pending, .unknown, .expired: .doubtful
    case .accepted, .superseded, .rejected: nil
    }
  }

  private mutating func sessions() {
    let all = inspection.observation.sessions.filter(\.receives)
    // One session of each subscriber, and nothing to tell: the table above says it all.
    if inspection.observation.findings.isEmpty, all.count == rows.count { return }
    if all.isEmpty { return }
    let isMQTT = all.allSatisfy { $0.protocolName == "mqtt" }
    var table = TerminalTable([
      .init("session", .right), .init("subscriber", narrowest: 12),
      .init(isMQTT ? "MQTT" : "protocol"),
      .init("began", .right), .init("sent", .right),
      .init("redelivered", .right), .init("unacknowledged", .right), .init("end", narrowest: 20),
    ])
    for session in all.prefix(Self.sessionLimit) {
      let note = session.endNote.isEmpty ? "" : ": \(session.endNote)"
      let end =
        session.end == .open
        ? "still open" : "\(session.end.rawValue) at \(time(session.ended))\(note)"
      table.append([
        .init(session.id.number), .init(session.subscriber),
        .init(isMQTT ? session.version : "\(session.protocolName) \(session.version)"),
        .init(time(session.began)), .init(session.sent),
        .init(session.redelivered),
        .init(session.unacknowledged, session.unacknowledged == 0 ? nil : .doubtful), .init(end),
      ])
    }
    lines.append("")
    lines += table.lines(style)
    if all.count > Self.sessionLimit {
      lines.append(
        style.paint(" … \(all.count - Self.sessionLimit) more, see --format json", .faint))
    }
    details(all)
  }

  /// What else is known of sessions, of few of them.
  private mutating func details(_ sessions: [SessionRecord]) {
    let known = sessions.filter { !$0.details.isEmpty }
    if known.isEmpty { return }
    lines.append("")
    for session in known.prefix(Self.detailLimit) {
      let text = session.details.map { "\($0.name) \($0.text)" }.joined(separator: "; ")
      lines += style.wrap("session \(session.id.number): \(text)", indent: 1)
        .map { style.paint($0, .faint) }
    }
    if known.count > Self.detailLimit {
      lines.append(
        style.paint(" … \(known.count - Self.detailLimit) more, see --format json", .faint))
    }
  }

  /// Sessions that nobody can look into, as far as they are known to be some.
  private mutating func encrypted() {
    // What carries web pages is in the JSON.
    let all = inspection.connections.filter {
      !$0.speaks.isEmpty && $0.speaks != "HTTP" && $0.speaks != "HTTP/1"
    }
    if all.isEmpty { return }
    var table = TerminalTable([
      .init("connection", .right), .init("client", narrowest: 12), .init("server", narrowest: 12),
      .init("speaks"), .init("recognised by", narrowest: 20), .init("encrypted"),
    ])
    for connection in all.prefix(Self.sessionLimit) {
      table.append([
        .init("\(connection.connection)"), .init(connection.client), .init(connection.server),
        .init(connection.speaks), .init(connection.recognisedBy),
        .init(connection.tls?.version ?? "TLS", .doubtful),
      ])
    }
    lines.append("")
    lines += table.lines(style)
    if all.count > Self.sessionLimit {
      lines.append(
        style.paint(" … \(all.count - Self.sessionLimit) more, see --format json", .faint))
    }
  }

  // MARK: Findings

  private mutating func findings() {
    let findings = inspection.observation.findings
    for (index, finding) in findings.prefix(Self.storyLimit).enumerated() {
      tell(finding, number: index + 1)
    }
    if findings.count > Self.storyLimit {
      lines.append("")
      lines.append(
        style.paint(" … \(findings.count - Self.storyLimit) more, see --format json", .faint))
    }
  }

  /// - Parameter number: what `extract --finding` asks for.
  private mutating func tell(_ finding: FindingRecord, number: Int) {
    let ink: TerminalStyle.Ink =
      switch finding.verdict {
      case .violated: .bad
      case .inconclusive: .doubtful
      case .holds: .good
      }
    lines.append("")
    lines.append(
      " " + style.paint("#\(number)", .faint) + " " + style.paint(finding.label, ink) + "  "
        + finding.headline)
    let times = finding.story.map { time($0.moment) }
    let frames = finding.story.map { $0.moment.frame == 0 ? "" : "frame \($0.moment.frame)" }
    let timeWidth = times.map(\.count).max() ?? 0
    let frameWidth = frames.map(\.count).max() ?? 0
    for (index, line) in finding.story.enumerated() {
      lines.append(
        "   " + pad(times[index], timeWidth, right: true) + "  "
          + style.paint(pad(frames[index], frameWidth), .faint) + "  " + line.text)
    }
    if !finding.reason.isEmpty { lines += style.wrap(finding.reason, indent: 3) }
  }

  private func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
    let spaces = String(repeating: " ", count: max(0, width - text.count))
    return right ? spaces + text : text + spaces
  }

  /// Since the first packet of the capture.
  private func time(_ moment: RecordedMoment) -> String {
    (moment.time - inspection.capture.began).seconds3
  }

  // MARK: Notes

  private mutating func notes() {
    var notes: [String] = []
    for row in rows where row.tally[.pending] > 0 {
      let count = row.tally[.pending]
      notes.append(
        "\(row.subscriber): \(TerminalNumber.counted(count, "delivery", "deliveries")) "
          + "\(count == 1 ? "was" : "were") still open when the capture ended.")
    }
    for row in rows where row.tally[.rejected] > 0 {
      let count = TerminalNumber.counted(row.tally[.rejected], "delivery", "deliveries")
      notes.append("\(row.subscriber): \(count) rejected, the first: \(row.tally.rejection).")
    }
    for session in inspection.observation.sessions where !session.isIdentified {
      if session.evidenceMissing.isEmpty { continue }
      let version = session.version == "unknown" ? ", version unknown" : ""
      notes.append(
        "Session \(session.id.number), \(session.subscriber)\(version): "
          + "\(session.evidenceMissing).")
    }
    notes += InspectionConnectionsText.unread(inspection.connections)
    for group in inspection.capture.unrecognised {
      let servers = group.servers.joined(separator: ", ")
      let what = TerminalNumber.counted(group.count, "connection")
      switch group.kind {
      case "TLS":
        // Told by the connections, with the reason.
        if inspection.connections.contains(where: { !$0.obstacle.isEmpty }) { continue }
        notes.append(
          "\(what) to \(servers) \(group.count == 1 ? "is" : "are") encrypted (TLS): "
            + "nothing is known of what went over \(group.count == 1 ? "it" : "them").")
      case "no payload": notes.append("\(what) to \(servers) carried no data.")
      default:
        notes.append(
          "\(what) to \(servers) \(group.count == 1 ? "was" : "were") not recognised "
            + "(\(group.kind)).")
      }
    }
    for warning in inspection.capture.warnings + inspection.observation.warnings {
      let place = warning.frame.map { "frame \($0): " } ?? ""
      notes.append(place + warning.text)
    }
    if notes.isEmpty { return }
    lines.append("")
    let limit = 20
    for note in notes.prefix(limit) { lines += style.wrap("- " + note, indent: 1) }
    if notes.count > limit {
      lines.append(style.paint(" … \(notes.count - limit) more, see --format json", .faint))
    }
  }

  private mutating func summary() {
    let observation = inspection.observation
    let violations = observation.findings.count { $0.verdict == .violated }
    let undecided = observation.findings.count { $0.verdict == .inconclusive }
    lines.append("")
    if violations > 0 {
      lines.append(
        " " + style.paint(TerminalNumber.counted(violations, "finding"), .bad) + ".")
    } else if observation.sessions.isEmpty {
      lines.append(" No push session was recognised in this capture.")
    } else if undecided > 0 {
      lines.append(" Nothing was proved wrong, but not everything could be told.")
    } else {
      let published = observation.sessions.reduce(0) { $0 + UInt64($1.submitted) }
      let accepted = observation.sessions.reduce(0) { $0 + UInt64($1.accepted) }
      let messages = TerminalNumber.counted(published, "message")
      lines.append(
        " " + style.paint("Nothing is wrong.", .good)
          + (published > 0
            ? " \(messages) published, \(TerminalNumber.grouped(accepted)) accepted." : ""))
    }
  }
}
