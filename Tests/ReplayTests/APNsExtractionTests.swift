import Custody
import Foundation
import PushProtocols
import Replay
import Simulation
import TLS
import Testing
import Timeline
import Unwrapping

/// Scenarios out of recordings of a device and its courier.
@Suite struct APNsExtractionTests {
  private static func path(_ name: String) -> String {
    CaptureFolder.root.appending(path: "captures/apns/\(name)").path
  }

  private static func options(_ name: String) -> CaptureOptions {
    var options = CaptureOptions()
    if let log = FileManager.default.contents(atPath: path(name + ".keylog")) {
      options.secrets.read(keyLog: log)
    }
    return options
  }

  private func history(_ name: String) throws -> ExtractedHistory {
    let all = try ScenarioSource.extraction(
      fromCapture: Self.path(name + ".pcap"), Self.options(name))
    #expect(all.histories.count == 1)
    return try #require(all.histories.first)
  }

  private func replay(_ name: String) throws -> Fidelity {
    let all = try Replay.capture(Self.path(name + ".pcap"), Self.options(name))
    return try #require(all.first)
  }

  @Test(arguments: ["courier-clear", "courier-tls"])
  func `a device that was sent six notifications is repeated`(_ name: String) throws {
    let fidelity = try replay(name)
    #expect(fidelity.isFaithful, "\(fidelity.differences)")
    #expect(fidelity.application.captured == 6)
    #expect(fidelity.ledger.count == 6)
    // What is different is what this client does otherwise: an empty filter, and no state.
    let odd = fidelity.differences.map { fidelity.lines[$0.line] }
      .map { $0.captured?.text ?? $0.simulated?.text ?? "" }
    #expect(Set(odd).isSubset(of: ["set-state", "no-storage", "filter 0 topics"]), "\(odd)")
    #expect(fidelity.history.unmodelled.isEmpty)
  }

  @Test func `the scenario says what happened`() throws {
    let scenario = try history("courier-clear").scenario
    #expect(scenario.model == "apns")
    #expect(scenario.devices.map(\.name) == ["device-cf0ef6ad8a57", "unseen-provider"])
    #expect(scenario.topics == ["push:4843e619ff616547b1340db67b824e1680b1c9cc"])
    let phone = NodeID(device: 0)
    let actions = scenario.steps.filter { $0.node == phone }.map(\.action)
    // The client closes as the recording ends, which says nothing of what its user wants.
    #expect(actions == [.subscribe(topic: 0, quality: 1), .connect])
    let sent = scenario.steps.compactMap { step -> Submission? in
      guard case .submit(let submission) = step.action else { return nil }
      return submission
    }
    #expect(sent.map(\.publication) == [1, 2, 3, 4, 5, 6])
    #expect(Set(sent.map(\.expiry)) == [.seconds(3600)])
    #expect(scenario.faults.isEmpty && scenario.expectations.isEmpty)
    // The certificate that the device shows is good for thirty days.
    #expect(
      scenario.devices[0].parameters.contains(
        Parameter("credential-lifetime", 30 * 86_400 * 1_000_000_000)))
  }

  @Test func `keep-alives come as often as they were seen to`() throws {
    let device = try history("courier-tls").scenario.devices[0]
    let interval = try #require(device.parameters.first { $0.name == "keep-alive" }).value
    #expect((29_000_000_000...31_000_000_000).contains(interval))
  }

  @Test func `topics have the names that the user gives them`() throws {
    var options = CaptureOptions()
    options.topicNames = ["com.apple.madrid"]
    let all = try ScenarioSource.extraction(
      fromCapture: Self.path("courier-clear.pcap"), options)
    #expect(all.histories[0].scenario.topics[0].hasPrefix("push:4843e619"))
  }

  @Test func `a device that stops and is killed comes back for what it missed`() throws {
    let history = try history("courier-stopped-then-killed")
    let phone = NodeID(device: 0)
    let actions = history.scenario.steps.filter { $0.node == phone }.map(\.action)
    #expect(
      actions == [
        .subscribe(topic: 0, quality: 1), .connect, .sleep, .kill(host: false), .launch,
      ])
    #expect(
      history.deliveries.map(\.sends) == [1, 1, 1, 1, 1, 2, 2, 2] + Array(repeating: 1, count: 8))
    #expect(Set(history.deliveries.map(\.isAcknowledged)) == [true])

    // Apple's courier is said to keep one notification of an app; this one kept four: three that
    // were not acknowledged, and the ninth, which waited while nobody was there.
    #expect(history.scenario.serverParameters == [Parameter("stored-per-app", 4)])
    let fidelity = try replay("courier-stopped-then-killed")
    let missing = fidelity.lines.filter { $0.simulated == nil && $0.isApplication }
    #expect(missing.count == 0)
    #expect(fidelity.application.extra == 0)
    #expect(fidelity.ledger.filter { !$0.isSame }.map(\.publication) == [])
  }

  @Test func `nothing is taken out of other captures`() throws {
    for name in CaptureFolder.all.prefix(8) {
      let all = try ScenarioSource.extraction(fromCapture: CaptureFolder.path(name))
      #expect(Set(all.histories.map(\.scenario.model)).isSubset(of: ["mqtt"]))
    }
  }
}
