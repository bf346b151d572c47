internal import Custody
internal import Oracles
internal import Simulation

/// What all shards of an epoch begin with. Nobody changes it while they run.
struct EpochGround: Sendable {
  var epoch: Int
  var seed: UInt64
  var corpus: Corpus
  var map: NoveltyMap
  var found: [Signature]
  var moderation: Moderation
}

/// A share of an epoch's executions: what one generator writes.
struct ShardOrder: Sendable {
  var number: Int
  var executions: Int
  /// Executions of the campaign before this shard's first.
  var firstExecution: UInt64
}

/// What a shard found, to be merged in the order of shards.
struct ShardReport: Sendable {
  struct Discovery: Sendable {
    var scenario: Scenario
    var fresh: [UInt16]
    var mutators: UInt64
    var events: UInt32
    /// The entry that it was written from.
    var parent: Int?
  }

  var number: Int
  var executions = 0
  var events: UInt64 = 0
  /// What runs cost together, relative to the yardsticks of their parents (`Price.unit`).
  var cost: UInt64 = 0
  var inconclusive = 0
  var discoveries: [Discovery] = []
  var findings: [Finding] = []
  /// Features and how many runs showed them.
  var counts: [(slot: UInt16, count: UInt32)] = []
  /// Hints that were worked out.
  var hints: [(entry: Int, hints: AnchorHints)] = []
  /// How often entries were drawn.
  var draws: [(entry: Int, count: Int)] = []
  var encounters: [FaultEncounter] = []
  var tried: [Int] = []
  /// Of each run of a scenario as it was given.
  var eventsAsGiven: [UInt32] = []
}

/// Runs shards, one after the other, on a bench of its own. The result depends on the ground and
/// the order only, never on which worker runs them or when.
actor ShardWorker {
  private let subject: ProtocolUnderTest
  /// By machines: a campaign may begin with scenarios for several pairs.
  private var judges: [(client: String, server: String, judge: BenchJudge)] = []
  private var counter = NoveltyCounter()
  private let mutators = MutatorCatalog.all
  static let litter = 4

  init(subject: ProtocolUnderTest) { self.subject = subject }

  func run(_ order: ShardOrder, on ground: EpochGround) -> ShardReport {
    var report = ShardReport(number: order.number)
    report.tried = Array(repeating: 0, count: mutators.count)
    counter.clear()
    var random = SeededRandom(
      seed: ground.seed ^ (UInt64(ground.epoch) << 20 | UInt64(order.number) << 4 | 1)
        &* 0x9e37_79b9_7f4a_7c15)
    let swarm = Swarm(mutators: mutators.count, using: &random)
    var local = LocalHints()
    var parent = 0
    var known = MutationGround(
      hints: AnchorHints(), disabledFaults: swarm.faults, moderation: ground.moderation)
    for execution in 0..<order.executions {
      // A few in a row from one parent: a bench that need not be set up anew is faster.
      if execution % Self.litter == 0 {
        parent = ground.corpus.draw(using: &random)
        known.hints = local.hints(of: parent, ground.corpus) { self.hints(of: $0) }
      }
      let partner = ground.corpus.draw(using: &random)
      known.partner = ground.corpus.entries[partner].scenario.faults
      var scenario = ground.corpus.entries[parent].scenario
      let used = mutate(&scenario, on: known, swarm: swarm, &random, &report)
      judge(
        scenario, used, parent: parent, on: ground,
        execution: order.firstExecution + UInt64(execution), &report)
    }
    report.executions = order.executions
    report.counts = counter.touched.map { ($0, counter.count(of: $0)) }
    report.hints = local.new
    report.draws = local.draws
    return report
  }

  /// Runs scenarios as they are: what a campaign begins with.
  func run(asGiven scenarios: [Scenario], on ground: EpochGround) -> ShardReport {
    var report = ShardReport(number: 0)
    report.tried = Array(repeating: 0, count: mutators.count)
    counter.clear()
    for (index, scenario) in scenarios.enumerated() {
      let before = report.events
      judge(scenario, 0, parent: nil, on: ground, execution: UInt64(index), &report)
      report.eventsAsGiven.append(UInt32(clamping: report.events - before))
    }
    report.executions = scenarios.count
    report.counts = counter.touched.map { ($0, counter.count(of: $0)) }
    return report
  }

  /// What a campaign begins with beside a scenario: a short one, and one in which nobody leaves.
  func variants(of scenario: Scenario) -> [SeedVariant] {
    guard let judge = bench(for: scenario) else { return [] }
    let short = SeedTrim.trim(scenario, judge: judge, subject: subject)
    let staying = SeedVariant.staying(short?.scenario ?? scenario, judge: judge)
    return [short, staying].compactMap(\.self)
  }

  // MARK: - Mutation

  /// - Returns: the mutators that changed something, as bits.
  private func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround, swarm: Swarm,
    _ random: inout SeededRandom, _ report: inout ShardReport
  ) -> UInt64 {
    var used: UInt64 = 0
    var wanted = 1
    while wanted < 6, random.chance(1, in: 2) { wanted += 1 }
    var tries = 0
    while wanted > 0, tries < 24 {
      tries += 1
      let index = MutatorCatalog.draw(using: &random)
      guard swarm.mutators & (1 << UInt64(index)) == 0 else { continue }
      if mutators[index].mutator.mutate(&scenario, on: ground, using: &random) {
        used |= 1 << UInt64(index)
        report.tried[index] += 1
        wanted -= 1
      }
    }
    return used
  }

  // MARK: - Execution

  private func judge(
    _ scenario: Scenario, _ used: UInt64, parent: Int?, on ground: EpochGround,
    execution: UInt64, _ report: inout ShardReport
  ) {
    guard let judge = bench(for: scenario) else { return }
    let verdict = judge.judge(scenario)
    report.events += UInt64(judge.summary.events)
    if let parent {
      let yardstick = UInt64(max(16, ground.corpus.entries[parent].yardstick))
      report.cost += UInt64(judge.summary.events) * Price.unit / yardstick
    }
    if verdict == .inconclusive { report.inconclusive += 1 }
    counter.see(judge.bench, on: ground.map)
    if !counter.fresh.isEmpty {
      report.discoveries.append(
        ShardReport.Discovery(
          scenario: scenario, fresh: counter.fresh, mutators: used,
          events: judge.summary.events, parent: parent))
      for encounter in judge.bench.faultContexts where !report.encounters.contains(encounter) {
        report.encounters.append(encounter)
      }
    }
    guard verdict == .violated else { return }
    for violation in judge.violations {
      let signature = violation.signature
      guard !ground.found.contains(signature),
        !report.findings.contains(where: { $0.signature == signature })
      else { continue }
      var failing = scenario
      failing.expectations = [Expectation(violation)]
      report.findings.append(
        Finding(
          violation: violation, scenario: failing, traceHash: judge.summary.traceHash,
          epoch: ground.epoch, execution: execution, mutators: names(used)))
    }
  }

  private func names(_ used: UInt64) -> [String] {
    mutators.indices.filter { used & (1 << UInt64($0)) != 0 }.map { mutators[$0].mutator.name }
  }

  private func bench(for scenario: Scenario) -> BenchJudge? {
    for known in judges where known.client == scenario.client && known.server == scenario.server {
      return known.judge
    }
    guard let judge = BenchJudge(for: scenario, subject: subject) else { return nil }
    judge.options.eventLimit = Campaign.eventLimit
    judge.options.describing = false
    judges.append((scenario.client, scenario.server, judge))
    return judge
  }

  private func hints(of scenario: Scenario) -> AnchorHints {
    guard let judge = bench(for: scenario) else { return AnchorHints() }
    return AnchorHints(scenario, trace: judge.trace(of: scenario), subject: subject)
  }
}

