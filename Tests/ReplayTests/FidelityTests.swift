import Custody
import PushProtocols
import Replay
import Simulation
import Testing

/// How well the machines repeat what real software was recorded doing.
@Suite struct FidelityTests {
  /// Nothing went wrong in these: every application message must come in order.
  static let faultFree = [
    "any-interface.pcap", "broker-restarted-with-persistence.pcapng",
    "clean-start-drops-queue.pcap", "ipv6-loopback.pcapng", "keep-alive-pings.pcapng",
    "large-payload.pcap", "offline-queue.pcap", "pending-at-the-end.pcap", "qos-0-1-2.pcap",
    "qos-2-paho.pcap", "queue-expired-message.pcapng", "receive-maximum.pcap",
    "retained-message.pcapng", "server-keep-alive.pcap", "session-expired.pcap",
    "session-expiry-returned-in-time.pcapng",
    "several-subscribers.pcap", "topic-alias.pcapng", "unsubscribed.pcap",
    "will-withdrawn.pcapng",
  ]

  /// Something did: what was extracted must lead to the same ledger.
  static let faulty = [
    "broker-killed-in-flight.pcapng", "broker-killed-without-persistence.pcap",
    "half-open-packet-filter.pcapng", "killed-before-puback.pcap", "link-down-and-up.pcap",
    "one-way-loss.pcap", "publisher-killed-before-puback.pcapng",
    "qos-2-abandoned-before-pubcomp.pcapng",
    "qos-2-killed-before-pubcomp.pcap", "qos-2-killed-before-pubrec.pcap",
    "qos-2-killed-before-pubrel.pcapng", "queue-overflow.pcapng", "reset-after-silence.pcap",
    "stopped-then-killed-clean-session.pcapng", "stopped-then-killed.pcap",
    "takeover-in-flight.pcapng", "will-after-kill.pcap", "zombie-past-keep-alive.pcapng",
  ]

  @Test(arguments: faultFree)
  func `without faults every application message is reproduced in order`(name: String) throws {
    for fidelity in try Replay.capture(CaptureFolder.path(name)) {
      #expect(fidelity.application.isWhole, "\(name): \(fidelity.differences)")
      #expect(fidelity.isLedgerSame, "\(name)")
      #expect(fidelity.history.scenario.faults.isEmpty, "\(name): none happened")
    }
  }

  @Test(arguments: faulty)
  func `with faults the ledger comes out the same`(name: String) throws {
    for fidelity in try Replay.capture(CaptureFolder.path(name)) {
      #expect(fidelity.application.isWhole, "\(name): \(fidelity.differences)")
      #expect(fidelity.isLedgerSame, "\(name)")
    }
  }

  @Test func `a machine that does something else is found out`() throws {
    let path = CaptureFolder.path("stopped-then-killed.pcap")
    let fidelity = try #require(
      try Replay.capture(path, server: "mqtt.broker@forgets-in-flight").first)
    #expect(!fidelity.isFaithful && !fidelity.isLedgerSame)
    #expect(fidelity.application.reproduced == fidelity.application.captured - 4)
    let first = try #require(fidelity.firstDifference)
    #expect(first.cause == .machine)
    #expect(fidelity.lines[first.line].captured?.text == "PUBLISH 3 t/x (QoS 1, DUP)")
  }

  @Test func `an unknown machine is named with those that are known`() {
    #expect(throws: ReplayError.self) {
      try Replay.capture(CaptureFolder.path("qos-0-1-2.pcap"), client: "mqtt.client@nobody")
    }
  }

  @Test func `a replay is the same every time`() throws {
    for name in CaptureFolder.all {
      let first = try? Replay.capture(CaptureFolder.path(name))
      let second = try? Replay.capture(CaptureFolder.path(name))
      #expect(first?.map(\.summary) == second?.map(\.summary))
      #expect(first?.map(\.lines) == second?.map(\.lines))
    }
  }
}
