internal import Simulation
internal import Timeline

/// Makes one fault out of two of the same kind: one loss that lasts as long as both.
public struct MergeFaults: ShrinkPass {
  public static let name = "merge-faults"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    var first = 0
    while first < target.scenario.faults.count {
      var second = first + 1
      while second < target.scenario.faults.count {
        if !merge(first, second, &target) { second += 1 }
      }
      first += 1
    }
  }

  private func merge(_ first: Int, _ second: Int, _ target: inout ShrinkTarget) -> Bool {
    let a = target.scenario.faults[first]
    let b = target.scenario.faults[second]
    guard a.node == b.node, a.kind.number == b.kind.number else { return false }
    var merged = a
    if let one = a.kind.length, let other = b.kind.length {
      if case .at(let start) = a.anchor, case .at(let later) = b.anchor {
        let end = max(start + one, later + other)
        merged.anchor = .at(min(start, later))
        merged.kind.length = end - min(start, later)
      } else {
        merged.kind.length = one + other
      }
    } else if let one = a.kind.by, let other = b.kind.by {
      merged.kind.by = one + other
    } else {
      return false
    }
    return target.consider {
      $0.faults[first] = merged
      $0.faults.remove(at: second)
    }
  }
}
