public import Simulation

/// A scenario worth starting from.
public struct CorpusEntry: Sendable {
  public var scenario: Scenario
  /// Features that it was the first to show.
  public var fresh: [UInt16]
  /// Those of its parent at first, which are nearly right and cost nothing.
  public var hints: AnchorHints?
  /// Drawn often enough for a traced run of its own.
  public var hasOwnHints = false
  /// How often a mutation began here.
  public var draws = 0
  /// The epoch that found it; 0 for what the campaign began with.
  public var epoch: Int
  /// The given scenario that it descends from, by number.
  public var family: Int
  /// Events of its run: what it costs to start from it.
  public var events: UInt32
  /// Events of the scenario that it descends from, as short as that can be: what is cheap for its
  /// kind. One with credentials takes longer than one without, and is as much worth looking at.
  public var yardstick: UInt32

  public init(
    _ scenario: Scenario, fresh: [UInt16], epoch: Int, family: Int = 0, events: UInt32,
    yardstick: UInt32
  ) {
    self.scenario = scenario
    self.fresh = fresh
    self.epoch = epoch
    self.family = family
    self.events = events
    self.yardstick = yardstick
  }

  /// What remains of an energy after the price.
  func afterCost(_ energy: UInt64, price: Price) -> UInt64 {
    let ratio = min(4096, UInt64(max(16, yardstick)) * Price.unit / UInt64(max(16, events)))
    var energy = energy
    for _ in 0..<price.exponent { energy = energy * ratio / Price.unit }
    return min(energy, 1 << 42)  // The energies of millions have a sum.
  }
}

/// What a costly scenario loses of its energy: with an exponent of 3, what costs twice as much has
/// to be eight times as rare.
///
/// What is new shows mostly in longer runs, so a corpus drifts to dear scenarios, some campaigns
/// much further than others. When an epoch's runs cost more on average than they may, the price
/// rises; it falls again to where it began.
struct Price: Sendable {
  /// What a run costs that has as many events as its yardstick.
  static let unit: UInt64 = 1024
  /// Five thirds. Measured with the specimens that take a capture's campaign longest: at three
  /// halves they are found later, between five thirds and twice it makes no difference.
  static let limit: UInt64 = 1707
  static let exponents = 3...6

  private(set) var exponent = exponents.lowerBound

  /// - Parameters:
  ///   - cost: of all runs of an epoch together, in units.
  mutating func adjust(to cost: UInt64, of runs: UInt64) {
    guard runs > 0 else { return }
    let mean = cost / runs
    if mean > Self.limit {
      exponent = min(exponent + 1, Self.exponents.upperBound)
    } else if mean < Self.limit * 9 / 10 {
      exponent = max(exponent - 1, Self.exponents.lowerBound)
    }
  }
}

/// Interesting scenarios, the rarer what they showed, the more often drawn (AFLFast: Böhme, Pham,
/// Roychoudhury, CCS 2016).
///
/// Every other draw is from a family that is picked evenly: what descends from one given scenario.
/// By rarity alone the family with the most states would get nearly everything, and a defect that
/// shows in a plain family only (such as a store that a restart empties) would be missed.
public struct Corpus: Sendable {
  public var entries: [CorpusEntry] = []
  private var all = Lottery()
  private var families: [Lottery] = []

  public init() {}

  /// Works out energies anew; whole numbers, so that every machine agrees.
  mutating func energize(by map: borrowing NoveltyMap, price: Price) {
    all.clear()
    for index in families.indices { families[index].clear() }
    for index in entries.indices {
      var energy: UInt64 = entries[index].epoch == 0 ? 1 << 26 : 1 << 18
      for slot in entries[index].fresh.prefix(32) {
        energy += (1 << 30) / (1 + UInt64(map.hits[Int(slot)]))
      }
      energy = max(1, entries[index].afterCost(energy, price: price))
      all.add(index, energy)
      let family = entries[index].family
      while families.count <= family { families.append(Lottery()) }
      families[family].add(index, energy)
    }
  }

  func draw(using random: inout SeededRandom) -> Int {
    if families.count > 1, random.chance(1, in: 2) {
      let family = families[random.below(families.count)]
      if let index = family.draw(using: &random) { return index }
    }
    return all.draw(using: &random) ?? random.below(entries.count)
  }

  /// Draws tickets in proportion to their energies.
  private struct Lottery: Sendable {
    private var tickets: [Int] = []
    private var sums: [UInt64] = []

    mutating func clear() {
      tickets.removeAll(keepingCapacity: true)
      sums.removeAll(keepingCapacity: true)
    }

    mutating func add(_ ticket: Int, _ energy: UInt64) {
      tickets.append(ticket)
      sums.append((sums.last ?? 0) + energy)
    }

    func draw(using random: inout SeededRandom) -> Int? {
      guard let total = sums.last, total > 0 else { return nil }
      let wanted = random.next() % total
      var low = 0
      var high = sums.count - 1
      while low < high {
        let middle = (low + high) / 2
        if sums[middle] > wanted { high = middle } else { low = middle + 1 }
      }
      return tickets[low]
    }
  }
}
