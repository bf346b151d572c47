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
  /// Events of its run: what it costs to start from it.
  public var events: UInt32

  public init(_ scenario: Scenario, fresh: [UInt16], epoch: Int, events: UInt32) {
    self.scenario = scenario
    self.fresh = fresh
    self.epoch = epoch
    self.events = events
  }
}

/// Interesting scenarios, the rarer what they showed, the more often drawn (AFLFast: Böhme, Pham,
/// Roychoudhury, CCS 2016).
public struct Corpus: Sendable {
  public var entries: [CorpusEntry] = []
  /// Running sums of energies, for drawing.
  private var sums: [UInt64] = []

  public init() {}

  /// Works out energies anew; whole numbers, so that every machine agrees.
  mutating func energize(by map: borrowing NoveltyMap) {
    sums.removeAll(keepingCapacity: true)
    var sum: UInt64 = 0
    for index in entries.indices {
      var energy: UInt64 = entries[index].epoch == 0 ? 1 << 26 : 1 << 18
      for slot in entries[index].fresh.prefix(32) {
        energy += (1 << 30) / (1 + UInt64(map.hits[Int(slot)]))
      }
      // What costs three times as much has to be nine times as rare.
      let cost = UInt64(max(64, min(entries[index].events, 1 << 16)))
      energy = energy * 4096 / (cost * cost)
      sum += max(1, energy)
      sums.append(sum)
    }
  }

  func draw(using random: inout SeededRandom) -> Int {
    guard let total = sums.last, total > 0 else { return random.below(entries.count) }
    let wanted = random.next() % total
    var low = 0
    var high = sums.count - 1
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > wanted { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
