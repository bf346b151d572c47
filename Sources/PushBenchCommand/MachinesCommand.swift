import ArgumentParser
import PushBench

/// `pushbench machines`: who can be put to the test.
struct MachinesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machines",
    abstract: "Lists the machines: the good ones, and specimens with a known defect.")

  func run() {
    for subject in ProtocolCatalog.all {
      for side in Side.allCases {
        print("\(subject.name) \(side == .client ? "clients" : "servers")")
        for machine in subject.machines where machine.side == side {
          print("  \(machine.name)")
          print("      \(machine.summary)")
          if !machine.citation.isEmpty { print("      seen: \(machine.citation)") }
        }
      }
    }
  }
}
