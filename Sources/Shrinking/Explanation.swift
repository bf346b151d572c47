public import Custody
internal import Simulation
public import Timeline

/// Why a part of a minimal scenario is in it, and how exact its numbers have to be.
public struct Explanation: Hashable, Sendable {
  public enum Part: Hashable, Sendable {
    case fault(Int)
    case step(Int)
  }

  public var part: Part
  /// What is found in the scenario without this part; empty for nothing.
  public var without: [Signature]
  /// The part's time may lie anywhere in here, all else unchanged; `nil` without a time of its own.
  /// `.never` as the end: it may come a day later and beyond.
  public var time: ClosedRange<Instant>?
  /// The magnitude may go down to this, exactly; `nil` without a magnitude.
  public var atLeast: Nanoseconds?

  static func explain(_ target: inout ShrinkTarget) -> [Explanation] {
    let best = target.scenario
    var explanations: [Explanation] = []
    for index in best.faults.indices {
      var without = best
      without.faults.remove(at: index)
      var explanation = Explanation(
        part: .fault(index), without: target.findings(of: without), time: nil, atLeast: nil)
      if case .at(let time) = best.faults[index].anchor {
        explanation.time = range(of: time, in: best, &target) {
          $0.faults[index].anchor = .at($1)
        }
      }
      explanation.atLeast = threshold(ofFault: index, in: best, &target)
      explanations.append(explanation)
    }
    for index in best.steps.indices {
      var without = best
      without.steps.remove(at: index)
      let time = range(of: best.steps[index].time, in: best, &target) {
        $0.steps[index].time = $1
      }
      explanations.append(
        Explanation(
          part: .step(index), without: target.findings(of: without), time: time, atLeast: nil))
    }
    return explanations
  }

  /// Bisection to the millisecond, between the neighbours in time.
  private static func range(
    of time: Instant, in best: Scenario, _ target: inout ShrinkTarget,
    move: (inout Scenario, Instant) -> Void
  ) -> ClosedRange<Instant> {
    func works(_ moved: Instant, _ target: inout ShrinkTarget) -> Bool {
      var candidate = best
      move(&candidate, moved)
      return target.reproduces(candidate)
    }
    let times = best.times
    let earliestAllowed = times.last { $0 < time } ?? .start
    let next = times.first { $0 > time }
    var low = earliestAllowed
    if time > low, !works(low, &target) {
      var good = time
      while good - low > .milliseconds(1) {
        let middle = low + (good - low) / 2
        if works(middle, &target) { good = middle } else { low = middle }
      }
      low = good
    }
    let far = next ?? time + .hours(24)
    var high = far
    if works(far, &target) { return low...(next ?? .never) }
    var good = time
    while high - good > .milliseconds(1) {
      let middle = good + (high - good) / 2
      if works(middle, &target) { good = middle } else { high = middle }
    }
    return low...good
  }

  private static func threshold(
    ofFault index: Int, in best: Scenario, _ target: inout ShrinkTarget
  ) -> Nanoseconds? {
    let kind = best.faults[index].kind
    let size: WritableKeyPath<FaultKind, Nanoseconds?> = kind.length != nil ? \.length : \.by
    guard var good = kind[keyPath: size], good != .forever else { return nil }
    var low = Nanoseconds.zero
    let precision = max(good / 1000, Nanoseconds(1000))
    while good - low > precision {
      let middle = low + (good - low) / 2
      var candidate = best
      candidate.faults[index].kind[keyPath: size] = middle
      if target.reproduces(candidate) { good = middle } else { low = middle }
    }
    return good
  }
}
