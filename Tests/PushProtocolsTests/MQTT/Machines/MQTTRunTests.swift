@testable import PushProtocols
import Custody
import Oracles
import Simulation
import Testing
import Timeline

/// Machines, kernel, witness and oracles together.
@Suite struct MQTTRunTests {
  static let seeds = MQTTStandardScenarios.all

  func findings(_ bench: any Bench, _ scenario: Scenario) -> [String] {
    _ = bench.run(scenario, options: RunOptions())
    var violations: [Violation] = []
    OracleCatalog.judge(bench.ledger, into: &violations)
    return violations.map { OracleCatalog.name(of: $0.signature) }
  }

  func bench(_ client: String, _ server: String) throws -> any Bench {
    try #require(ProtocolCatalog.mqtt.makeBench(client, server))
  }

  @Test(arguments: MQTTStandardScenarios.all)
  func `a standard scenario holds without faults`(scenario: Scenario) throws {
    let bench = try bench("mqtt.client@good", "mqtt.broker@good")
    #expect(scenario.flaw == nil)
    #expect(findings(bench, scenario) == [])
    #expect(bench.ledger.calmReached)
    // Every publication of an app has reached the server.
    for row in bench.ledger.deliveries where row.receiver.isServer {
      #expect(row.facts.isSuperset(of: [.accepted, .settled, .countedDone]))
    }
  }

  @Test func `the same scenario leaves the same trace`() throws {
    for scenario in Self.seeds {
      let first = try bench("mqtt.client@good", "mqtt.broker@good")
      let second = try bench("mqtt.client@good", "mqtt.broker@good")
      let summary = first.run(scenario, options: RunOptions())
      #expect(summary == second.run(scenario, options: RunOptions()))
      // A bench that has run something else runs it the same way.
      _ = second.run(Self.seeds[1], options: RunOptions())
      #expect(summary == second.run(scenario, options: RunOptions()))
    }
  }

  @Test func `what only a device that stays offline could learn prolongs no calm`() throws {
    let bench = try bench("mqtt.client@good", "mqtt.broker@good")
    var scenario = Scenario(model: "mqtt", client: "mqtt.client@good", server: "mqtt.broker@good")
    scenario.topics = ["t"]
    scenario.devices = [Device(name: "pub", identity: "pub")]
    let pub = NodeID(device: 0)
    let submission = Submission(publication: 1, topic: 0, quality: 1)
    let time = Instant.start + .seconds(1)
    scenario.steps = [
      Step(.start, pub, .connect), Step(time, pub, .submit(submission)),
      // PUBACK is on its way.
      Step(time + .milliseconds(30), pub, .disconnect),
    ]
    let summary = bench.run(scenario, options: RunOptions())
    #expect(bench.ledger.calmReached)
    #expect(bench.ledger.deliveries[0].facts.contains(.acknowledged))
    #expect(!bench.ledger.deliveries[0].facts.contains(.settled))
    #expect(summary.ended < summary.calmBegan + .seconds(20))
    // One that wants to come back would still show whether it does.
    scenario.steps.append(Step(time + .seconds(1), pub, .connect))
    scenario.faults = [Fault(.refuse(for: .minutes(1)), node: pub, .at(time + .milliseconds(500)))]
    _ = bench.run(scenario, options: RunOptions())
    #expect(bench.ledger.deliveries[0].facts.contains(.settled))
  }

  @Test func `the good machines hold under random faults`() throws {
    let bench = try bench("mqtt.client@good", "mqtt.broker@good")
    var random = SeededRandom(seed: 2026)
    for round in 0..<900 {
      var scenario = Self.seeds[round % Self.seeds.count]
      for _ in 0...random.below(4) {
        scenario.faults.append(.random(in: scenario, using: &random))
      }
      let found = findings(bench, scenario)
      #expect(found == [], "\(scenario.source): \(scenario.faults)")
    }
  }

  /// A specimen, a standard scenario by position, the oracle that finds it, the faults it takes.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var seed: Int
    var oracle: String
    var faults: [Fault]
    var testDescription: String { name }

