import Custody
import Foundation
import Inspection
import Reporting
import TLS
import Testing
import Unwrapping

/// Every courier recording in captures/apns ends as its truth file says.
@Suite struct APNsCapturesTests {
  static let recordings = Captures.all("apns").filter { $0.name.hasPrefix("courier-") }

  private func inspect(_ truth: Captures.Truth) throws -> InspectionRecord {
    var options = CaptureOptions()
    if let log = FileManager.default.contents(atPath: truth.keyLog) {
      options.secrets.read(keyLog: log)
    }
    return try CaptureInspection.inspect(truth.path, options)
  }

  private func courier(_ name: String) throws -> InspectionRecord {
    try inspect(try #require(Self.recordings.first { $0.name == name }))
  }

  @Test func `there are captures`() { #expect(Self.recordings.count == 3) }

  @Test(arguments: recordings)
  func `deliveries and findings are those of the truth file`(_ truth: Captures.Truth) throws {
    let inspection = try inspect(truth)
    let expected = truth.expected.subscribers.mapValues { $0.filter { $0.value > 0 } }
    #expect(MQTTCapturesTests.counts(inspection.observation) == expected)
    #expect(truth.expected.findings.isEmpty && !inspection.hasViolations)
    #expect(inspection.observation.warnings.isEmpty)
    for delivery in inspection.observation.deliveries {
      let sent = delivery.events.count { $0.step == .sent || $0.step == .redelivered }
      #expect(sent == Int(delivery.attempts))
      let times = delivery.events.map(\.moment.time)
      #expect(times == times.sorted())
    }
  }

  /// Counted by hand from the packets.
  @Test func `every frame is counted`() throws {
    let clear = try courier("courier-clear").observation.sessions
    #expect(clear.count == 1)
    let expected = [
      MessageCount("Connect", toServer: 1, toClient: 0),
      MessageCount("ConnectResponse", toServer: 0, toClient: 1),
      MessageCount("Filter", toServer: 2, toClient: 0),
      MessageCount("Notification", toServer: 0, toClient: 6),
      MessageCount("Ack", toServer: 6, toClient: 0),
      MessageCount("AppToken", toServer: 1, toClient: 0),
      MessageCount("AppTokenResponse", toServer: 0, toClient: 1),
    ]
    #expect(clear[0].messages == expected)
    let secured = try courier("courier-tls").observation.sessions
    #expect(
      secured[0].messages
        == expected[..<5] + [
          MessageCount("KeepAlive", toServer: 1, toClient: 0),
          MessageCount("KeepAliveResponse", toServer: 0, toClient: 1),
        ] + expected[5...])
    #expect(secured[0].tls?.chosenProtocol == "apns-security-v3")
    #expect(secured[0].details.contains(SessionDetail("keep-alives", "1, answered 1")))
  }

  @Test func `what a stopped device left is sent again on its next connection`() throws {
    let observation = try courier("courier-stopped-then-killed").observation
    #expect(observation.sessions.map(\.sent) == [8, 11])
    #expect(observation.sessions.map(\.unacknowledged) == [3, 0])
    #expect(observation.sessions.map(\.redelivered) == [0, 3])
    #expect(observation.sessions.map(\.end) == [.clientReset, .clientClosed])
    let again = observation.deliveries.filter { $0.attempts == 2 }
    #expect(again.map(\.id.number) == [6, 7, 8])
    for delivery in again {
      // The kernel had it, and nobody read it.
      #expect(
        delivery.events.map(\.step)
          == [.sent, .transportAcknowledged, .redelivered, .transportAcknowledged, .acknowledged])
    }
    let story = try #require(observation.findings.first)
    #expect(observation.findings.count == 1)
    #expect(story.label == "RECOVERED" && story.verdict == .holds)
    #expect(story.deliveries == again.map(\.id))
  }

  @Test func `without secrets nothing is said`() throws {
    let truth = try #require(Self.recordings.first { $0.name == "courier-tls" })
    let inspection = try CaptureInspection.inspect(truth.path)
    #expect(inspection.observation.sessions.isEmpty)
    #expect(inspection.connections.map(\.speaks) == ["APNs"])
  }

  @Test func `a report shows what a person looks for`() throws {
    let truth = try #require(Self.recordings.first { $0.name == "courier-stopped-then-killed" })
    var options = CaptureOptions()
    options.topicNames = ["com.example.app"]
    let inspection = try CaptureInspection.inspect(truth.path, options)
    let text = InspectionText.text(inspection)
    #expect(text.contains("apns serial"))
    #expect(text.contains("RECOVERED  3 notifications to device feab09eb0960"))
    #expect(text.contains("presented token none; protocol version 11; presence flags 0x41"))
    let json = InspectionJSON.text([inspection])
    #expect(json.contains(#""presence flags": "0x41""#))
  }
}
