internal import Simulation
internal import Timeline

/// Makes faults as small as they can be in round numbers.
public struct ShrinkMagnitudes: ShrinkPass {
  public static let name = "shrink-magnitudes"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    for index in target.scenario.faults.indices {
      shrink(\.by, ofFault: index, &target)
      shrink(\.length, ofFault: index, &target)
    }
  }

  private func shrink(
    _ size: WritableKeyPath<FaultKind, Nanoseconds?>, ofFault index: Int,
    _ target: inout ShrinkTarget
  ) {
    guard let value = target.scenario.faults[index].kind[keyPath: size] else { return }
    let rounds = RoundLength.all
    // Bisection on the list of round lengths; what works need not be monotonic, so the
    // verification afterwards looks at the next smaller one again.
    var failing = -1
    var working = rounds.firstIndex { $0 >= value } ?? rounds.count
    while working - failing > 1 {
      let middle = (failing + working) / 2
      if target.consider({ $0.faults[index].kind[keyPath: size] = rounds[middle] }) {
        working = middle
      } else {
        failing = middle
      }
    }
    roundUp(size, ofFault: index, &target)
  }

  /// Nothing smaller is round: then a little larger, and failing that, fewer digits.
  private func roundUp(
    _ size: WritableKeyPath<FaultKind, Nanoseconds?>, ofFault index: Int,
    _ target: inout ShrinkTarget
  ) {
    guard let value = target.scenario.faults[index].kind[keyPath: size],
      RoundLength.roughness(value) > 0
    else { return }
    if let above = RoundLength.all.first(where: { $0 > value }),
      target.consider({ $0.faults[index].kind[keyPath: size] = above })
    {
      return
    }
    for unit in [
      Nanoseconds.minutes(1), .seconds(10), .seconds(1), .milliseconds(100),
      .milliseconds(10), .milliseconds(1),
    ] where unit < value {
      let floor = Nanoseconds(value.count / unit.count * unit.count)
      for rounded in [floor, floor + unit] {
        if target.consider({ $0.faults[index].kind[keyPath: size] = rounded }) { return }
      }
    }
  }
}
