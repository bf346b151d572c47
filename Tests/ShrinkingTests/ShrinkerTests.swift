import Custody
import Oracles
import Search
import Shrinking
import Simulation
import Testing
import Timeline
import ToyBench

/// States what the minimum must be, whatever the route to it.
@Suite struct ShrinkerTests {
  static let gk = NodeID(device: 0)

  static func submit(_ publication: UInt16, topic: UInt16 = 0) -> Action {
    .submit(Submission(publication: publication, topic: topic, quality: 1))
  }

  /// Six devices, a thousand events, all of it noise.
  static func noise(steps: Int, faults: Int, seed: UInt64 = 1) -> Scenario {
    var random = SeededRandom(seed: seed)
    var scenario = Scenario(model: "toy", client: "toy.client@good", server: "toy.server@bad")
    scenario.topics = ["a", "b", "c"]
    scenario.path.rtt = .microseconds(41_337)
    for index in 0..<6 {
      scenario.devices.append(
        Device(
          name: "d\(index)", identity: "identity \(index)",
          parameters: [Parameter("keep-alive", 37_000_000_000), Parameter("window", 17)]))
    }
    var time = Instant.start
    for index in 0..<steps {
      time = time + Nanoseconds(random.next() >> 32)
      scenario.steps.append(
        Step(
          time, NodeID(device: random.below(6)), submit(UInt16(index + 1), topic: UInt16(index % 3))
        ))
    }
    for _ in 0..<faults {
      var fault = Fault(.resubmit, node: NodeID(device: random.below(6)), .at(time))
      fault.anchor = .at(Instant(nanoseconds: random.next() % time.nanoseconds))
      scenario.faults.append(fault)
    }
    return scenario
  }

