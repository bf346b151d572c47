internal import Custody
internal import Search
internal import Simulation
internal import Timeline

/// Writes the scenarios of a comparison: days of the given scenarios, each with weather of its own,
/// with nothing known of the machines that will be compared.
///
/// Each scenario follows from its seed and its number alone. All faults strike at instants, so that
/// the network does the same to every machine: where a given scenario anchors one at a message or a
/// state, it strikes when that came in a run of the protocol's standard machines. There is no
/// feedback from runs, and so nothing to tune.
struct PairedScenarios {
  private let given: [Scenario]
  /// The given ones, made to last a day.
  private let days: [Scenario]
  private let day: MeasuredDay
  private let weather: Weather

  /// The shortest lifetime of a credential that would outlive the day otherwise, as part of it.
  static let partsOfDay: UInt64 = 12

  /// `nil` when the protocol has no standard machines.
  init?(_ given: [Scenario], day: MeasuredDay, subject: ProtocolUnderTest) {
    guard let bench = subject.makeBench(subject.standardClient, subject.standardServer) else {
      return nil
    }
    self.day = day
    self.given = given
    days = given.map { scenario in
      var prolonged = day.prolonging(scenario)
      Self.strikeAtInstants(&prolonged, on: bench)
      return prolonged
    }
    let wipes = given.contains { scenario in
      scenario.faults.contains { fault in
        if case .restartServer(_, _, wipe: true) = fault.kind { return true }
        return false
      }
    }
    weather = Weather(mayWipe: wipes)
  }

  /// The number-th scenario of the seed.
  func scenario(seed: UInt64, number: Int) -> Scenario {
    var random = SeededRandom(
      seed: seed &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(number) &* 0xd1b5_4a32_d192_ed03)
    var scenario = days[random.below(days.count)]
    shortenCredentials(&scenario, using: &random)
    scenario.faults += weather.faults(of: scenario, until: .start + day.length, using: &random)
    return scenario
  }

  /// What is given, without faults.
  func healthyDay(of index: Int) -> Scenario {
    var scenario = given[index]
    scenario.faults = []
    return day.prolonging(scenario)
  }

  /// A credential that outlives the day would show nothing of its end, so that some end in each
  /// day: after a twelfth of it at the earliest, and as it ends at the latest.
  private func shortenCredentials(_ scenario: inout Scenario, using random: inout SeededRandom) {
    for index in scenario.devices.indices {
      guard let lifetime = scenario.devices[index].credentialLifetime, lifetime > day.length
      else { continue }
      let shortest = day.length / Self.partsOfDay
      let range = (day.length - shortest).count / Nanoseconds.seconds(1).count
      scenario.devices[index].credentialLifetime =
        shortest + .seconds(UInt64(random.below(Int(max(1, range)))))
    }
  }

  /// Gives each fault the instant at which it strikes the standard machines; what never strikes
  /// them is left out.
  private static func strikeAtInstants(_ scenario: inout Scenario, on bench: any Bench) {
    func isTimed(_ fault: Fault) -> Bool {
      if case .at = fault.anchor { return true }
      return false
    }
    guard !scenario.faults.allSatisfy(isTimed) else { return }
    var timed: [Fault?] = scenario.faults.map { isTimed($0) ? $0 : nil }
    for entry in trace(of: scenario, on: bench) {
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
