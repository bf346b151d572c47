import Custody
import Timeline
import Unwrapping
import WebSocket
import Wire

/// What of RFC 6455, and of MQTT's own rules for it, a capture shows to be broken.
///
/// In a push session that is a finding; elsewhere a warning.
enum WebSocketRules {
  static func judge(_ wrapped: WrappedConnections, _ observation: inout CaptureObservation) {
    // Sessions can be very many, and few of them, if any, are in WebSocket.
    let inside = Set(wrapped.all.lazy.filter { $0.webSocket != nil }.map(\.id.index))
    if inside.isEmpty { return }
    var sessions: [UInt32: Int] = [:]
    for (place, session) in observation.sessions.enumerated()
    where inside.contains(session.connection) {
      sessions[session.connection] = place
    }
    var findings: [FindingRecord] = []
    for connection in wrapped.all {
      guard let facts = connection.webSocket else { continue }
      if let place = sessions[connection.id.index] {
        findings += self.findings(facts, observation.sessions[place])
      } else {
        observation.warnings += facts.violations.map {
          WarningRecord(
            frame: $0.moment.frame,
            "WebSocket of \(connection.description.client): \($0.sender.sender) sends \($0.text) "
              + "(\($0.rule))")
        }
      }
    }
    // Violations stand first.
    let index =
      observation.findings.firstIndex { $0.verdict != .violated } ?? observation.findings.count
    observation.findings.insert(contentsOf: findings, at: index)
  }

  private static func findings(
    _ facts: WebSocketFacts, _ session: SessionRecord
  ) -> [FindingRecord] {
    // With bytes missing, what looks wrong may be the place that is missing.
    guard session.evidenceMissing.isEmpty else { return [] }
    var rules: [(rule: String, demand: String, story: [StoryLine])] = []
    for violation in facts.violations {
      let line = StoryLine(
        RecordedMoment(time: violation.moment.time, frame: violation.moment.frame),
        "\(violation.sender.sender) sends \(violation.text)")
      if let index = rules.firstIndex(where: { $0.rule == violation.rule }) {
        rules[index].story.append(line)
      } else {
        rules.append((violation.rule, "no \(violation.text)", [line]))
      }
    }
    if session.protocolName == "mqtt" { rules += mqttRules(facts, session) }
    return rules.map { rule, demand, story in
      FindingRecord(
        .protocolRule, .violated, label: "PROTOCOL", subscriber: session.subscriber,
        headline: "\(session.subscriber), session \(session.id.number): \(rule) is broken",
        reason: "The standard demands: \(demand).", rule: rule, story: story)
    }
  }

  /// MQTT 3.1.1 and 5.0 §6: binary frames, and `mqtt` for a subprotocol.
  private static func mqttRules(
    _ facts: WebSocketFacts, _ session: SessionRecord
  ) -> [(rule: String, demand: String, story: [StoryLine])] {
    var rules: [(rule: String, demand: String, story: [StoryLine])] = []
    let frames = facts.toServer.text + facts.toClient.text
    if frames > 0 {
      rules.append(
        (
          "MQTT-6.0.0-1", "control packets in binary frames",
          [StoryLine(session.began, "\(frames) text frames follow")]
        ))
    }
    let isOffered = facts.offeredProtocols.contains { $0.lowercased().hasPrefix("mqtt") }
    if facts.path != nil, !isOffered {
      rules.append(
        (
          "MQTT-6.0.0-3", "the subprotocol mqtt among those that the client offers",
          [StoryLine(session.began, "the client's request does not offer it")]
        ))
    }
    return rules
  }
}

extension Direction {
  /// Who sends this way.
  fileprivate var sender: String { self == .toServer ? "the client" : "the server" }
}
