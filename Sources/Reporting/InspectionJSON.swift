public import Custody
import Timeline

/// Inspections as JSON, with the names that `docs/inspect-json.md` explains.
public enum InspectionJSON {
  /// The layout of what is written; goes up when a name changes its meaning or goes away.
  public static let version = 1

  /// One document for all captures. Numbers of sessions and deliveries count within a capture.
  public static func text(_ inspections: [InspectionRecord]) -> String {
    var text = ""
    write(inspections) { text += $0 }
    return text
  }

  /// The same, piece by piece: a long capture has more text than records.
  public static func write(_ inspections: [InspectionRecord], to sink: (String) -> Void) {
    JSONText.write(
      [
        ("version", .value(.integer(Int64(version)))),
        (
          "captures",
          .elements { put in
            for (index, inspection) in inspections.enumerated() { put(capture(inspection, index)) }
          }
        ),
        ("sessions", each(inspections, \.observation.sessions, write: session)),
        ("deliveries", each(inspections, \.observation.deliveries, write: delivery)),
        (
          "findings",
          .elements { put in
            for (index, inspection) in inspections.enumerated() {
              for (place, one) in inspection.observation.findings.enumerated() {
                put(finding(one, number: place + 1, index, inspection))
              }
            }
          }
        ),
        (
          "connections",
          .elements { put in
            for (index, inspection) in inspections.enumerated() {
              var sessions: [UInt32: SessionID] = [:]
              for session in inspection.observation.sessions {
                sessions[session.connection] = session.id
              }
              for one in inspection.connections {
                put(connection(one, index, sessions[one.connection]))
              }
            }
          }
        ),
      ], to: sink)
  }

  /// The sessions of a capture, one JSON object a line.
  public static func sessionLines(_ inspection: InspectionRecord) -> String {
    inspection.observation.sessions.map { JSONText.line(session($0, 0, inspection)) + "\n" }
      .joined()
  }

  private static func each<Element>(
    _ inspections: [InspectionRecord], _ elements: @escaping (InspectionRecord) -> [Element],
    write: @escaping (Element, Int, InspectionRecord) -> JSONText.Value
  ) -> JSONText.Member {
    .elements { put in
      for (index, inspection) in inspections.enumerated() {
        for element in elements(inspection) { put(write(element, index, inspection)) }
      }
    }
  }

  // MARK: Captures

  private static func capture(_ inspection: InspectionRecord, _ index: Int) -> JSONText.Value {
    let capture = inspection.capture
    let observation = inspection.observation
    return .object([
      ("capture", .integer(Int64(index))),
      ("file", .string(capture.path)),
      ("packets", .unsigned(capture.packets)),
      ("connections", .unsigned(UInt64(capture.connections))),
      ("began", seconds(capture.began.nanoseconds)),
      ("duration", seconds(capture.duration.count)),
      ("damage", .optional(capture.damage)),
      ("sessions", .unsigned(UInt64(observation.sessions.count))),
      ("deliveries", .unsigned(UInt64(observation.deliveries.count))),
      (
        "violations",
        .unsigned(UInt64(observation.findings.count { $0.verdict == .violated }))
      ),
      (
        "unrecognised",
        .array(
          capture.unrecognised.map {
            .object([
              ("kind", .string($0.kind)), ("connections", .unsigned(UInt64($0.count))),
              ("servers", .array($0.servers.map(JSONText.Value.string))),
            ])
          })
      ),
      (
        "warnings",
        .array(
          (capture.warnings + observation.warnings).map {
            .object([
              ("frame", $0.frame.map { .unsigned(UInt64($0)) } ?? .null),
              ("text", .string($0.text)),
            ])
          })
      ),
    ])
  }

  // MARK: Sessions

