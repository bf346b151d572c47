internal import Custody
internal import Search
internal import Simulation
internal import Timeline

/// Writes the scenarios of a comparison: days of the given scenarios, changed by the mutators of a
/// search, with nothing known of the machines that will be compared.
///
/// Each scenario follows from its seed and its number alone. All faults strike at instants, so that
/// the network does the same to every machine: where a mutator anchored a fault at a message or a
/// state, it strikes when that came in a run of the protocol's standard machines. There is no
/// feedback from runs, and so nothing to tune.
struct PairedScenarios {
  private let given: [Scenario]
  /// The given ones, made to last a day but for its very end.
  private let days: [Scenario]
  private let day: MeasuredDay
  private let hints: [AnchorHints]
  private let moderation: Moderation
  private let standard: any Bench

  /// They change what a device's user asked for, or how long a day is, which is no weather.
  static let leftOut = ["change-parameter", "add-subscriber", "stretch-time"]
  /// Changes of a day, at most; each has as many faults as remain of them, and one at least.
  static let changes = 12
  /// So often a scenario is written anew when no fault of it strikes.
  static let tries = 8

  /// `nil` when the protocol has no standard machines.
  init?(_ given: [Scenario], day: MeasuredDay, subject: ProtocolUnderTest) {
    guard let bench = subject.makeBench(subject.standardClient, subject.standardServer) else {
      return nil
    }
    standard = bench
    self.day = day
    self.given = given
    let days = given.map { day.filling($0) }
    self.days = days
    var moderation = Moderation(for: days)
    moderation.latest = days.reduce(.start + day.length) { max($0, $1.lastTime) }
    self.moderation = moderation
    hints = days.map { scenario in
      let trace = Self.trace(of: day.ending(scenario), on: bench)
      return AnchorHints(scenario, trace: trace, subject: subject)
    }
  }

  /// The number-th scenario of the seed.
  func scenario(seed: UInt64, number: Int) -> Scenario {
    var random = SeededRandom(
      seed: seed &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(number) &* 0xd1b5_4a32_d192_ed03)
    var scenario = days[0]
    for _ in 0..<Self.tries {
      let parent = random.below(days.count)
      scenario = days[parent]
      mutate(&scenario, parent, &random)
      scenario = day.ending(scenario)
      strikeAtInstants(&scenario)
      if !scenario.faults.isEmpty { break }
    }
    return scenario
  }

  /// What is given, without faults.
  func healthyDay(of index: Int) -> Scenario {
    var scenario = given[index]
    scenario.faults = []
    return day.prolonging(scenario)
  }

  private func mutate(
    _ scenario: inout Scenario, _ parent: Int, _ random: inout SeededRandom
  ) {
    let partner = days[random.below(days.count)].faults
    let ground = MutationGround(hints: hints[parent], partner: partner, moderation: moderation)
    var wanted = 1 + random.below(Self.changes)
    var tries = 0
    while wanted > 0, tries < Self.changes * 4 {
      tries += 1
      let mutator = MutatorCatalog.all[MutatorCatalog.draw(using: &random)].mutator
      guard !Self.leftOut.contains(mutator.name) else { continue }
      if mutator.mutate(&scenario, on: ground, using: &random) { wanted -= 1 }
    }
  }

  /// Gives each fault the instant at which it strikes the standard machines; what never strikes
  /// them is left out.
  private func strikeAtInstants(_ scenario: inout Scenario) {
    func isTimed(_ fault: Fault) -> Bool {
      if case .at = fault.anchor { return true }
      return false
    }
    guard !scenario.faults.allSatisfy(isTimed) else { return }
    var timed: [Fault?] = scenario.faults.map { isTimed($0) ? $0 : nil }
    for entry in Self.trace(of: scenario, on: standard) {
      guard case .fault(let position) = entry.what, timed[position] == nil else { continue }
      var fault = scenario.faults[position]
      fault.anchor = .at(entry.time)
      if fault.node.isServer, !fault.kind.isServers { fault.node = entry.device }
      timed[position] = fault
    }
    scenario.faults = timed.compactMap { $0 }
  }

  /// Up to the end of the day.
  private static func trace(of scenario: Scenario, on bench: any Bench) -> [TraceEntry] {
    var options = RunOptions()
    options.calm = false
    options.until = scenario.steps.last?.time ?? .start
    options.tracing = true
    options.describing = false
    options.eventLimit = Comparison.eventLimit
    _ = bench.run(scenario, options: options)
    return bench.trace
  }
}
