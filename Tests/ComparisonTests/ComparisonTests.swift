@testable import Comparison
import Custody
import PushProtocols
import Reporting
import Simulation
import Testing
import Timeline

@Suite struct ComparisonTests {
  static func settings(
    seeds: ClosedRange<UInt64> = 1...2, executions: Int = 8, hours: UInt64 = 1, workers: Int = 1
  ) -> Comparison.Settings {
    var settings = Comparison.Settings()
    settings.seeds = Array(seeds)
    settings.executions = executions
    settings.day = MeasuredDay(length: .hours(hours), submitsEvery: .minutes(20))
    settings.workers = workers
    return settings
  }

  static func compare(
    _ clients: String..., settings: Comparison.Settings = settings()
  ) async -> Comparison {
    let mqtt = ProtocolCatalog.mqtt
    var comparison = Comparison(
      mqtt.standardScenarios,
      contestants: Contestant.pairs(
        clients: clients.map { "mqtt.client@" + $0 }, servers: [], subject: mqtt),
      subject: mqtt, settings: settings)
    await comparison.run { _ in true }
    return comparison
  }

  static func value(_ comparison: Comparison, _ name: String, _ index: Int) -> Double? {
    comparison.rows.first { $0.measure.name == name }?.cells[index].value
  }

  @Test func `a machine compared with itself shows no difference`() async {
    let comparison = await Self.compare("good", "good")
    #expect(comparison.isFinished)
    for row in comparison.rows {
      #expect(row.cells[0] == row.cells[1], "\(row.measure.name)")
      #expect(row.showcase == nil)
    }
    // There was something to see.
    #expect(comparison.results[0].campaign.runs == 16)
    #expect(comparison.results[0].healthy.runs == UInt64(comparison.given.count))
    #expect(comparison.results[0].campaign.clientZombies.count > 0)
    #expect(!comparison.hasFindings)
  }

  @Test func `workers change nothing, seeds do`() async {
    var settings = Self.settings()
    let one = await Self.compare("good", "no-ping-timeout", settings: settings)
    settings.workers = 3
    let three = await Self.compare("good", "no-ping-timeout", settings: settings)
    #expect(ComparisonJSON.text(one) == ComparisonJSON.text(three))
    #expect(ComparisonChart.svg(one) == ComparisonChart.svg(three))
    settings.seeds = [7, 8]
    let other = await Self.compare("good", "no-ping-timeout", settings: settings)
    #expect(ComparisonJSON.text(one) != ComparisonJSON.text(other))
  }

  /// A defect, what it makes worse, and whether that becomes more.
  struct Direction: Sendable, CustomTestStringConvertible {
    var client: String
    var measure: String
    var isMore: Bool
    var testDescription: String { "\(client): \(measure)" }
  }

  @Test(arguments: [
    Direction(client: "no-ping-timeout", measure: "clientZombieP99", isMore: true),
    Direction(client: "no-ping-timeout", measure: "reachable", isMore: false),
    Direction(client: "token-never-refreshed", measure: "lockout", isMore: true),
    Direction(client: "token-never-refreshed", measure: "recoveryNever", isMore: true),
    Direction(client: "token-never-refreshed", measure: "healthyReachable", isMore: false),
    Direction(client: "retries-without-pause", measure: "connectsPerDay", isMore: true),
  ])
  func `a defect shows in the numbers that it is about`(direction: Direction) async throws {
    let settings = Self.settings(executions: 6)
    let comparison = await Self.compare("good", direction.client, settings: settings)
    let good = try #require(Self.value(comparison, direction.measure, 0))
    let bad = try #require(Self.value(comparison, direction.measure, 1))
    #expect(direction.isMore ? bad > good : bad < good, "\(good) and \(bad)")
    let row = try #require(comparison.rows.first { $0.measure.name == direction.measure })
    #expect(row.showcase != nil)
  }

  @Test func `a comparison that is stopped has as many scenarios of each seed`() async {
    let mqtt = ProtocolCatalog.mqtt
    var comparison = Comparison(
      Array(mqtt.standardScenarios.prefix(2)),
      contestants: Contestant.pairs(clients: ["mqtt.client@good"], servers: [], subject: mqtt),
      subject: mqtt, settings: Self.settings(executions: 40))
    await comparison.run { $0.done < 32 }
    #expect(comparison.done == 32 && !comparison.isFinished)
    #expect(comparison.results[0].seeds.map(\.runs) == [15, 15])
  }

  @Test func `the scenario of a row shows its difference again`() async throws {
    let comparison = await Self.compare("good", "no-ping-timeout")
    let row = try #require(comparison.rows.first { $0.measure.name == "clientZombieP99" })
    let showcase = try #require(row.showcase)
    var weights: [Double] = []
    for result in comparison.results {
      let scenario = try #require(
        comparison.scenario(of: showcase.unit, with: result.contestant))
      #expect(scenario.flaw == nil && scenario.client == result.contestant.client)
      weights.append(
        row.measure.weight(
          try RunMeterTests.measure(scenario, client: result.contestant.client)))
    }
    #expect(weights[1] - weights[0] == showcase.difference)
  }

  @Test func `labels are as short as they can be`() {
    let good = Contestant(client: "mqtt.client@good", server: "mqtt.broker@good")
    let leaky = Contestant(client: "mqtt.client@good", server: "mqtt.broker@leaks-window")
    let late = Contestant(client: "mqtt.client@late", server: "mqtt.broker@good")
    #expect(Contestant.labels(of: [good, late]) == ["good", "late"])
    #expect(Contestant.labels(of: [good, leaky]) == ["good", "leaks-window"])
    #expect(
      Contestant.labels(of: [good, late, leaky]) == [
        "good + good", "late + good", "good + leaks-window",
      ])
    #expect(Contestant.labels(of: [good, good]) == ["good (1)", "good (2)"])
    let own = Contestant(client: "my-client", server: "mqtt.broker@good")
    #expect(Contestant.labels(of: [good, own]) == ["mqtt.client@good", "my-client"])
  }
}
