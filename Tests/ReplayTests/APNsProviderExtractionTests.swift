import Foundation
import PushProtocols
import Replay
import Reporting
import Simulation
import TLS
import Testing
import Unwrapping

/// Captures of providers become scenarios that run.
@Suite struct APNsProviderExtractionTests {
  static let names = ["h2-answers", "h2-client-killed", "h2-goaway", "h2-never-answered"]

  private func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "captures/apns/\(name)").path
  }

  private func extraction(_ name: String) throws -> CaptureExtraction {
    var options = CaptureOptions()
    options.secrets.read(keyLog: try Data(contentsOf: URL(filePath: path(name + ".keylog"))))
    return try ScenarioSource.extraction(fromCapture: path(name + ".pcap"), options)
  }

  @Test(arguments: names)
  func `each capture has one provider, and its scenario goes through a file`(name: String) throws {
    let extraction = try extraction(name)
    #expect(extraction.histories.map(\.subscriber) == ["TEAM123456"])
    let history = try #require(extraction.histories.first)
    #expect(history.scenario.model == "apns-provider")
    #expect(history.scenario.flaw == nil)
    #expect(history.scenario.expectations == [])
    let text = ExtractionText.scenario(history, catalog: ProtocolCatalog.all)
    let read = try ScenarioScript.read(text, file: name, catalog: ProtocolCatalog.all)
    #expect(read == history.scenario, "\(text)")
    #expect(!text.contains("aaaa00000000"))
  }

  @Test func `requests come in the order of the capture`() throws {
    let history = try #require(try extraction("h2-answers").histories.first)
    let fidelity = try Replay.fidelity(of: history)
    #expect(fidelity.application.captured == 9)
    #expect(fidelity.application.isWhole)
    // What APNs did not accept is not in a scenario's words.
    #expect(history.unmodelled.count == 5)
  }

  @Test func `GOAWAY is repeated, and what it refused`() throws {
    let history = try #require(try extraction("h2-goaway").histories.first)
    #expect(history.scenario.serverParameters == [Parameter("goaway-at", 3)])
    #expect(history.deliveries.map(\.sends) == [1, 2, 1, 2, 2])
    #expect(history.deliveries.map(\.isAcknowledged) == [true, false, true, true, true])
  }

  @Test func `a provider that dies with requests open is killed`() throws {
    let history = try #require(try extraction("h2-client-killed").histories.first)
    #expect(history.scenario.steps.contains { $0.action == .kill(host: false) })
    #expect(history.scenario.steps.contains { $0.action == .launch })
  }
}
