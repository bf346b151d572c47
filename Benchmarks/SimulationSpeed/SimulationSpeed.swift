import CAllocations
import Foundation
import PushBench

/// Runs scenarios over and over and prints, for each: events a run, runs a second, nanoseconds and
/// heap allocations an event. With `--check` it fails when an event allocates.
///
/// usage: SimulationSpeed [--check] [--runs N] [--only WORD] [SCENARIO…]
///
/// Without scenario files: the standard scenarios (`--only`: those whose source holds WORD).
@main
struct SimulationSpeed {
  static func main() {
    let arguments = CommandLine.arguments
    let check = arguments.contains("--check")
    var runs = check ? 200 : 20_000
    if let at = arguments.firstIndex(of: "--runs"), at + 1 < arguments.count {
      runs = Int(arguments[at + 1]) ?? runs
    }
    var only = ""
    if let at = arguments.firstIndex(of: "--only"), at + 1 < arguments.count {
      only = arguments[at + 1]
    }
    var failed = false
    for file in arguments.dropFirst() where file.hasSuffix(".scenario") {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8),
        let scenario = try? ScenarioScript.read(text, file: file, catalog: ProtocolCatalog.all),
        let model = ProtocolCatalog.all.first(where: { $0.name == scenario.model }),
        let bench = model.makeBench(scenario.client, scenario.server)
      else {
        print("\(file): not a scenario that can be run")
        exitWith(66)
      }
      failed = measure(scenario, bench, runs: runs) > 0 || failed
      only = "\n"
    }
    for model in ProtocolCatalog.all {
      for scenario in model.standardScenarios where only.isEmpty || scenario.source.contains(only) {
        guard let bench = model.makeBench(scenario.client, scenario.server) else { continue }
        failed = measure(scenario, bench, runs: runs) > 0 || failed
      }
    }
    if check, failed {
      print("An event allocates: look for a class, a closure, an existential or a missing @inlinable.")
    }
    if check { exitWith(failed ? 1 : 0) }
  }

  /// - Returns: heap allocations of all runs after the warm-up.
  static func measure(_ scenario: Scenario, _ bench: any Bench, runs: Int) -> UInt64 {
    var summary = RunSummary()
    for _ in 0..<20 { summary = bench.run(scenario, options: RunOptions()) }
    let clock = ContinuousClock()
    let allocationsBefore = pushbench_allocations()
    let start = clock.now
    for _ in 0..<runs { _ = bench.run(scenario, options: RunOptions()) }
    let elapsed = clock.now - start
    let allocations = pushbench_allocations() - allocationsBefore
    let nanoseconds =
      Double(elapsed.components.seconds) * 1e9 + Double(elapsed.components.attoseconds) / 1e9
    let events = Double(summary.events) * Double(runs)
    let name = scenario.source.isEmpty ? scenario.model : scenario.source
    print(
      "\(name): \(summary.events) events, \(summary.messages) messages, "
        + "\(Int(Double(runs) * 1e9 / nanoseconds)) runs/s, "
        + "\(Int(nanoseconds / events)) ns/event, \(allocations) allocations in \(runs) runs")
    return allocations
  }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

private func exitWith(_ code: Int32) -> Never { exit(code) }
