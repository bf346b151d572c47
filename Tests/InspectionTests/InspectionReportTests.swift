import Custody
import Foundation
import Inspection
import Reporting
import Testing

/// What `inspect` prints.
@Suite struct InspectionReportTests {
  private func inspect(_ name: String) throws -> InspectionRecord {
    // The path is part of the report; a short one reads the same everywhere.
    var inspection = try CaptureInspection.inspect(Captures.mqtt(name))
    inspection.capture.path = name
    return inspection
  }

  @Test func `a capture in which all is well takes few lines`() throws {
    let text = InspectionText.text(try inspect("ipv6-loopback"))
    let lines = text.split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines[0].hasPrefix("ipv6-loopback   "))
    #expect(lines.last == " Nothing is wrong. 4 messages published, 4 accepted.")
  }

  @Test func `a loss is told with times and frames`() throws {
    let inspection = try inspect("broker-killed-without-persistence")
    let text = InspectionText.text(inspection)
    #expect(text.contains(" #1 LOST  5 deliveries to gb were accepted and never sent"))
    #expect(text.contains("CONNACK says session present 0: nothing was kept"))
    #expect(text.hasSuffix(" 1 finding.\n"))
    let finding = try #require(inspection.observation.findings.first)
    for frame in finding.frames { #expect(text.contains("frame \(frame) ")) }
  }

  @Test(arguments: Captures.mqtt)
  func `no line is wider than the terminal`(_ truth: Captures.Truth) throws {
    let inspection = try inspect(truth.name)
    for line in InspectionText.text(inspection).split(separator: "\n") {
      #expect(TerminalStyle.columns(of: line) <= 120, "\(line)")
    }
  }

  @Test func `payloads are in no report`() throws {
    let inspection = try inspect("stopped-then-killed")
    for text in [InspectionText.text(inspection), InspectionJSON.text([inspection])] {
      #expect(!text.contains("ghost-0"))
    }
  }

  // MARK: JSON

  @Test(arguments: Captures.mqtt)
  func `JSON parses and has the promised names`(_ truth: Captures.Truth) throws {
    let text = InspectionJSON.text([try inspect(truth.name)])
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(
      document.keys.sorted() == [
        "captures", "connections", "deliveries", "findings", "sessions", "version",
      ])
    let sessions = try #require(document["sessions"] as? [[String: Any]])
    for session in sessions {
      for key in [
        "protocol", "subscriber", "sent", "acknowledged", "unacknowledged", "redelivered", "end",
        "began", "ended",
      ] { #expect(session[key] != nil, "\(key)") }
    }
    for delivery in try #require(document["deliveries"] as? [[String: Any]]) {
      for key in ["id", "subscriber", "topic", "state", "attempts", "events"] {
        #expect(delivery[key] != nil, "\(key)")
      }
      for event in try #require(delivery["events"] as? [[String: Any]]) {
        for key in ["event", "time", "frame", "session"] { #expect(event[key] != nil, "\(key)") }
      }
    }
    for finding in try #require(document["findings"] as? [[String: Any]]) {
      for key in ["oracle", "verdict", "subscriber", "deliveries", "reason", "frames"] {
        #expect(finding[key] != nil, "\(key)")
      }
    }
  }

  @Test func `the same capture gives the same bytes`() throws {
    for truth in Captures.mqtt {
      #expect(
        InspectionJSON.text([try inspect(truth.name)])
          == InspectionJSON.text([try inspect(truth.name)]))
    }
  }

  @Test func `several captures keep their numbers apart`() throws {
    let text = InspectionJSON.text([try inspect("ipv6-loopback"), try inspect("large-payload")])
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let sessions = try #require(document["sessions"] as? [[String: Any]])
    #expect(Set(sessions.compactMap { $0["capture"] as? Int }) == [0, 1])
  }

  @Test func `findings are numbered within their capture`() throws {
    var inspection = try inspect("broker-killed-without-persistence")
    inspection.observation.findings += inspection.observation.findings
    let text = InspectionJSON.text([inspection, try inspect("stopped-then-killed")])
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let findings = try #require(document["findings"] as? [[String: Any]])
    #expect(findings.map { $0["capture"] as? Int } == [0, 0, 1])
    #expect(findings.map { $0["number"] as? Int } == [1, 2, 1])
  }

  @Test func `a long document is written in pieces, and they are the whole`() throws {
    var inspection = try inspect("offline-queue")
    let few = inspection.observation.deliveries
    for _ in 0..<100 { inspection.observation.deliveries += few }
    var pieces: [String] = []
    InspectionJSON.write([inspection]) { pieces.append($0) }
    #expect(pieces.count > 5)
    // One delivery more than what is written at a time.
    #expect(pieces.allSatisfy { $0.utf8.count < 70_000 })
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(pieces.joined().utf8)) as? [String: Any])
    #expect((document["deliveries"] as? [Any])?.count == 101 * few.count)
    #expect(pieces.joined() == InspectionJSON.text([inspection]))
  }

  @Test func `control characters in names stay inside of their string`() throws {
    var inspection = try inspect("ipv6-loopback")
    inspection.capture.path = "a\"b\\c\n\u{1}"
    let text = InspectionJSON.text([inspection])
    let document = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let captures = try #require(document["captures"] as? [[String: Any]])
    #expect(captures[0]["file"] as? String == "a\"b\\c\n\u{1}")
  }

  @Test func `sessions as JSON lines are one object a line`() throws {
    let inspection = try inspect("offline-queue")
    let lines = InspectionJSON.sessionLines(inspection).split(separator: "\n")
    #expect(lines.count == inspection.observation.sessions.count)
    for line in lines {
      #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any])
    }
  }
}
