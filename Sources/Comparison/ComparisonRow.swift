/// What a comparison measured of one thing, for all machines.
public struct ComparisonRow: Sendable {
  /// Of one contestant.
  public struct Cell: Hashable, Sendable {
    /// Of all seeds together; `nil` when there was nothing to measure.
    public var value: Double?
    /// Of each seed alone, where there was something. Empty for days without faults, in which
    /// nothing is left to chance.
    public var seeds: [Double?]

    public var lowest: Double? { seeds.compactMap(\.self).min() }
    public var highest: Double? { seeds.compactMap(\.self).max() }
  }

  public var measure: Measure
  /// By position of the contestants.
  public var cells: [Cell]
  /// The scenario in which they differ most.
  public var showcase: Comparison.Showcase?

  /// Nothing of it was measured with anybody.
  public var isEmpty: Bool { cells.allSatisfy { $0.value == nil } }
  /// It never happened to anybody.
  public var isZero: Bool { cells.allSatisfy { ($0.value ?? 0) == 0 } }

  /// Not all have the same.
  public var differs: Bool { cells.contains { $0.value != cells[0].value } }

  /// How many times as much as the first contestant this one has; `nil` when that can't be said.
  public func ratio(_ index: Int) -> Double? {
    guard let first = cells[0].value, let own = cells[index].value, first > 0 else { return nil }
    return own / first
  }

  /// Whether there is a difference to the first contestant, and no seed shows the opposite.
  public func isConsistent(_ index: Int) -> Bool {
    guard let first = cells[0].value, let own = cells[index].value else { return false }
    let seeds = zip(cells[0].seeds, cells[index].seeds).compactMap { a, b -> Bool? in
      guard let a, let b else { return nil }
      return own > first ? b >= a : b <= a
    }
    return own != first && seeds.allSatisfy(\.self)
  }
}

extension Comparison {
  /// The table, in the order of `Measure.all`.
  public var rows: [ComparisonRow] {
    let pooled = results.map(\.campaign)
    return Measure.all.enumerated().map { index, measure in
      let cells = results.indices.map { place -> ComparisonRow.Cell in
        if measure.part.isHealthy {
          return ComparisonRow.Cell(value: measure.value(results[place].healthy), seeds: [])
        }
        return ComparisonRow.Cell(
          value: measure.value(pooled[place]),
          seeds: results[place].seeds.map { $0.runs > 0 ? measure.value($0) : nil })
      }
      return ComparisonRow(measure: measure, cells: cells, showcase: showcases[index])
    }
  }

  /// Runs in which an oracle found something, of all machines together.
  public var findings: Int {
    results.reduce(0) { sum, result in
      result.seeds.reduce(sum + Int(result.healthy.runsWithFindings)) {
        $0 + Int($1.runsWithFindings)
      }
    }
  }

  /// Whether an oracle found anything with any of the machines.
  public var hasFindings: Bool { findings > 0 }
}
