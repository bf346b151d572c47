@testable import Comparison
@testable import Reporting
import Testing
import Timeline

@Suite struct DistributionTests {
  @Test func `a percentile is the smallest value that so many do not exceed`() {
    var distribution = Distribution()
    #expect(distribution.percentile(50) == nil)
    for value: UInt64 in [5, 1, 3, 2, 4] { distribution.add(Nanoseconds(value)) }
    #expect(distribution.percentile(50) == Nanoseconds(3))
    #expect(distribution.percentile(60) == Nanoseconds(3))
    #expect(distribution.percentile(61) == Nanoseconds(4))
    #expect(distribution.percentile(99) == Nanoseconds(5))
    #expect(distribution.count == 5)
  }

  @Test func `merging is counting together`() {
    var parts = [Distribution(), Distribution()]
    var whole = Distribution()
    for value: UInt64 in 0..<50 {
      parts[value % 3 == 0 ? 0 : 1].add(Nanoseconds(value % 7))
      whole.add(Nanoseconds(value % 7))
    }
    parts[0].merge(parts[1])
    #expect(parts[0] == whole)
  }
}

@Suite struct RadioClockTests {
  @Test func `tails that overlap are one, and the end of the day cuts the last`() {
    let model = RadioModel(tail: .seconds(10))
    var clock = RadioClock()
    for second: UInt64 in [0, 4, 14, 30] { clock.touch(at: .start + .seconds(second), model) }
    #expect(clock.total(until: .start + .seconds(100)) == .seconds(24 + 10))
    #expect(clock.total(until: .start + .seconds(33)) == .seconds(24 + 3))
    #expect(RadioClock().total(until: .start + .seconds(9)) == .zero)
  }
}

@Suite struct MeasureNumberTests {
  @Test(arguments: [
    (0.0, "0"), (0.0123, "0.012"), (1.5, "1.5"), (9.994, "9.99"), (9.996, "10"), (82.14, "82.1"),
    (99.96, "100"), (2880, "2,880"), (434_017.6, "434,018"), (-1.5, "-1.5"),
  ])
  func `three digits count`(value: Double, text: String) {
    #expect(MeasureNumber.digits(value) == text)
  }

  @Test func `units suit the number`() {
    #expect(MeasureNumber.text(58_000, .time) == "58 us")
    #expect(MeasureNumber.text(80_200_000, .time) == "80.2 ms")
    #expect(MeasureNumber.text(30_080_200_000, .time) == "30.1 s")
    #expect(MeasureNumber.text(924.6e9, .time) == "15.4 min")
    #expect(MeasureNumber.text(4 * 3600e9, .timePerDay) == "4 h")
    #expect(MeasureNumber.text(0.9876, .share) == "98.8 %")
    #expect(MeasureNumber.text(0, .time) == "0 s")
  }

  @Test func `the spread has the unit of the whole, or its own`() {
    func text(_ value: Double, _ seeds: Double?...) -> String {
      MeasureNumber.text(ComparisonRow.Cell(value: value, seeds: seeds), .time)
    }
    #expect(text(82e6, 80e6, 84e6) == "82 ms (80…84)")
    #expect(text(82e6, 80e6, 2e9) == "82 ms (80 ms…2 s)")
    #expect(text(82e6, 82e6, nil, 82e6) == "82 ms")
    #expect(MeasureNumber.text(ComparisonRow.Cell(value: nil, seeds: [nil]), .time) == "–")
  }

  @Test func `a ratio says when seeds disagree`() {
    func ratio(_ first: [Double], _ own: [Double]) -> String {
      func cell(_ seeds: [Double]) -> ComparisonRow.Cell {
        ComparisonRow.Cell(value: seeds.reduce(0, +), seeds: seeds)
      }
      return MeasureNumber.ratio(
        ComparisonRow(measure: Measure.all[0], cells: [cell(first), cell(own)]), 1)
    }
    #expect(ratio([1, 1], [2, 3]) == "×2.50")
    #expect(ratio([1000, 1], [1001, 1]) == "×1.00")
    #expect(ratio([1, 1], [2, 1]) == "×1.50")
    #expect(ratio([10, 10], [1, 1]) == "×0.1")
    #expect(ratio([1000, 1000], [2, 2]) == "÷500")
    #expect(ratio([1000, 1000], [0, 0]) == "×0")
    #expect(ratio([1, 3], [2, 2.5]) == "~×1.13")
    #expect(ratio([1, 1], [1, 1]) == "=")
    #expect(ratio([0, 0], [1, 1]) == "∞")
    #expect(ratio([0, 0], [1, 0]) == "∞")
  }
}

@Suite struct MeasureCatalogTests {
  @Test func `names are unique`() {
    let names = Measure.all.map(\.name)
    #expect(Set(names).count == names.count)
  }

  @Test func `nothing measured gives no number but counts of never`() {
    for measure in Measure.all where measure.unit != .count {
      #expect(measure.value(Tally()) == nil, "\(measure.name)")
    }
  }
}