  private static func session(
    _ session: SessionRecord, _ index: Int, _ inspection: InspectionRecord
  ) -> JSONText.Value {
    .object([
      ("capture", .integer(Int64(index))),
      ("id", .unsigned(UInt64(session.id.number))),
      ("protocol", .string(session.protocolName)),
      ("version", .string(session.version)),
      ("subscriber", .string(session.subscriber)),
      ("identified", .bool(session.isIdentified)),
      ("connection", .unsigned(UInt64(session.connection))),
      ("client", .string(session.client)),
      ("server", .string(session.server)),
      ("began", moment(session.began, inspection)),
      ("ended", moment(session.ended, inspection)),
      ("end", .string(session.end.rawValue)),
      ("endNote", .string(session.endNote)),
      ("resumed", session.resumed.map(JSONText.Value.bool) ?? .null),
      ("cleanStart", .bool(session.startedClean)),
      ("keepAlive", seconds(session.keepAlive.count)),
      ("receives", .bool(session.receives)),
      ("sent", .unsigned(UInt64(session.sent))),
      ("acknowledged", .unsigned(UInt64(session.acknowledged))),
      ("unacknowledged", .unsigned(UInt64(session.unacknowledged))),
      ("redelivered", .unsigned(UInt64(session.redelivered))),
      ("sentAtMostOnce", .unsigned(UInt64(session.sentAtMostOnce))),
      ("submitted", .unsigned(UInt64(session.submitted))),
      ("accepted", .unsigned(UInt64(session.accepted))),
      ("rejected", .unsigned(UInt64(session.rejected))),
      ("submittedAtMostOnce", .unsigned(UInt64(session.submittedAtMostOnce))),
      ("evidenceMissing", .string(session.evidenceMissing)),
      ("tls", session.tls.map(tls) ?? .null),
      ("webSocket", session.webSocket.map(webSocket) ?? .null),
      (
        "messages",
        .object(
          session.messages.map { count in
            (
              count.name,
              .object([
                ("toServer", .unsigned(UInt64(count.toServer))),
                ("toClient", .unsigned(UInt64(count.toClient))),
              ])
            )
          })
      ),
      ("details", .object(session.details.map { ($0.name, .string($0.text)) })),
    ])
  }

  // MARK: What is around sessions

  private static func connection(
    _ connection: ConnectionRecord, _ index: Int, _ session: SessionID?
  ) -> JSONText.Value {
    .object([
      ("capture", .integer(Int64(index))),
      ("connection", .unsigned(UInt64(connection.connection))),
      ("client", .string(connection.client)),
      ("server", .string(connection.server)),
      ("session", session.map { .unsigned(UInt64($0.number)) } ?? .null),
      ("speaks", connection.speaks.isEmpty ? .null : .string(connection.speaks)),
      (
        "recognisedBy",
        connection.recognisedBy.isEmpty ? .null : .string(connection.recognisedBy)
      ),
      ("tls", connection.tls.map(tls) ?? .null),
      ("webSocket", connection.webSocket.map(webSocket) ?? .null),
      ("obstacle", .string(connection.obstacle)),
      ("problem", .string(connection.problem)),
      ("hint", .string(connection.hint)),
    ])
  }

  private static func tls(_ tls: TLSLayerRecord) -> JSONText.Value {
    .object([
      ("version", .optional(tls.version)),
      ("suite", .optional(tls.suite)),
      ("serverName", .optional(tls.serverName)),
      ("protocol", .optional(tls.chosenProtocol)),
      ("offeredProtocols", .array(tls.offeredProtocols.map(JSONText.Value.string))),
      ("resumed", .bool(tls.isResumed)),
      ("decrypted", .bool(tls.isReadable)),
      ("toServer", flow(tls.toServer)),
      ("toClient", flow(tls.toClient)),
    ])
  }

  private static func flow(_ flow: TLSLayerRecord.Flow) -> JSONText.Value {
    .object([
      ("decrypted", .bool(flow.isReadable)),
      ("records", .unsigned(flow.records)),
      ("applicationRecords", .unsigned(flow.applicationRecords)),
      ("applicationBytes", .unsigned(flow.applicationBytes)),
    ])
  }

  private static func webSocket(_ webSocket: WebSocketLayerRecord) -> JSONText.Value {
    .object([
      ("path", .optional(webSocket.path)),
      ("protocol", .optional(webSocket.chosenProtocol)),
      ("offeredProtocols", .array(webSocket.offeredProtocols.map(JSONText.Value.string))),
      ("compressed", .bool(webSocket.isCompressed)),
      ("toServer", frames(webSocket.toServer)),
      ("toClient", frames(webSocket.toClient)),
    ])
  }

