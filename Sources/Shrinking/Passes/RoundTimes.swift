internal import Simulation
internal import Timeline

/// Moves single events to rounder times, without changing their order.
public struct RoundTimes: ShrinkPass {
  public static let name = "round-times"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    var index = 0
    while index < target.scenario.times.count {
      let times = target.scenario.times
      let time = times[index]
      if RoundLength.roughness(time) > 0 {
        let earliest = index > 0 ? times[index - 1] : .start
        let latest = index + 1 < times.count ? times[index + 1] : .never
        for rounded in rounded(time) where rounded >= earliest && rounded <= latest {
          if target.consider({ $0.mapTimes { $0 == time ? rounded : $0 } }) { break }
        }
      }
      index += 1
    }
  }

  private func rounded(_ time: Instant) -> [Instant] {
    var candidates: [Instant] = []
    let units: [Nanoseconds] = [
      .hours(1), .minutes(10), .minutes(1), .seconds(10), .seconds(1), .milliseconds(100),
      .milliseconds(10), .milliseconds(1),
    ]
    for unit in units {
      let floor = Instant(nanoseconds: time.nanoseconds / unit.count * unit.count)
      candidates += [floor, floor + unit]
    }
    return candidates
  }
}
