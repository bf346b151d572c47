import Custody
import Inspection
import PushProtocols
import Replay
import Simulation
import Testing

/// Two ways to the same answer: what inspection reads off a capture without any model, and what the
/// machines come to when they run the scenario that was extracted from it.
@Suite struct LedgerAgainstInspectionTests {
  /// Where an inspection and a run speak of the same subscriber.
  private struct Counts: Equatable {
    var acknowledged = 0
    var writings = 0
  }

  /// Where the two count different things, and both are right.
  private static let counted: [String: String] = [
    "publisher-killed-before-puback.pcapng":
      "sent again with DUP: to inspection a second delivery, to the ledger the same publication",
    "qos-2-abandoned-before-pubcomp.pcapng":
      "inspection wants PUBCOMP, the ledger PUBREC, by which the subscriber has the message",
  ]

  @Test(
    arguments: (FidelityTests.faultFree + FidelityTests.faulty).filter { counted[$0] == nil })
  func `runs acknowledge and write as often as inspection says`(name: String) throws {
    let path = CaptureFolder.path(name)
    let deliveries = try CaptureInspection.inspect(path).observation.deliveries
    for fidelity in try Replay.capture(path) {
      let subscriber = fidelity.history.subscriber
      var read = Counts()
      for delivery in deliveries where delivery.subscriber == subscriber {
        read.writings += Int(delivery.attempts)
        if delivery.state == .acknowledged { read.acknowledged += 1 }
      }
      var run = Counts()
      let devices = fidelity.history.scenario.devices
      for line in fidelity.ledger {
        guard !line.receiver.isServer, devices[line.receiver.device].identity == subscriber,
          let row = line.simulated
        else { continue }
        run.writings += Int(row.sends)
        if row.facts.contains(.acknowledged) { run.acknowledged += 1 }
      }
      #expect(read == run, "\(name), \(subscriber)")
    }
  }
}
