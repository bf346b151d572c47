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