  func shrink(
    _ scenario: Scenario, limit: Int = 20_000, _ rule: @escaping ToyRule
  ) throws -> (shrunk: Shrunk, bench: ToyBench) {
    let bench = ToyBench(rule: rule)
    let judge = BenchJudge(bench)
    let signature = try #require(judge.findings(of: scenario).first)
    var shrinker = Shrinker()
    shrinker.limit = limit
    let shrunk = try #require(
      shrinker.shrink(
        scenario, signature: signature, subject: .toy(), judge: judge))
    #expect(judge.findings(of: shrunk.scenario).contains(signature))
    return (shrunk, bench)
  }

  /// The ghost needs these submissions.
  static func needs(_ publications: [UInt16]) -> ToyRule {
    { scenario, ledger in
      let present = scenario.steps.compactMap { step in
        if case .submit(let submission) = step.action { submission.publication } else { nil }
      }
      if publications.allSatisfy(present.contains) {
        ledger.plantGhost(publications[0], for: gk)
      }
    }
  }

  @Test func `a thousand events shrink to six in few runs`() throws {
    let wanted: [UInt16] = [7, 203, 377, 378, 690, 999]
    var scenario = Self.noise(steps: 1000, faults: 0)
    scenario.devices = [Device(name: "gk", identity: "gk")]
    for index in scenario.steps.indices { scenario.steps[index].node = Self.gk }
    let bench = ToyBench(rule: Self.needs(wanted))
    let judge = BenchJudge(bench)
    let signature = try #require(judge.findings(of: scenario).first)
    var shrinker = Shrinker()
    shrinker.passes = [RemoveSteps()]
    let shrunk = try #require(
      shrinker.shrink(
        scenario, signature: signature, subject: .toy(), judge: judge, explaining: false))
    #expect(
      shrunk.scenario.steps.map(\.action) == wanted.map { Self.submit($0, topic: ($0 - 1) % 3) })
    #expect(shrunk.attempts <= 120, "\(shrunk.attempts)")
  }

  @Test func `everything that does not matter goes`() throws {
    let scenario = Self.noise(steps: 60, faults: 5)
    let (shrunk, _) = try shrink(scenario) { scenario, ledger in
      if scenario.steps.contains(where: { $0.action.isSubmission }) {
        ledger.plantGhost(1, for: Self.gk)
      }
    }
    var minimum = Scenario(model: "toy", client: "toy.client@good", server: "toy.server@bad")
    minimum.topics = ["a"]
    minimum.devices = [Device(name: shrunk.scenario.devices[0].name, identity: "")]
    minimum.devices[0].identity = minimum.devices[0].name
    minimum.steps = [Step(.start, Self.gk, Self.submit(1))]
    #expect(shrunk.scenario == minimum)
    #expect(shrunk.minimality.isVerified)
  }

  @Test func `magnitudes become round and as small as they can be`() throws {
    var scenario = Self.noise(steps: 3, faults: 0)
    scenario.faults = [
      Fault(
        .lose(.both, for: Nanoseconds(3_600_123_456_789)), node: Self.gk,
        .at(.start + Nanoseconds(17_123_456_789)))
    ]
    let (shrunk, _) = try shrink(scenario) { scenario, ledger in
      guard let fault = scenario.faults.first, case .lose(.both, let length) = fault.kind,
        length > .seconds(91)
      else { return }
      ledger.plantGhost(1, for: Self.gk)
    }
    #expect(shrunk.scenario.faults.map(\.kind) == [.lose(.both, for: .minutes(2))])
    #expect(shrunk.scenario.faults.map(\.anchor) == [.at(.start)])
    #expect(shrunk.scenario.steps.isEmpty)
    let explanation = try #require(shrunk.explanations.first)
    #expect(explanation.part == .fault(0))
    #expect(explanation.without.isEmpty)
    // The exact threshold is told beside the round number.
    let threshold = try #require(explanation.atLeast)
    #expect(threshold > .seconds(91) && threshold < .seconds(92))
    #expect(explanation.time == Instant.start...Instant.never)
  }

  @Test func `drastic faults become milder ones`() throws {
    var scenario = Self.noise(steps: 1, faults: 0)
    scenario.faults = [
      Fault(
        .restartServer(downFor: .minutes(3), host: true, wipe: true), node: .server, .at(.start))
    ]
    let (shrunk, _) = try shrink(scenario) { scenario, ledger in
      guard case .restartServer(_, _, let wipe) = scenario.faults.first?.kind, wipe else { return }
      ledger.plantGhost(1, for: Self.gk)
    }
    #expect(
      shrunk.scenario.faults.map(\.kind) == [
        .restartServer(downFor: .zero, host: false, wipe: true)
      ])
  }

  @Test func `times keep their order and their distance where that matters`() throws {
    var scenario = Self.noise(steps: 2, faults: 0)
    scenario.steps[0].time = .start + Nanoseconds(123_456_789)
    scenario.steps[1].time = .start + Nanoseconds(7_777_777_777_777)
    let (shrunk, _) = try shrink(scenario) { scenario, ledger in
      guard scenario.steps.count == 2,
        scenario.steps[1].time - scenario.steps[0].time > .seconds(3)
      else { return }
      ledger.plantGhost(1, for: Self.gk)
    }
    #expect(shrunk.scenario.steps.map(\.time) == [.start, .start + .seconds(5)])
    // The second step may come as early as just after three seconds.
    let range = try #require(shrunk.explanations.last?.time)
    #expect(range.lowerBound > .start + .seconds(3))
    #expect(range.lowerBound < .start + .milliseconds(3002))
    #expect(range.upperBound == .never)
  }

  @Test func `two devices become one where one is enough`() throws {
    var scenario = Self.noise(steps: 0, faults: 0)
    scenario.steps = [
      Step(.start, NodeID(device: 2), .connect),
      Step(.start, NodeID(device: 3), .connect),
      Step(.start + .seconds(1), NodeID(device: 2), .subscribe(topic: 1, quality: 1)),
      Step(.start + .seconds(2), NodeID(device: 3), Self.submit(44, topic: 1)),
    ]
    let (shrunk, _) = try shrink(scenario) { scenario, ledger in
      let actions = scenario.steps.map(\.action)
      guard actions.contains(.connect), actions.contains(where: { $0.isSubmission }),
        actions.contains(where: { if case .subscribe = $0 { true } else { false } })
      else { return }
      ledger.plantGhost(1, for: Self.gk)
    }
    #expect(shrunk.scenario.devices.count == 1)
    #expect(shrunk.scenario.steps.count == 3)
    #expect(shrunk.scenario.topics.count == 1)
  }

  @Test func `another failure is not the same failure`() throws {
    let scenario = Self.noise(steps: 20, faults: 3)
    let rule: ToyRule = { scenario, ledger in
      // Without faults something else is wrong.
      ledger.plantGhost(1, for: Self.gk)
      if scenario.faults.isEmpty { ledger.deliveries[0].quality = 2 }
    }
    let (shrunk, _) = try shrink(scenario, rule)
    #expect(shrunk.scenario.faults.count == 1)
    #expect(shrunk.explanations[0].without.map(\.name) == ["ghost-qos2-after-sent"])
  }

  @Test func `the limit ends it and is admitted`() throws {
    let (shrunk, _) = try shrink(
      Self.noise(steps: 400, faults: 8), limit: 30, Self.needs([3, 250, 399]))
    #expect(!shrunk.minimality.isVerified)
    #expect(shrunk.minimality.sentence.contains("limit"))
  }

  @Test func `what does not fail is not shrunk`() {
    let judge = BenchJudge(ToyBench(rule: { _, _ in }))
    let signature = Signature(oracle: 0, detail: 0, upward: false)
    #expect(
      Shrinker().shrink(
        Self.noise(steps: 5, faults: 1), signature: signature, subject: .toy(), judge: judge) == nil
    )
  }

  @Test(arguments: UInt64(0)..<20)
  func `the result is minimal, flawless and the same every time`(seed: UInt64) throws {
    let scenario = Self.noise(steps: 40, faults: 6, seed: seed)
    let rule: ToyRule = { scenario, ledger in
      // Needs a fault of device 3 and two submissions before it, in topic b.
      guard let fault = scenario.faults.first(where: { $0.node.index == 4 }),
        case .at(let time) = fault.anchor
      else { return }
      let before = scenario.steps.count { step in
        if case .submit(let submission) = step.action {
          return step.time < time && scenario.topics[Int(submission.topic)] == "b"
        }
        return false
      }
      if before >= 2 { ledger.plantGhost(1, for: Self.gk) }
    }
    guard !BenchJudge(ToyBench(rule: rule)).findings(of: scenario).isEmpty else { return }
    let (shrunk, _) = try shrink(scenario, rule)
    #expect(shrunk.scenario.flaw == nil)
    #expect(shrunk.minimality.isVerified)
    #expect(shrunk.scenario.faults.count == 1)
    #expect(shrunk.scenario.steps.count == 2)
    #expect(try shrink(scenario, rule).shrunk.scenario == shrunk.scenario)
    let judge = BenchJudge(ToyBench(rule: rule))
    for index in shrunk.scenario.steps.indices {
      var without = shrunk.scenario
      without.steps.remove(at: index)
      #expect(judge.findings(of: without).isEmpty)
    }
  }
}

extension Action {
  var isSubmission: Bool { if case .submit = self { true } else { false } }
}
