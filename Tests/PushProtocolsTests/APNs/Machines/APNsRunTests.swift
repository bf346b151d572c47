@testable import PushProtocols
import Custody
import Oracles
import Simulation
import Testing
import Timeline

/// Machines, kernel, witness and oracles together.
@Suite struct APNsRunTests {
  static let seeds = APNsStandardScenarios.all

  func findings(_ bench: any Bench, _ scenario: Scenario) -> [String] {
    _ = bench.run(scenario, options: RunOptions())
    var violations: [Violation] = []
    OracleCatalog.judge(bench.ledger, into: &violations)
    return violations.map { OracleCatalog.name(of: $0.signature) }
  }

  func bench(
    client: String = "apns.device@good", server: String = "apns.server@good"
  ) throws -> any Bench {
    try #require(ProtocolCatalog.apns.makeBench(client, server))
  }

  @Test(arguments: APNsStandardScenarios.all)
  func `a standard scenario holds without faults`(scenario: Scenario) throws {
    let bench = try bench()
    #expect(scenario.flaw == nil)
    #expect(findings(bench, scenario) == [])
    #expect(bench.ledger.calmReached)
    for row in bench.ledger.deliveries {
      // Every push and change has reached the server, and every app has what it was promised.
      if row.receiver.isServer { #expect(row.facts.isSuperset(of: [.accepted, .settled])) }
      if row.facts.isSuperset(of: [.promisesApplication, .owed]) {
        #expect(!row.facts.isDisjoint(with: [.applied, .rejected]))
      }
    }
  }

  @Test func `the same scenario leaves the same trace`() throws {
    for scenario in Self.seeds {
      let first = try bench()
      let second = try bench()
      let summary = first.run(scenario, options: RunOptions())
      #expect(summary == second.run(scenario, options: RunOptions()))
      _ = second.run(Self.seeds[1], options: RunOptions())
      #expect(summary == second.run(scenario, options: RunOptions()))
    }
  }

  @Test func `the good machines hold under random faults`() throws {
    let bench = try bench()
    var random = SeededRandom(seed: 2026)
    for round in 0..<600 {
      var scenario = Self.seeds[round % Self.seeds.count]
      for _ in 0...random.below(4) {
        scenario.faults.append(.random(in: scenario, using: &random))
      }
      let found = findings(bench, scenario)
      #expect(found == [], "\(scenario.source): \(scenario.faults)")
    }
  }

  // MARK: - What the machines do

  /// A phone, its app and a provider.
  private func scenario(_ topic: String, _ parameters: [Parameter] = []) -> Scenario {
    var scenario = Scenario(
      model: "apns", client: "apns.device@good", server: "apns.server@good")
    scenario.topics = [topic]
    scenario.devices = [
      Device(name: "phone", identity: "phone", parameters: parameters),
      Device(name: "provider", identity: "provider", parameters: [Parameter("provider", 1)]),
    ]
    scenario.steps = [
      Step(.start, phone, .connect), Step(.start, phone, .subscribe(topic: 0, quality: 1)),
      Step(.start, provider, .connect),
    ]
    return scenario
  }

  private let phone = NodeID(device: 0)
  private let provider = NodeID(device: 1)

  private func submit(
    _ publication: UInt16, at seconds: UInt64, expiry: Nanoseconds = .forever,
    quality: UInt8 = 1
  ) -> Step {
    Step(
      .start + .seconds(seconds), provider,
      .submit(
        Submission(publication: publication, topic: 0, quality: quality, expiry: expiry)))
  }

  private func row(_ bench: any Bench, _ publication: UInt16) throws -> DeliveryRow {
    let index = try #require(bench.ledger.index(of: publication, to: phone))
    return bench.ledger.deliveries[index]
  }

  @Test func `of what is stored for an app only the newest is delivered`() throws {
    let bench = try bench()
    var scenario = scenario("push:a")
    scenario.steps += [
      Step(.start + .seconds(4), phone, .disconnect), submit(1, at: 5), submit(2, at: 6),
      Step(.start + .seconds(8), phone, .connect),
    ]
    #expect(findings(bench, scenario) == [])
    #expect(try row(bench, 1).facts.contains(.superseded))
    #expect(try !row(bench, 1).facts.contains(.sent))
    #expect(try row(bench, 2).facts.isSuperset(of: [.handedOver, .acknowledged, .settled]))
  }

  @Test func `a courier that keeps more than one delivers the newest of them`() throws {
    let bench = try bench()
    var scenario = scenario("push:a")
    scenario.serverParameters = [Parameter("stored-per-app", 2)]
    scenario.steps += [
      Step(.start + .seconds(4), phone, .disconnect), submit(1, at: 5), submit(2, at: 6),
      submit(3, at: 7), Step(.start + .seconds(8), phone, .connect),
    ]
    #expect(findings(bench, scenario) == [])
    #expect(try row(bench, 1).facts.contains(.superseded))
    for kept: UInt16 in [2, 3] {
      #expect(try row(bench, kept).facts.isDisjoint(with: .superseded))
      #expect(try row(bench, kept).facts.isSuperset(of: [.acknowledged, .settled]))
    }
  }

  @Test(arguments: [UInt64(0), 1, 3])
  func `a device follows couriers that send it on`(redirects: UInt64) throws {
    let bench = try bench()
    var scenario = scenario("push:a")
    scenario.serverParameters = [Parameter("redirects", redirects)]
    scenario.steps.append(submit(1, at: 2))
    #expect(findings(bench, scenario) == [])
    #expect(try row(bench, 1).facts.contains(.acknowledged))
    // At once, not after a pause each time.
    let acceptedAt = try row(bench, 1).acceptedAt
    #expect(acceptedAt < .start + .seconds(3))
    let connects = UInt64(bench.ledger.devices[0].connects)
    #expect(connects == 1 + redirects)
  }

  @Test(arguments: [UInt64(0), 2])
  func `a courier ends a connection on which too much is unacknowledged`(limit: UInt64) throws {
    let bench = try bench()
    var scenario = scenario("push:a")
    scenario.serverParameters = [Parameter("unacked-limit", limit)]
    scenario.path.rtt = .seconds(1)
    scenario.steps += [submit(1, at: 10), submit(2, at: 10), submit(3, at: 10)]
    #expect(findings(bench, scenario) == [])
    let connects = bench.ledger.devices[0].connects
    #expect(connects == (limit == 0 ? 1 : 2))
  }

  @Test func `what expires while the device is away is not delivered`() throws {
    let bench = try bench()
    var scenario = scenario("push:a")
    scenario.steps += [
      Step(.start + .seconds(4), phone, .disconnect),
      submit(1, at: 5, expiry: .seconds(2)), Step(.start + .seconds(8), phone, .connect),
    ]
    #expect(findings(bench, scenario) == [])
    #expect(try row(bench, 1).facts.contains(.expired))
    #expect(try !row(bench, 1).facts.contains(.sent))
  }

  @Test func `what is not acknowledged comes again on the next connection`() throws {
    let bench = try bench()
    var scenario = scenario("push:a")
    // Something is still to come, so the calm that heals everything has not begun.
    scenario.steps += [submit(1, at: 5), Step(.start + .seconds(10), provider, .connect)]
    let kind = APNsMessageKind.notification.rawValue
    scenario.faults = [
      Fault(.cut, node: phone, .message(sender: .server, kind: kind, ordinal: 1))
    ]
    #expect(findings(bench, scenario) == [])
    #expect(try row(bench, 1).sends == 2)
    #expect(try row(bench, 1).facts.contains(.acknowledged))
  }

  @Test func `a command that a device can't carry out now is pushed again`() throws {
    let bench = try bench()
    var scenario = scenario(
      "mdm:fleet",
      [Parameter("locked-until", 30_000_000_000), Parameter("asks-after-unlock", 0)])
    scenario.serverParameters = [Parameter("repush", 60_000_000_000)]
    scenario.steps.append(submit(1, at: 5))
    #expect(findings(bench, scenario) == [])
    let row = try row(bench, 1)
    #expect(row.facts.contains(.applied))
    #expect(row.sends >= 2)
  }

  @Test func `a change outlives the push that announced it`() throws {
    let bench = try bench()
    var scenario = scenario("sync:zone")
    scenario.steps += [
      Step(.start + .seconds(4), phone, .disconnect), submit(1, at: 5), submit(2, at: 6),
      Step(.start + .seconds(8), phone, .connect),
    ]
    #expect(findings(bench, scenario) == [])
    #expect(try row(bench, 1).facts.isSuperset(of: [.superseded, .applied]))
    #expect(try row(bench, 2).facts.isSuperset(of: [.acknowledged, .applied]))
  }

  @Test func `a device whose clock is far off corrects its nonce by the courier's time`() throws {
    let bench = try bench()
    var scenario = scenario("push:a")
    scenario.serverParameters = [Parameter("nonce-tolerance", 60_000_000_000)]
    scenario.faults = [
      Fault(.clockJump(.client, forward: false, by: .hours(3)), node: phone, .at(.start))
    ]
    scenario.steps.append(submit(1, at: 20))
    #expect(findings(bench, scenario) == [])
    #expect(try row(bench, 1).acceptedAt < .start + .seconds(21))
    #expect(try row(bench, 1).facts.contains(.acknowledged))
    #expect(bench.ledger.devices[0].connects >= 2)
  }

  @Test(arguments: [("apns.device@ios-26.4.0", true), ("apns.device@ios-26.4.1", false)])
  func `an expired token that can't be refreshed at once locks 26.4.0 out`(
    client: String, isLockedOut: Bool
  ) throws {
    let bench = try bench(client: client)
    var scenario = scenario("push:a", [Parameter("credential-lifetime", 3_600_000_000_000)])
    scenario.steps += [submit(1, at: 5), submit(2, at: 30)]
    let time = Instant.start + .seconds(10)
    scenario.faults = [
      Fault(.expireCredential, node: phone, .at(time)),
      Fault(.throttleRefresh(for: .minutes(1)), node: phone, .at(time)),
    ]
    let found = findings(bench, scenario)
    #expect(found.contains("lockout") == isLockedOut)
    #expect(found.contains("ghost") == isLockedOut)
    if !isLockedOut { #expect(found == []) }
  }

  @Test(arguments: [("apns.device@ios-26.4.0", true), ("apns.device@ios-26.4.1", false)])
  func `a half-open connection deceives 26.4.0`(client: String, isZombie: Bool) throws {
    let bench = try bench(client: client)
    var scenario = scenario("push:a", [Parameter("keep-alive", 60_000_000_000)])
    scenario.serverParameters = [Parameter("presumed-interval", 60_000_000_000)]
    scenario.steps.append(submit(1, at: 15))
    scenario.faults = [Fault(.halfOpen, node: phone, .at(.start + .seconds(10)))]
    let found = findings(bench, scenario)
    #expect(found.contains("zombie") == isZombie)
    if !isZombie { #expect(found == []) }
  }
}
