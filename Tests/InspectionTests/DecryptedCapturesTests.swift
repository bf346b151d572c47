import Custody
import Foundation
import Inspection
import Reporting
import TLS
import Testing
import Unwrapping

/// What is in TLS reads like what is in the clear, when there are secrets.
@Suite struct DecryptedCapturesTests {
  static let names = Captures.secured.map(\.name)

  static func options(_ name: String) throws -> CaptureOptions {
    var options = CaptureOptions()
    let path = Captures.path("mqtt-tls/\(name).keylog")
    #expect(options.secrets.read(keyLog: try Data(contentsOf: URL(filePath: path))).isEmpty)
    return options
  }

  static func inspect(_ truth: Captures.Truth, withSecrets: Bool = true) throws -> InspectionRecord
  {
    try CaptureInspection.inspect(
      Captures.path("mqtt-tls/" + truth.file),
      withSecrets ? try options(truth.name) : CaptureOptions())
  }

  @Test func `there are captures`() {
    #expect(Captures.secured.count >= 3)
  }

  @Test(arguments: Captures.secured)
  func `deliveries end as the truth file says`(_ truth: Captures.Truth) throws {
    let inspection = try Self.inspect(truth)
    let expected = truth.expected.subscribers.mapValues { $0.filter { $0.value > 0 } }
    #expect(MQTTCapturesTests.counts(inspection.observation) == expected)
    #expect(!inspection.hasViolations)
    #expect(inspection.capture.unrecognised.isEmpty)
    for session in inspection.observation.sessions {
      let tls = try #require(session.tls)
      #expect(tls.isReadable)
      #expect(tls.version == (truth.name.contains("1.2") ? "TLS 1.2" : "TLS 1.3"))
      #expect(tls.suite?.hasPrefix("TLS_") == true)
      #expect(session.evidenceMissing.isEmpty)
      #expect(session.isIdentified)
    }
    #expect(inspection.connections.count == inspection.observation.sessions.count)
    #expect(inspection.connections.allSatisfy { $0.obstacle.isEmpty && $0.hint.isEmpty })
  }

  @Test(arguments: Captures.secured)
  func `without secrets each connection says why it stays closed`(_ truth: Captures.Truth) throws {
    let inspection = try Self.inspect(truth, withSecrets: false)
    #expect(inspection.observation.deliveries.isEmpty)
    #expect(!inspection.hasViolations)
    #expect(!inspection.connections.isEmpty)
    for connection in inspection.connections {
      #expect(connection.obstacle == "noSecrets")
      #expect(connection.problem.hasPrefix("no secrets for client random "))
      #expect(connection.hint.contains("--keylog"))
      #expect((connection.tls?.toClient.applicationBytes ?? 0) > 0)
    }
    let text = InspectionText.text(inspection)
    #expect(text.contains("stay encrypted: no secrets for client random"))
  }

  /// What a ledger says of a delivery; frames and times are the capture's own.
  private static func ledger(_ inspection: InspectionRecord) -> [String] {
    inspection.observation.deliveries.map { delivery in
      let steps = delivery.events.map(\.step.rawValue).joined(separator: " ")
      return "\(delivery.id.number) \(delivery.subscriber) \(delivery.publisher ?? "-") "
        + "\(delivery.topic) \(delivery.quality) \(delivery.size) \(delivery.digest) "
        + "\(delivery.state) \(delivery.attempts) \(steps)"
    }
  }

  private func compareWithClearTwin(_ path: String, _ options: CaptureOptions) throws {
    let twin = FileManager.default.temporaryDirectory
      .appending(path: "pushbench-twin-\(UUID().uuidString).pcap").path
    defer { try? FileManager.default.removeItem(atPath: twin) }
    try ClearTwin.write(path, options, to: twin)
    let secured = try CaptureInspection.inspect(path, options)
    let clear = try CaptureInspection.inspect(twin)
    #expect(clear.connections.isEmpty)
    #expect(Self.ledger(secured) == Self.ledger(clear))
    #expect(!secured.observation.deliveries.isEmpty)
    #expect(
      secured.observation.findings.map(\.headline) == clear.observation.findings.map(\.headline))
    #expect(
      secured.observation.sessions.map { "\($0.subscriber) \($0.end) \($0.sent)" }
        == clear.observation.sessions.map { "\($0.subscriber) \($0.end) \($0.sent)" })
  }

  @Test(arguments: Captures.secured)
  func `the ledger is that of the same capture in the clear`(_ truth: Captures.Truth) throws {
    try compareWithClearTwin(
      Captures.path("mqtt-tls/" + truth.file), try Self.options(truth.name))
  }

  /// `PUSHBENCH_RECORDED_CAPTURES` names a folder with more captures, `NAME.keylog` beside them.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["PUSHBENCH_RECORDED_CAPTURES"] != nil))
  func `so it is for recordings outside of the repository`() throws {
    let folder = ProcessInfo.processInfo.environment["PUSHBENCH_RECORDED_CAPTURES"] ?? ""
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    var compared = 0
    for log in files where log.hasSuffix(".keylog") && log.contains("mqtt") {
      let name = folder + "/" + log.dropLast(".keylog".count)
      var options = CaptureOptions()
      options.secrets.read(keyLog: try Data(contentsOf: URL(filePath: folder + "/" + log)))
      for kind in ["pcap", "pcapng"] {
        try compareWithClearTwin("\(name).\(kind)", options)
        compared += 1
      }
    }
    print("\(compared) recordings have the ledger of their clear twin")
  }

  // MARK: Without secrets

  @Test func `records that nobody answered are inconclusive, never a ghost`() throws {
    let truth = try #require(
      Captures.secured.first { $0.name == "tls-1.3-stopped-then-killed" })
    let observation = try Self.inspect(truth, withSecrets: false).observation
    let finding = try #require(observation.findings.first)
    #expect(observation.findings.count == 1)
    #expect(finding.label == "UNANSWERED" && finding.verdict == .inconclusive)
    #expect(finding.headline.hasPrefix("4 encrypted records"))
    #expect(finding.story.count == 4)
    for other in Captures.secured where other.name != truth.name {
      #expect(try Self.inspect(other, withSecrets: false).observation.findings.isEmpty)
    }
  }

  @Test(arguments: Captures.secured)
  func `secrets are in no report`(_ truth: Captures.Truth) throws {
    let path = Captures.path("mqtt-tls/\(truth.name).keylog")
    let log = try String(contentsOf: URL(filePath: path), encoding: .utf8)
    let inspection = try Self.inspect(truth)
    let report = InspectionText.text(inspection) + InspectionJSON.text([inspection])
    for line in log.split(separator: "\n") where !line.hasPrefix("#") {
      let secret = try #require(line.split(separator: " ").last)
      #expect(!report.lowercased().contains(secret.lowercased().prefix(16)))
    }
  }
}
