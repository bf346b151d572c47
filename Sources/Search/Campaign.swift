internal import Custody
internal import Oracles
public import Simulation

/// A budgeted search for failures, in deterministic epochs.
///
/// Each epoch is a fixed number of executions, split into a fixed number of shards with a generator
/// each; all shards begin with the same corpus and are merged in their order. So the number of
/// workers changes how long it takes and nothing else.
public struct Campaign: Sendable {
  public struct Settings: Sendable {
    public var seed: UInt64 = 1
    /// Executions after which it ends.
    public var executions: UInt64 = .max
    public var workers = 1
    /// Where a stopped campaign goes on; its corpus is given as scenarios then.
    public var firstEpoch = 0
    public init() {}
  }

  /// Independent of the number of workers, and enough for any of them to be busy.
  static let shards = 8

  /// A run that needs more says nothing new: a storm shows long before.
  static let eventLimit: UInt32 = 20_000

  public let subject: ProtocolUnderTest
  public let settings: Settings
  public private(set) var corpus = Corpus()
  public private(set) var findings: [Finding] = []
  public private(set) var statistics = CampaignStatistics()
  /// The epoch that comes next.
  public private(set) var epoch: Int
  private var map = NoveltyMap()
  private let moderation: Moderation
  private let given: [Scenario]
  private let workers: [ShardWorker]
  private var price = Price()

  /// - Parameter scenarios: what to begin with, at least one; all of this protocol, each naming
  ///   machines that it has.
  public init(_ scenarios: [Scenario], subject: ProtocolUnderTest, settings: Settings) {
    precondition(!scenarios.isEmpty, "a campaign needs a scenario to begin with")
    self.subject = subject
    self.settings = settings
    epoch = settings.firstEpoch
    given = scenarios.map { scenario in
      var scenario = scenario
      scenario.expectations = []
      return scenario
    }
    moderation = Moderation(for: scenarios)
    workers = (0..<max(1, settings.workers)).map { _ in ShardWorker(subject: subject) }
  }

  /// What an epoch found, for whoever watches.
  public struct EpochReport: Sendable {
    public var epoch: Int
    /// With a signature that was not known before.
    public var findings: [Finding]
    /// Scenarios that joined the corpus.
    public var discoveries: [Scenario]
    public var statistics: CampaignStatistics
  }

  /// Runs epochs until the budget is used up or `watch` says `false`.
  ///
  /// - Parameter watch: called after every epoch, on the caller's side: write findings down there,
  ///   look at the clock there.
  public mutating func run(watch: (EpochReport) -> Bool) async {
    guard watch(await begin()) else { return }
    while statistics.executions < settings.executions {
      guard watch(await runEpoch()) else { return }
    }
  }

  /// The given scenarios as they are.
  public mutating func begin() async -> EpochReport {
    let ground = ground(epoch: 0)
    let report = await workers[0].run(asGiven: given, on: ground)
    // All of them are worth starting from, new or not.
    for (index, (scenario, events)) in zip(given, report.eventsAsGiven).enumerated() {
      corpus.entries.append(
        CorpusEntry(
          scenario, fresh: [], epoch: 0, family: family(ofGiven: index), events: events,
          yardstick: events))
    }
    for discovery in report.discoveries {
      if let index = given.firstIndex(of: discovery.scenario) {
        corpus.entries[index].fresh = discovery.fresh
      }
    }
    let before = findings.count
    merge(report, epoch: 0, keeping: false)
    // What a stopped campaign goes on with is short enough; and where few executions are wanted,
    // they are for mutations.
    let known = corpus.entries.count
    if settings.firstEpoch == 0, settings.executions >= UInt64(given.count * SeedTrim.limit * 8) {
      for (index, scenario) in given.enumerated() {
        for variant in await workers[0].variants(of: scenario) {
          if variant.isShorter { corpus.entries[index].yardstick = variant.events }
          corpus.entries.append(
            CorpusEntry(
              variant.scenario, fresh: [], epoch: 0,
              family: family(ofGiven: variant.isShorter ? index : given.count + index),
              events: variant.events, yardstick: variant.events))
          statistics.executions += UInt64(variant.executions)
        }
      }
    }
    return finish(epoch: 0, findingsBefore: before, entriesBefore: known)
  }

  /// Who descends from whom is not kept when a campaign is stopped: all are one family then.
  private func family(ofGiven index: Int) -> Int { settings.firstEpoch == 0 ? index : 0 }

  public mutating func runEpoch() async -> EpochReport {
    let number = epoch + 1
    let orders = orders(epoch: number)
    // The ground ends with the shards: who adds to a corpus that somebody else has copies it.
    let reports = await Self.run(orders, on: ground(epoch: number), workers: workers)
    let findingsBefore = findings.count
    let entriesBefore = corpus.entries.count
    price.adjust(
      to: reports.reduce(0) { $0 + $1.cost },
      of: reports.reduce(0) { $0 + UInt64($1.executions) })
    for report in reports { merge(report, epoch: number, keeping: true) }
    epoch = number
    return finish(epoch: number, findingsBefore: findingsBefore, entriesBefore: entriesBefore)
  }

