import Custody
import Foundation
import Inspection
import Reporting
import TLS
import Testing
import Unwrapping

/// Every recording of a provider in captures/apns ends as its truth file says.
@Suite struct APNsProviderCapturesTests {
  private static func options(_ truth: Captures.Truth) throws -> CaptureOptions {
    var options = CaptureOptions()
    let log = try Data(contentsOf: URL(filePath: truth.keyLog))
    #expect(options.secrets.read(keyLog: log).isEmpty)
    return options
  }

  private static func inspect(_ truth: Captures.Truth) throws -> InspectionRecord {
    try CaptureInspection.inspect(truth.path, try options(truth))
  }

  private static func named(_ name: String) throws -> InspectionRecord {
    try inspect(try #require(Captures.apnsProvider.first { $0.name == name }))
  }

  @Test func `there are captures`() {
    #expect(Captures.apnsProvider.count >= 4)
  }

  @Test(arguments: Captures.apnsProvider)
  func `requests end as the truth file says`(_ truth: Captures.Truth) throws {
    let inspection = try Self.inspect(truth)
    let expected = truth.expected.subscribers.mapValues { $0.filter { $0.value > 0 } }
    #expect(MQTTCapturesTests.counts(inspection.observation) == expected)
    let violated = inspection.observation.findings.filter { $0.verdict == .violated }
    let found = Set(
      violated.map {
        Captures.Truth.Expected.Finding(oracle: $0.oracle.rawValue, subscriber: $0.subscriber)
      })
    #expect(found == Set(truth.expected.findings))
    for finding in violated { #expect(!finding.frames.isEmpty) }
    for session in inspection.observation.sessions {
      #expect(session.protocolName == "apns-provider" && session.version == "HTTP/2")
      #expect(session.accepted + session.rejected == session.acknowledged)
      #expect(session.evidenceMissing.isEmpty && session.isIdentified)
    }
    #expect(inspection.capture.unrecognised.isEmpty)
  }

  /// Beside the frames that tshark lists.
  @Test func `frames are counted`() throws {
    let session = try #require(try Self.named("h2-answers").observation.sessions.first)
    #expect(
      session.messages == [
        MessageCount("DATA", toServer: 9, toClient: 5),
        MessageCount("HEADERS", toServer: 9, toClient: 9),
        MessageCount("SETTINGS", toServer: 3, toClient: 3),
      ])
  }

  @Test func `answers keep their reasons`() throws {
    let observation = try Self.named("h2-answers").observation
    let rejected = observation.deliveries.filter { $0.state == .rejected }.map(\.reason)
    #expect(rejected.count == 5)
    #expect(rejected.first == "403 ExpiredProviderToken")
    #expect(rejected[1].hasPrefix("410 Unregistered, known since "))
    #expect(
      rejected[2...].elementsEqual([
        "429 TooManyProviderTokenUpdates", "400 BadDeviceToken", "503 ServiceUnavailable",
      ]))
    #expect(observation.deliveries.allSatisfy { $0.publisher == "team TEAM123456, key ABC123DEFG" })
  }

  @Test func `what GOAWAY refused is asked again`() throws {
    let observation = try Self.named("h2-goaway").observation
    let again = observation.deliveries.filter { $0.attempts > 1 }
    #expect(again.map(\.state) == [.ghost, .accepted, .accepted])
    let recovered = try #require(observation.findings.first { $0.label == "RECOVERED" })
    #expect(recovered.deliveries == again.dropFirst().map(\.id))
    #expect(recovered.verdict == .holds && recovered.reason.contains("nothing is delivered twice"))
  }

  @Test(arguments: Captures.apnsProvider)
  func `a report says that accepted is not delivered, and shows no secret`(
    _ truth: Captures.Truth
  ) throws {
    let inspection = try Self.inspect(truth)
    for text in [InspectionText.text(inspection), InspectionJSON.text([inspection])] {
      #expect(text.contains("accepted, not delivered"))
      // The signature, the whole token, and a whole device token.
      for secret in ["bearer", "eyJ", "aaaa00000000", "drop01010101"] {
        #expect(!text.contains(secret), "\(secret)")
      }
    }
  }

  @Test(arguments: Captures.apnsProvider)
  func `the ledger is that of the same capture in the clear`(_ truth: Captures.Truth) throws {
    let twin = FileManager.default.temporaryDirectory
      .appending(path: "pushbench-twin-\(UUID().uuidString).pcap").path
    defer { try? FileManager.default.removeItem(atPath: twin) }
    try ClearTwin.write(truth.path, try Self.options(truth), to: twin)
    let secured = try Self.inspect(truth).observation
    let clear = try CaptureInspection.inspect(twin).observation
    func states(_ observation: CaptureObservation) -> [String] {
      observation.deliveries.map {
        "\($0.id.number) \($0.topic) \($0.state) \($0.reason) \($0.size)"
      }
    }
    #expect(!secured.deliveries.isEmpty && states(secured) == states(clear))
    #expect(secured.findings.map(\.headline) == clear.findings.map(\.headline))
    #expect(secured.sessions.map(\.messages) == clear.sessions.map(\.messages))
  }
}
