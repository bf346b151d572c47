import Custody
import Foundation
import Inspection
import Testing

/// The courier recordings in packed framing.
@Suite struct PackedCapturesTests {
  private func inspect(
    _ name: String, _ accident: PackedTwin.Accident = .none, at: Int = 0
  ) throws -> CaptureObservation {
    let twin = FileManager.default.temporaryDirectory
      .appending(path: "packed-\(name)-\(accident)-\(at)-\(getpid()).pcap").path
    defer { try? FileManager.default.removeItem(atPath: twin) }
    try PackedTwin.write(Captures.path("apns/\(name).pcap"), to: twin, accident, at: at)
    return try CaptureInspection.inspect(twin).observation
  }

  @Test(arguments: ["courier-clear", "courier-stopped-then-killed"])
  func `in packed framing they end as in serial`(_ name: String) throws {
    let serial = try CaptureInspection.inspect(Captures.path("apns/\(name).pcap")).observation
    let packed = try inspect(name)
    #expect(Set(packed.sessions.map(\.version)) == ["packed"])
    #expect(packed.sessions.map(\.messages) == serial.sessions.map(\.messages))
    #expect(packed.sessions.map(\.details) == serial.sessions.map(\.details))
    #expect(packed.tallies == serial.tallies)
    #expect(packed.findings.map(\.headline) == serial.findings.map(\.headline))
    #expect(packed.deliveries.map(\.digest) == serial.deliveries.map(\.digest))
    #expect(packed.warnings.isEmpty)
  }

  /// The third frame of the courier is its first notification, which stores the app's topic.
  @Test func `a frame that never got onto the wire leaves the tables apart`() throws {
    let observation = try inspect("courier-clear", .drops, at: 3)
    let violated = observation.findings.filter { $0.verdict == .violated }
    #expect(violated.allSatisfy { $0.rule.hasPrefix("apns-") })
    #expect(!violated.isEmpty || observation.sessions[0].unacknowledged > 0)
  }

  @Test(arguments: 1...8)
  func `dropped and repeated frames are never a crash nor a ghost`(_ at: Int) throws {
    for accident in [PackedTwin.Accident.drops, .repeats] {
      let observation = try inspect("courier-stopped-then-killed", accident, at: at)
      #expect(!observation.findings.contains { $0.oracle == .ghost && $0.verdict == .violated })
      #expect(!observation.findings.contains { $0.oracle == .zombie })
      #expect(observation.sessions.count == 2)
    }
  }
}
