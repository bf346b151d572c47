import Custody
import Search
import Simulation
import Testing
import Timeline
import ToyBench

@Suite struct MutatorTests {
  /// A small real-looking scenario: a publisher, a subscriber, three submissions, two faults.
  static func base() -> Scenario {
    var scenario = Scenario(model: "toy", client: "toy.client@good", server: "toy.server@bad")
    scenario.topics = ["t/x", "t/#"]
    scenario.devices = [
      Device(name: "gk", identity: "gk", parameters: [Parameter("keep-alive", 30_000_000_000)]),
      Device(name: "pub", identity: "pub"),
    ]
    let gk = NodeID(device: 0)
    let pub = NodeID(device: 1)
    scenario.steps = [
      Step(.start, gk, .connect), Step(.start, pub, .connect),
      Step(.start + .seconds(1), gk, .subscribe(topic: 1, quality: 1)),
    ]
    for publication in UInt16(1)...3 {
      let submission = Submission(publication: publication, topic: 0, quality: 1)
      scenario.steps.append(
        Step(.start + .seconds(UInt64(publication) + 1), pub, .submit(submission)))
    }
    scenario.faults = [
      Fault(.lose(.both, for: .seconds(20)), node: gk, .at(.start + .seconds(3))),
      Fault(.cut, node: gk, .message(sender: .server, kind: 2, ordinal: 1)),
    ]
    return scenario
  }

  static func ground(for scenario: Scenario) -> MutationGround {
    let judge = BenchJudge(ToyBench(rule: { _, _ in }))
    var hints = AnchorHints(scenario, trace: judge.trace(of: scenario), subject: .toy())
    hints.hasCredentials = true
    // The toy has few parameters; the words are what counts.
    hints.parameters = ["keep-alive", "version", "clean-start", "session-expiry"]
    let partner = [Fault(.resubmit, node: NodeID(device: 0), .at(.start + .seconds(9)))]
    return MutationGround(
      hints: hints, partner: partner, moderation: Moderation(for: [scenario]))
  }

  static let names = MutatorCatalog.names

  @Test(arguments: MutatorCatalog.all.indices)
  func `a mutator writes flawless scenarios and changes something`(index: Int) {
    let mutator = MutatorCatalog.all[index].mutator
    let base = Self.base()
    let ground = Self.ground(for: base)
    var random = SeededRandom(seed: 11)
    var changed = 0
    for _ in 0..<500 {
      var scenario = base
      let said = mutator.mutate(&scenario, on: ground, using: &random)
      #expect(scenario.flaw == nil, "\(mutator.name): \(scenario.flaw ?? "")")
      #expect(said || scenario == base, "\(mutator.name) changed something and denies it")
      if scenario != base { changed += 1 }
    }
    #expect(changed > 50, "\(mutator.name) changed \(changed) of 500")
  }

  @Test(arguments: MutatorCatalog.all.indices)
  func `the same seed writes the same`(index: Int) {
    let mutator = MutatorCatalog.all[index].mutator
    let ground = Self.ground(for: Self.base())
    func write() -> [Scenario] {
      var random = SeededRandom(seed: 5)
      return (0..<50).map { _ in
        var scenario = Self.base()
        _ = mutator.mutate(&scenario, on: ground, using: &random)
        return scenario
      }
    }
    #expect(write() == write())
  }

  @Test func `long chains of mutations stay reasonable`() {
    var scenario = Self.base()
    let ground = Self.ground(for: scenario)
    var random = SeededRandom(seed: 3)
    for round in 0..<20_000 {
      let mutator = MutatorCatalog.all[random.below(MutatorCatalog.all.count)].mutator
      _ = mutator.mutate(&scenario, on: ground, using: &random)
      guard scenario.faults.count <= ground.moderation.faults,
        scenario.steps.count <= ground.moderation.steps,
        scenario.devices.count <= ground.moderation.devices
      else {
        Issue.record("\(mutator.name) in round \(round)")
        return
      }
      for fault in scenario.faults {
        if case .restartServer(_, _, wipe: true) = fault.kind {
          Issue.record("\(mutator.name) wipes storage that nobody wiped before")
          return
        }
      }
      if round % 500 == 0 { scenario = Self.base() }
      if round % 7 == 0 { #expect(scenario.flaw == nil, "\(mutator.name): \(scenario.flaw ?? "")") }
    }
  }

  @Test func `nothing is published to a filter`() {
    let ground = Self.ground(for: Self.base())
    var random = SeededRandom(seed: 8)
    for _ in 0..<300 {
      var scenario = Self.base()
      for mutator in [AddSubmission() as any Mutator, AppendLateSubmission(), ChangeSubmission()] {
        _ = mutator.mutate(&scenario, on: ground, using: &random)
      }
      for step in scenario.steps {
        if case .submit(let submission) = step.action { #expect(submission.topic == 0) }
      }
    }
  }

  @Test func `disabled kinds of fault are not written`() {
    var ground = Self.ground(for: Self.base())
    ground.disabledFaults = .max
    var random = SeededRandom(seed: 8)
    for family in FaultKind.Family.allCases {
      var scenario = Self.base()
      for _ in 0..<50 {
        #expect(!AddFault(family).mutate(&scenario, on: ground, using: &random))
      }
    }
  }
}
