public import Comparison
internal import Oracles
internal import Simulation
internal import Timeline

/// A comparison for programs, with stable names. No clock in it: equal comparisons give equal
/// bytes.
public enum ComparisonJSON {
  public static func text(_ comparison: Comparison) -> String {
    let settings = comparison.settings
    let labels = Contestant.labels(of: comparison.results.map(\.contestant))
    return JSONText.write(
      .object([
        ("version", .integer(1)), ("protocol", .string(comparison.subject.name)),
        ("scenarios", .integer(Int64(comparison.given.count))),
        ("seeds", .array(settings.seeds.map(JSONText.Value.unsigned))),
        ("executions", .integer(Int64(settings.executions))),
        ("dayNanoseconds", .unsigned(settings.day.length.count)),
        (
          "submitsEveryNanoseconds",
          settings.day.submitsEvery == .forever
            ? .null : .unsigned(settings.day.submitsEvery.count)
        ),
        ("radioTailNanoseconds", .unsigned(settings.radio.tail.count)),
        ("finished", .bool(comparison.isFinished)),
        ("machines", .array(zip(labels, comparison.results).map(machine))),
        ("measures", .array(comparison.rows.map(row))),
      ]))
  }

  private static func machine(_ label: String, _ result: Comparison.Result) -> JSONText.Value {
    let all = result.campaign
    return .object([
      ("label", .string(label)), ("client", .string(result.contestant.client)),
      ("server", .string(result.contestant.server)),
      ("healthyRuns", .unsigned(result.healthy.runs)), ("runs", .unsigned(all.runs)),
      ("cutRuns", .unsigned(all.cutRuns)), ("runsWithFindings", .unsigned(all.runsWithFindings)),
      ("deliveries", .unsigned(all.deliveries)), ("handshakes", .unsigned(all.handshakes.count)),
      ("recoveries", .unsigned(all.recoveries.count)),
      ("clientZombies", .unsigned(all.clientZombies.count)),
      ("serverZombies", .unsigned(all.serverZombies.count)),
    ])
  }

  private static func row(_ row: ComparisonRow) -> JSONText.Value {
    let values = row.cells.indices.map { index -> JSONText.Value in
      let cell = row.cells[index]
      return .object([
        ("value", number(cell.value)), ("lowest", number(cell.lowest)),
        ("highest", number(cell.highest)), ("seeds", .array(cell.seeds.map(number))),
        ("ratio", index == 0 ? .null : number(row.ratio(index))),
        ("seedsAgree", index == 0 ? .null : .bool(row.isConsistent(index))),
      ])
    }
    return .object([
      ("name", .string(row.measure.name)), ("title", .string(row.measure.title)),
      ("part", .string(row.measure.part.rawValue)), ("unit", .string(unit(row.measure.unit))),
      ("moreIsBetter", .bool(row.measure.isGood)), ("values", .array(values)),
      ("showcase", row.showcase.map { showcase($0.unit) } ?? .null),
    ])
  }

  private static func showcase(_ unit: Comparison.Unit) -> JSONText.Value {
    switch unit {
    case .healthy(let index): .object([("healthy", .integer(Int64(index)))])
    case .campaign(let seed, let number):
      .object([("seed", .unsigned(seed)), ("number", .integer(Int64(number)))])
    }
  }

  private static func unit(_ unit: Measure.Unit) -> String {
    switch unit {
    case .time: "nanoseconds"
    case .timePerDay: "nanosecondsPerDay"
    case .perDay: "perDay"
    case .share: "share"
    case .perTenThousand: "perTenThousandDeliveries"
    case .count: "count"
    }
  }

  /// Whole numbers without a point; Swift's description of the others reads back to the same.
  private static func number(_ value: Double?) -> JSONText.Value {
    guard let value, value.isFinite else { return .null }
    if value == value.rounded(), value.magnitude < 9e15 { return .integer(Int64(value)) }
    return .number("\(value)")
  }
}