  private static func frames(_ flow: WebSocketLayerRecord.Flow) -> JSONText.Value {
    .object([
      ("text", .unsigned(flow.text)), ("binary", .unsigned(flow.binary)),
      ("continuation", .unsigned(flow.continuation)), ("ping", .unsigned(flow.ping)),
      ("pong", .unsigned(flow.pong)), ("close", .unsigned(flow.close)),
      ("bytes", .unsigned(flow.bytes)),
      ("closeCode", flow.closeCode.map { .unsigned(UInt64($0)) } ?? .null),
    ])
  }

  // MARK: Deliveries

  private static func delivery(
    _ delivery: DeliveryRecord, _ index: Int, _ inspection: InspectionRecord
  ) -> JSONText.Value {
    .object([
      ("capture", .integer(Int64(index))),
      ("id", .unsigned(UInt64(delivery.id.number))),
      ("subscriber", .string(delivery.subscriber)),
      ("publisher", .optional(delivery.publisher)),
      ("topic", .string(delivery.topic)),
      ("quality", .unsigned(UInt64(delivery.quality.rawValue))),
      ("size", .unsigned(delivery.size)),
      ("digest", .string(hexadecimal(delivery.digest))),
      ("state", .string(delivery.state.rawValue)),
      ("reason", .string(delivery.reason)),
      ("attempts", .unsigned(UInt64(delivery.attempts))),
      ("lateness", delivery.lateness.map { seconds($0.count) } ?? .null),
      (
        "events",
        .array(
          delivery.events.map { event in
            .object([
              ("event", .string(event.step.rawValue)),
              ("time", time(event.moment, inspection)),
              ("frame", frame(event.moment.frame)),
              ("session", event.session.map { .unsigned(UInt64($0.number)) } ?? .null),
              ("holder", .string(event.holder.rawValue)),
              ("note", .string(event.note)),
            ])
          })
      ),
    ])
  }

  // MARK: Findings

  private static func finding(
    _ finding: FindingRecord, number: Int, _ index: Int, _ inspection: InspectionRecord
  ) -> JSONText.Value {
    .object([
      ("capture", .integer(Int64(index))),
      ("number", .integer(Int64(number))),
      ("oracle", .string(finding.oracle.rawValue)),
      ("verdict", .string(finding.verdict.rawValue)),
      ("label", .string(finding.label)),
      ("subscriber", .string(finding.subscriber)),
      ("deliveries", .array(finding.deliveries.map { .unsigned(UInt64($0.number)) })),
      ("headline", .string(finding.headline)),
      ("reason", .string(finding.reason)),
      ("rule", .string(finding.rule)),
      ("frames", .array(finding.frames.map { .unsigned(UInt64($0)) })),
      (
        "story",
        .array(
          finding.story.map { line in
            .object([
              ("time", time(line.moment, inspection)), ("frame", frame(line.moment.frame)),
              ("text", .string(line.text)),
            ])
          })
      ),
    ])
  }

  // MARK: Values

  /// Seconds since the capture's first packet, and the packet.
  private static func moment(
    _ moment: RecordedMoment, _ inspection: InspectionRecord
  ) -> JSONText.Value {
    .object([("time", time(moment, inspection)), ("frame", frame(moment.frame))])
  }

  private static func time(
    _ moment: RecordedMoment, _ inspection: InspectionRecord
  ) -> JSONText.Value {
    seconds((moment.time - inspection.capture.began).count)
  }

  static func frame(_ number: UInt32) -> JSONText.Value {
    number == 0 ? .null : .unsigned(UInt64(number))
  }

  /// Whole nanoseconds as a decimal fraction of a second: exact, unlike a binary one.
  static func seconds(_ nanoseconds: UInt64) -> JSONText.Value {
    let whole = nanoseconds / 1_000_000_000
    var rest = String(nanoseconds % 1_000_000_000)
    rest = String(repeating: "0", count: 9 - rest.count) + rest
    while rest.last == "0" { rest.removeLast() }
    return .number(rest.isEmpty ? "\(whole)" : "\(whole).\(rest)")
  }

  static func hexadecimal(_ digest: UInt32) -> String {
    let digits = String(digest, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