  // MARK: - Epochs

  /// Short at first, when every novelty should soon be built upon; longer later.
  static func executionsPerShard(epoch: Int) -> Int { min(32 << min(epoch / 6, 6), 2048) }

  private func orders(epoch: Int) -> [ShardOrder] {
    var left = settings.executions - statistics.executions
    var first = statistics.executions
    return (0..<Self.shards).map { number in
      let share = Int(min(UInt64(Self.executionsPerShard(epoch: epoch)), left))
      defer {
        left -= UInt64(share)
        first += UInt64(share)
      }
      return ShardOrder(number: number, executions: share, firstExecution: first)
    }
  }

  private func ground(epoch: Int) -> EpochGround {
    var corpus = corpus
    corpus.energize(by: map, price: price)
    return EpochGround(
      epoch: epoch, seed: settings.seed, corpus: corpus, map: map,
      found: findings.map(\.signature), moderation: moderation)
  }

  /// Worker w runs shards w, w + n, …; the answers are put in the order of shards.
  private static func run(
    _ orders: [ShardOrder], on ground: EpochGround, workers: [ShardWorker]
  ) async -> [ShardReport] {
    let reports = await withTaskGroup(of: [ShardReport].self) { group in
      for (index, worker) in workers.enumerated() {
        let own = stride(from: index, to: orders.count, by: workers.count).map { orders[$0] }
        guard !own.isEmpty else { continue }
        group.addTask {
          var reports: [ShardReport] = []
          for order in own { reports.append(await worker.run(order, on: ground)) }
          return reports
        }
      }
      var all: [ShardReport] = []
      for await some in group { all += some }
      return all
    }
    return reports.sorted { $0.number < $1.number }
  }

  // MARK: - Merging

  private mutating func merge(_ report: ShardReport, epoch: Int, keeping: Bool) {
    for (entry, hints) in report.hints {
      corpus.entries[entry].hints = hints
      corpus.entries[entry].hasOwnHints = true
    }
    for (entry, draws) in report.draws { corpus.entries[entry].draws += draws }
    for discovery in report.discoveries {
      // Another shard may have shown the same before.
      let fresh = discovery.fresh.filter { !map.isKnown($0) }
      guard !fresh.isEmpty else { continue }
      for slot in fresh { map.add(slot, 1) }
      credit(discovery.mutators) { $0.novel += 1 }
      if keeping {
        var entry = CorpusEntry(
          discovery.scenario, fresh: fresh, epoch: epoch,
          family: discovery.parent.map { corpus.entries[$0].family } ?? 0,
          events: discovery.events,
          yardstick: discovery.parent.map { corpus.entries[$0].yardstick } ?? discovery.events)
        if let parent = discovery.parent { entry.hints = corpus.entries[parent].hints }
        corpus.entries.append(entry)
      }
    }
    for (slot, count) in report.counts { map.add(slot, count) }
    for encounter in report.encounters { statistics.encounters.note(encounter) }
    for finding in report.findings { add(finding) }
    for (index, tried) in report.tried.enumerated() {
      statistics.mutators[index].tried += UInt64(tried)
    }
    statistics.executions += UInt64(report.executions)
    statistics.events += report.events
    statistics.inconclusive += UInt64(report.inconclusive)
  }

  private mutating func add(_ finding: Finding) {
    guard !findings.contains(where: { $0.signature == finding.signature }) else { return }
    var finding = finding
    finding.isRepeatable = isRepeatable(finding)
    findings.append(finding)
    for name in finding.mutators {
      if let index = statistics.mutators.firstIndex(where: { $0.name == name }) {
        statistics.mutators[index].findings += 1
      }
    }
  }

  /// A fresh bench must show the same, to the last event.
  private func isRepeatable(_ finding: Finding) -> Bool {
    guard let judge = BenchJudge(for: finding.scenario, subject: subject) else { return false }
    judge.options.eventLimit = Self.eventLimit
    judge.judge(finding.scenario)
    return judge.summary.traceHash == finding.traceHash
      && judge.violations.contains(finding.violation)
  }

  private mutating func credit(
    _ used: UInt64, _ change: (inout CampaignStatistics.Contribution) -> Void
  ) {
    for index in statistics.mutators.indices where used & (1 << UInt64(index)) != 0 {
      change(&statistics.mutators[index])
    }
  }

  private mutating func finish(
    epoch: Int, findingsBefore: Int, entriesBefore: Int
  ) -> EpochReport {
    statistics.epochs = epoch
    statistics.features = map.known
    statistics.corpus = corpus.entries.count
    statistics.findings = findings.count
    return EpochReport(
      epoch: epoch, findings: Array(findings[findingsBefore...]),
      discoveries: corpus.entries[entriesBefore...].map(\.scenario), statistics: statistics)
  }
}
