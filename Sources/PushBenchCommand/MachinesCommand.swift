import ArgumentParser
import PushBench

/// `pushbench machines`: who can be put to the test.
struct MachinesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machines",
    abstract: "Lists the machines: the good ones, and specimens with a known defect.",
    discussion: """
      A specimen does one thing differently from its protocol, as it was seen somewhere. It shows \
      that the search finds such a thing, and what the finding looks like:
        pushbench fuzz mqtt --server mqtt.broker@leaks-window --executions 20000 --first

      What would this system have done with a client that never refreshes its token?
        pushbench replay captures/mqtt/offline-queue.pcap --client mqtt.client@token-never-refreshed
      """)

  func run() {
    for subject in ProtocolCatalog.all {
      for side in Side.allCases {
        Terminal.print("\(subject.name) \(side == .client ? "clients" : "servers")")
        for machine in subject.machines where machine.side == side {
          Terminal.print("  \(machine.name)")
          Terminal.print("      \(machine.summary)")
          if !machine.citation.isEmpty { Terminal.print("      seen: \(machine.citation)") }
        }
      }
    }
  }
}