/// What a shard does without, drawn once for it: some failures need one thing many times over, and
/// others need peace from everything else (Groce et al., ISSTA 2012).
private struct Swarm {
  var mutators: UInt64 = 0
  var faults: UInt32 = 0

  init(mutators count: Int, using random: inout SeededRandom) {
    // A third of the shards may do everything.
    guard !random.chance(1, in: 3) else { return }
    for index in 0..<count where random.chance(1, in: 4) { mutators |= 1 << UInt64(index) }
    for kind in FaultKind.allNames.indices where random.chance(1, in: 3) {
      faults |= 1 << UInt32(kind)
    }
    // Never without all.
    if mutators.nonzeroBitCount == count { mutators = 0 }
  }
}

/// Hints that this shard had to work out, on top of those the corpus has.
private struct LocalHints {
  /// Draws after which an entry's parent is no longer good enough.
  static let patience = 6

  private(set) var new: [(entry: Int, hints: AnchorHints)] = []
  private(set) var draws: [(entry: Int, count: Int)] = []

  mutating func hints(
    of entry: Int, _ corpus: borrowing Corpus, make: (Scenario) -> AnchorHints
  ) -> AnchorHints {
    let count = countDraw(of: entry)
    let known = corpus.entries[entry].hints
    if let known {
      let isDue = corpus.entries[entry].draws + count >= Self.patience
      if corpus.entries[entry].hasOwnHints || !isDue { return known }
    }
    for own in new where own.entry == entry { return own.hints }
    let hints = make(corpus.entries[entry].scenario)
    new.append((entry, hints))
    return hints
  }

  private mutating func countDraw(of entry: Int) -> Int {
    for index in draws.indices where draws[index].entry == entry {
      draws[index].count += 1
      return draws[index].count
    }
    draws.append((entry, 1))
    return 1
  }
}
