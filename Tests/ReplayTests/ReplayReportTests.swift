import Custody
import Foundation
import PushProtocols
import Replay
import Reporting
import Simulation
import Testing

/// What people and programs are told about a replay.
@Suite struct ReplayReportTests {
  private func replay(_ name: String, server: String? = nil) throws -> Fidelity {
    try #require(try Replay.capture(CaptureFolder.path(name), server: server).first)
  }

  @Test func `a faithful replay is told in a few lines`() throws {
    let fidelity = try replay("offline-queue.pcap")
    let text = ReplayText.text(fidelity, capture: "offline-queue.pcap", style: .plain)
    #expect(text.contains("FAITHFUL"))
    #expect(text.contains("18 of 18 application messages in order"))
    #expect(text.split(separator: "\n").count < 8, "\(text)")
    let all = ReplayText.text(
      fidelity, capture: "offline-queue.pcap", isComplete: true, style: .plain)
    #expect(all.split(separator: "\n").count > fidelity.lines.count)
  }

  @Test func `a difference is shown with its neighbours, its cause and the ledger`() throws {
    let fidelity = try replay(
      "stopped-then-killed.pcap", server: "mqtt.broker@forgets-in-flight")
    let text = ReplayText.text(fidelity, capture: "x", style: .plain)
    for part in ["DIFFERENT", "FIRST DIFFERENCE", "machine:", "captured only", "not acknowledged"] {
      #expect(text.contains(part), "\(part)\n\(text)")
    }
  }

  @Test func `JSON has its documented names and is the same every time`() throws {
    let fidelity = try replay("queue-overflow.pcapng")
    var forgetful = try replay("stopped-then-killed.pcap").history.scenario
    forgetful.server = "mqtt.broker@forgets-in-flight"
    let run = try Replay.scenario(forgetful)
    let text = ReplayJSON.text(captures: [("a", fidelity)], scenarios: [("b", run)])
    #expect(text == ReplayJSON.text(captures: [("a", fidelity)], scenarios: [("b", run)]))
    let root = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let replays = try #require(root["replays"] as? [[String: Any]])
    #expect(replays[0]["faithful"] as? Bool == true)
    let counts = try #require(replays[0]["application_messages"] as? [String: Int])
    #expect(counts["captured"] == counts["reproduced"])
    let runs = try #require(root["runs"] as? [[String: Any]])
    #expect(runs[0]["verdict"] as? String == "violated")
    let findings = try #require(runs[0]["findings"] as? [[String: Any]])
    #expect(!findings.isEmpty)
    #expect(findings.allSatisfy { $0["oracle"] as? String == "ghost" })
  }

  @Test func `a scenario without anything wrong is clean, with the same trace every time`() throws {
    let scenario = try replay("qos-0-1-2.pcap").history.scenario
    let first = try Replay.scenario(scenario)
    let second = try Replay.scenario(scenario)
    #expect(first.verdict == .holds && first.violations.isEmpty)
    #expect(first.summary == second.summary)
    let text = ReplayRunText.text(first, file: "x.scenario", style: .plain)
    #expect(text.contains("CLEAN") && text.contains("acknowledged"))
  }
}