    init(_ name: String, _ seed: Int, _ oracle: String, _ faults: Fault...) {
      self.name = name
      self.seed = seed
      self.oracle = oracle
      self.faults = faults
    }
  }

  @Test(arguments: cases)
  func `a specimen is found where the good machine holds`(specimen: Case) throws {
    var scenario = Self.seeds[specimen.seed]
    scenario.faults = specimen.faults
    let good = try bench("mqtt.client@good", "mqtt.broker@good")
    #expect(findings(good, scenario) == [])
    let isClient = specimen.name.hasPrefix("mqtt.client@")
    let bad = try bench(
      isClient ? specimen.name : "mqtt.client@good", isClient ? "mqtt.broker@good" : specimen.name)
    #expect(findings(bad, scenario).contains(specimen.oracle))
  }

  @Test func `every specimen has its case and its citation`() {
    let names = ProtocolCatalog.mqtt.machines.filter { !$0.name.hasSuffix("@good") }
    #expect(names.map(\.name).sorted() == Self.cases.map(\.name).sorted())
    for specimen in names { #expect(!specimen.citation.isEmpty) }
  }

  static let cases: [Case] = [
    Case(
      "mqtt.broker@forgets-in-flight", 2, "ghost",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case(
      "mqtt.broker@counts-done-on-write", 2, "ghost",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case(
      "mqtt.broker@forgets-pubrel-on-resume", 1, "stuck",
      Fault(.forgetMapping(reset: false), node: NodeID(1), .at(.start + .milliseconds(1077)))),
    Case(
      "mqtt.broker@leaks-window", 2, "stuck",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case("mqtt.broker@overfills-window", 1, "protocol"),
    Case(
      "mqtt.broker@drops-when-window-is-full", 2, "lost",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case(
      "mqtt.broker@reuses-packet-ids", 1, "ghost",
      Fault(.halfOpen, node: NodeID(1), .message(sender: .server, kind: 5, ordinal: 3))),
    Case(
      "mqtt.broker@resends-without-dup", 2, "protocol",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case(
      "mqtt.broker@resends-under-new-id", 1, "duplicate",
      Fault(
        .restartServer(downFor: .seconds(2), host: false, wipe: false), node: NodeID(2),
        .at(.start + .milliseconds(1120)))),
    Case(
      "mqtt.broker@republishes-after-pubrec", 1, "duplicate",
      Fault(
        .reset(client: false, server: false), node: NodeID(0),
        .state(side: .client, state: 4, ordinal: 3))),
    Case(
      "mqtt.broker@drops-qos2-in-flight", 1, "ghost",
      Fault(
        .slow(.server, by: .seconds(18), for: .seconds(20)), node: NodeID(0),
        .message(sender: .client, kind: 0, ordinal: 2))),
    Case(
      "mqtt.broker@expired-blocks-queue", 3, "stuck",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .milliseconds(26100)))),
    Case(
      "mqtt.broker@drops-queue-on-restart", 1, "lost",
      Fault(
        .restartServer(downFor: .seconds(60), host: true, wipe: false), node: NodeID(2),
        .at(.start + .milliseconds(6030)))),
    Case(
      "mqtt.broker@redelivers-only-recent", 2, "ghost",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case(
      "mqtt.broker@takeover-leaves-deaf-session", 2, "stuck",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case(
      "mqtt.broker@treats-every-start-as-clean", 2, "ghost",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case("mqtt.broker@forgets-subscriptions-on-resume", 7, "lost"),
    Case(
      "mqtt.broker@expiry-from-connect", 3, "ghost",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .milliseconds(26100)))),
    Case("mqtt.broker@loses-will-on-takeover", 7, "lost"),
    Case("mqtt.broker@loses-will-on-timeout", 6, "lost"),
    Case(
      "mqtt.broker@ignores-keep-alive", 3, "zombie",
      Fault(
        .killClient(downFor: .seconds(240), host: true), node: NodeID(2),
        .at(.start + .seconds(17)))),
    Case(
      "mqtt.broker@keeps-awaited-after-session", 8, "protocol",
      Fault(
        .restartServer(downFor: .milliseconds(1500), host: false, wipe: false), node: NodeID(2),
        .at(.start + .milliseconds(10040)))),
    Case(
      "mqtt.broker@forgets-awaited-after-timeout", 1, "duplicate",
      Fault(.halfOpen, node: NodeID(1), .message(sender: .server, kind: 5, ordinal: 3))),
    Case(
      "mqtt.client@acks-before-hand-over", 8, "false-ack",
      Fault(
        .killClient(downFor: .milliseconds(3), host: true), node: NodeID(1),
        .at(.start + .milliseconds(2080)))),
    Case("mqtt.client@reconnects-without-resubscribe", 3, "lost"),
    Case("mqtt.client@ignores-session-present", 3, "lost"),
    Case(
      "mqtt.client@loses-publishes-while-offline", 8, "lost",
      Fault(.cut, node: NodeID(2), .at(.start + .milliseconds(7500)))),
    Case(
      "mqtt.client@forgets-received-on-disconnect", 1, "duplicate",
      Fault(
        .restartServer(downFor: .seconds(2), host: false, wipe: false), node: NodeID(2),
        .at(.start + .milliseconds(1120)))),
    Case(
      "mqtt.client@no-ping-timeout", 2, "zombie",
      Fault(.halfOpen, node: NodeID(1), .at(.start + .seconds(5)))),
    Case("mqtt.client@token-never-refreshed", 4, "lockout"),
    Case("mqtt.client@token-refreshed-too-late", 4, "lockout"),
    Case(
      "mqtt.client@token-refresh-storm", 4, "storm",
      Fault(.throttleRefresh(for: .seconds(240)), node: NodeID(1), .at(.start + .seconds(28)))),
    Case(
      "mqtt.client@retries-without-pause", 1, "storm",
      Fault(
        .refuse(for: .seconds(20)), node: NodeID(0),
        .message(sender: .server, kind: 3, ordinal: 1))),
    Case(
      "mqtt.client@gives-up-after-network-error", 4, "lockout",
      Fault(
        .lose(.toServer, for: .seconds(135)), node: NodeID(1),
        .state(side: .server, state: 3, ordinal: 2))),
    Case(
      "mqtt.client@forgets-pubrel-on-resume", 1, "stuck",
      Fault(.pause(.server, for: .milliseconds(150)), node: NodeID(1), .at(.start + .seconds(1))),
      Fault(
        .reset(client: false, server: false), node: NodeID(1),
        .at(.start + .milliseconds(1160)))),
    Case(
      "mqtt.client@leaks-window-on-reconnect", 1, "stuck",
      Fault(
        .reset(client: false, server: false), node: NodeID(0),
        .state(side: .client, state: 4, ordinal: 3))),
    Case(
      "mqtt.client@resends-without-dup", 0, "protocol",
      Fault(.forgetMapping(reset: true), node: NodeID(2), .at(.start + .seconds(15)))),
    Case("mqtt.client@fights-for-session", 7, "storm"),
  ]
}

extension Fault {
  /// Any kind, anywhere in the scenario.
  static func random(in scenario: Scenario, using random: inout SeededRandom) -> Fault {
    let node = NodeID(UInt16(random.below(scenario.devices.count + 1)))
    let anchor: Anchor
    switch random.below(3) {
    case 0:
      let step = scenario.steps[random.below(scenario.steps.count)]
      anchor = .at(step.time + .milliseconds(UInt64(random.below(500))))
    case 1:
      anchor = .message(
        sender: random.chance(1, in: 2) ? .client : .server, kind: UInt8(random.below(16)),
        ordinal: UInt16(1 + random.below(6)))
    default:
      let side: Side = random.chance(1, in: 2) ? .client : .server
      let states = MQTTModel.states(of: side)
      anchor = .state(side: side, state: states[random.below(states.count)], ordinal: 1)
    }
    return Fault(.random(using: &random), node: node, anchor)
  }
}

extension FaultKind {
  static func random(using random: inout SeededRandom) -> FaultKind {
    let sizes: [UInt64] = [1, 50, 500, 3000, 12_000, 60_000, 300_000]
    let long = Nanoseconds.milliseconds(sizes[random.below(sizes.count)])
    let side: Side = random.chance(1, in: 2) ? .client : .server
    let coin = random.chance(1, in: 2)
    let all: [FaultKind] = [
      .delay(by: long), .pause(side, for: long), .slow(side, by: long / 10, for: long),
      .clockJump(side, forward: coin, by: long), .lose(.both, for: long),
      .lose(coin ? .toServer : .toClient, for: long), .cut, .halfOpen,
      .reset(client: coin, server: !coin), .reset(client: true, server: true),
      .forgetMapping(reset: coin), .changeNetwork, .refuse(for: long),
      .restartServer(downFor: long, host: coin, wipe: false),
      .restartServer(downFor: long, host: coin, wipe: true),
      .killClient(downFor: long, host: coin), .resubmit, .expireCredential,
      .slowRefresh(by: long, for: long), .refuseRefresh(for: long), .staleRefresh(for: long),
      .loseRefresh(for: long), .throttleRefresh(for: long),
    ]
    return all[random.below(all.count)]
  }
}
