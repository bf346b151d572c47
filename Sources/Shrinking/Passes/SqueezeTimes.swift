internal import Simulation
internal import Timeline

/// Shortens the waits between events, to round ones.
public struct SqueezeTimes: ShrinkPass {
  public static let name = "squeeze-times"
  public init() {}

  static let waits: [Nanoseconds] = [
    .zero, .milliseconds(100), .milliseconds(200), .milliseconds(500), .seconds(1), .seconds(2),
    .seconds(5), .seconds(10), .seconds(20), .seconds(30), .minutes(1), .minutes(2), .minutes(5),
    .minutes(10), .minutes(20), .minutes(30), .hours(1), .hours(2), .hours(6), .hours(12),
    .hours(24),
  ]

  public func run(on target: inout ShrinkTarget) {
    for limit in [Nanoseconds.seconds(1), .seconds(10), .minutes(1), .minutes(10)] {
      let waits = waits(of: target.scenario)
      if target.consider(retimed(target.scenario, waits.map { $0 > .zero ? limit : $0 })) { break }
      if target.consider(retimed(target.scenario, waits.map { min($0, limit) })) { break }
    }
    for index in waits(of: target.scenario).indices { shorten(index, &target) }
  }

  private func shorten(_ index: Int, _ target: inout ShrinkTarget) {
    let waits = waits(of: target.scenario)
    guard index < waits.count else { return }
    var failing = -1
    var working = Self.waits.firstIndex { $0 >= waits[index] } ?? Self.waits.count
    while working - failing > 1 {
      let middle = (failing + working) / 2
      var candidate = waits
      candidate[index] = Self.waits[middle]
      if target.consider(retimed(target.scenario, candidate)) {
        working = middle
        // With no wait at all two times became one; what follows is another pass's business.
        if middle == 0 { return }
      } else {
        failing = middle
      }
    }
  }

  private func waits(of scenario: Scenario) -> [Nanoseconds] {
    var last = Instant.start
    return scenario.times.map { time in
      defer { last = time }
      return time - last
    }
  }

  private func retimed(_ scenario: Scenario, _ waits: [Nanoseconds]) -> Scenario {
    let old = scenario.times
    var new: [Instant] = []
    var last = Instant.start
    for wait in waits {
      last = last + wait
      new.append(last)
    }
    var scenario = scenario
    scenario.mapTimes { time in
      // Sorted and few; a binary search would be longer than this file needs.
      old.firstIndex(of: time).map { new[$0] } ?? time
    }
    return scenario
  }
}
