public import Simulation
internal import Timeline

/// One campaign on several machines: the same scenarios for all, run and measured.
///
/// A paired experiment. What is run does not depend on what came of it, nor on the machines that
/// are compared; rounds are of a fixed size and merged in order, so that the number of workers
/// changes how long it takes and nothing else.
public struct Comparison: Sendable {
  public struct Settings: Sendable {
    /// Each writes scenarios of its own; how numbers differ between them is their spread.
    public var seeds: [UInt64] = Array(1...5)
    /// Scenarios of each seed.
    public var executions = 200
    public var day = MeasuredDay()
    public var radio = RadioModel()
    public var workers = 1
    public init() {}
  }

  /// One scenario of a comparison.
  public enum Unit: Hashable, Sendable {
    /// A given scenario, without faults, by position.
    case healthy(Int)
    case campaign(seed: UInt64, number: Int)
  }

  /// What was measured with one pair of machines.
  public struct Result: Sendable {
    public var contestant: Contestant
    /// All given scenarios, without faults.
    public var healthy = Tally()
    /// By position in `Settings.seeds`.
    public var seeds: [Tally]

    /// All seeds together.
    public var campaign: Tally {
      seeds.reduce(into: Tally()) { $0.merge($1) }
    }
  }

  /// The scenario in which machines differ most by a measure.
  public struct Showcase: Hashable, Sendable {
    public var unit: Unit
    /// Between the machine that has most of it and the one that has least.
    public var difference: Double
  }

  public let subject: ProtocolUnderTest
  public let settings: Settings
  public let given: [Scenario]
  public private(set) var results: [Result]
  /// By position in `Measure.all`; `nil` where no scenario made a difference.
  public private(set) var showcases: [Showcase?]
  /// How many scenarios have been run, those without faults included.
  public private(set) var done = 0
  private let units: [Unit]
  private let workers: [ComparisonWorker]

  /// So many scenarios between two looks at the clock.
  static let round = 16
  /// A storm shows long before, and connections have 16-bit numbers.
  public static let eventLimit: UInt32 = 150_000

  /// - Parameters:
  ///   - scenarios: what to begin with, at least one, all of this protocol.
  ///   - contestants: at least one, each of machines that the protocol has.
  public init(
    _ scenarios: [Scenario], contestants: [Contestant], subject: ProtocolUnderTest,
    settings: Settings
  ) {
    precondition(!scenarios.isEmpty, "a comparison needs a scenario to begin with")
    precondition(!contestants.isEmpty, "a comparison needs somebody to compare")
    self.subject = subject
    self.settings = settings
    given = scenarios
    results = contestants.map {
      Result(contestant: $0, seeds: Array(repeating: Tally(), count: settings.seeds.count))
    }
    showcases = Array(repeating: nil, count: Measure.all.count)
    // Number by number, so that one that is stopped has about as many of each seed.
    units =
      scenarios.indices.map { .healthy($0) }
      + (0..<settings.executions).flatMap { number in
        settings.seeds.map { .campaign(seed: $0, number: number) }
      }
    workers = (0..<max(1, settings.workers)).map { _ in
      ComparisonWorker(scenarios, contestants: contestants, subject: subject, settings: settings)
    }
  }

  /// How many scenarios there are in all.
  public var total: Int { units.count }
  public var isFinished: Bool { done == units.count }

  /// Runs everything, or until `watch` says `false`: it is called after every round.
  public mutating func run(watch: (borrowing Comparison) -> Bool) async {
    while done < units.count {
      let end = min(done + Self.round, units.count)
      let reports = await Self.run(Array(units[done..<end]), workers: workers)
      for (unit, tallies) in zip(units[done..<end], reports) { merge(tallies, of: unit) }
      done = end
      guard watch(self) else { return }
    }
  }

  /// The scenario of a unit, as it was run, with the machines of a contestant.
  public func scenario(of unit: Unit, with contestant: Contestant) -> Scenario? {
    guard let writer = PairedScenarios(given, day: settings.day, subject: subject) else {
      return nil
    }
    return writer.scenario(of: unit).with(contestant)
  }

  /// Worker w runs units w, w + n, …; the answers are put in the order of units.
  private static func run(_ units: [Unit], workers: [ComparisonWorker]) async -> [[Tally]] {
    let reports = await withTaskGroup(of: [(Int, [Tally])].self) { group in
      for (index, worker) in workers.enumerated() where index < units.count {
        group.addTask {
          var own: [(Int, [Tally])] = []
          for place in stride(from: index, to: units.count, by: workers.count) {
            own.append((place, await worker.run(units[place])))
          }
          return own
        }
      }
      var all: [(Int, [Tally])] = []
      for await some in group { all += some }
      return all
    }
    return reports.sorted { $0.0 < $1.0 }.map(\.1)
  }

  private mutating func merge(_ tallies: [Tally], of unit: Unit) {
    let isHealthy: Bool
    switch unit {
    case .healthy:
      isHealthy = true
      for index in results.indices { results[index].healthy.merge(tallies[index]) }
    case .campaign(let seed, _):
      isHealthy = false
      let place = settings.seeds.firstIndex(of: seed) ?? 0
      for index in results.indices { results[index].seeds[place].merge(tallies[index]) }
    }
    for (index, measure) in Measure.all.enumerated() where measure.part.isHealthy == isHealthy {
      let weights = tallies.map(measure.weight)
      let difference = (weights.max() ?? 0) - (weights.min() ?? 0)
      // The first one of several equals.
      if difference > showcases[index]?.difference ?? 0 {
        showcases[index] = Showcase(unit: unit, difference: difference)
      }
    }
  }
}

extension Scenario {
  func with(_ contestant: Contestant) -> Scenario {
    var scenario = self
    scenario.client = contestant.client
    scenario.server = contestant.server
    return scenario
  }
}

extension PairedScenarios {
  func scenario(of unit: Comparison.Unit) -> Scenario {
    switch unit {
    case .healthy(let index): healthyDay(of: index)
    case .campaign(let seed, let number): scenario(seed: seed, number: number)
    }
  }
}

/// Runs units on benches of its own, one after the other.
actor ComparisonWorker {
  private let given: [Scenario]
  private let contestants: [Contestant]
  private let subject: ProtocolUnderTest
  private let settings: Comparison.Settings
  private var writer: PairedScenarios?
  private var benches: [any Bench] = []

  init(
    _ given: [Scenario], contestants: [Contestant], subject: ProtocolUnderTest,
    settings: Comparison.Settings
  ) {
    self.given = given
    self.contestants = contestants
    self.subject = subject
    self.settings = settings
  }

  /// What each contestant's run of the scenario measured, in their order.
  func run(_ unit: Comparison.Unit) -> [Tally] {
    if writer == nil {
      writer = PairedScenarios(given, day: settings.day, subject: subject)
      benches = contestants.map { contestant in
        guard let bench = subject.makeBench(contestant.client, contestant.server) else {
          preconditionFailure("\(subject.name) has no \(contestant.client) or no such server")
        }
        return bench
      }
    }
    guard let writer else { preconditionFailure("\(subject.name) lacks its standard machines") }
    let scenario = writer.scenario(of: unit)
    var options = RunOptions()
    options.eventLimit = Comparison.eventLimit
    return zip(contestants, benches).map { contestant, bench in
      RunMeter.measure(
        scenario.with(contestant), on: bench, options: options, radio: settings.radio)
    }
  }
}
