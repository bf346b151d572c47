import Custody
import Simulation
import Testing
import Timeline

/// Time, beliefs, anchors and budgets of a run.
@Suite struct WorldTests {
  @Test func `the same scenario gives the same hash, in a fresh world and in a used one`() {
    var run = ToyRun(ping: .seconds(3), notesAt: [.seconds(2), .seconds(4), .seconds(6)])
    run.fault(.lose(.both, for: .seconds(3)), at: .seconds(3))
    run.fault(.killClient(downFor: .seconds(2), host: false), at: .seconds(9))
    let first = run.run()
    let second = run.run()
    let fresh = ToyRun().bench.run(run.scenario, options: RunOptions())
    #expect(first == second)
    #expect(first.traceHash == fresh.traceHash)
    run.scenario.steps.removeLast()
    #expect(run.run().traceHash != first.traceHash)
  }

  @Test func `the calm begins when the last step and the last fault are over`() {
    var run = ToyRun(notesAt: [.seconds(2)])
    run.fault(.lose(.both, for: .seconds(7)), at: .seconds(3))
    let summary = run.run()
    #expect(summary.calmBegan == .start + .seconds(10))
    #expect(summary.ended == .start + .seconds(70))
    #expect(summary.faultsStruck == 1)
  }

  @Test func `a zombie is a disagreement longer than the bound of the deceived end`() {
    var run = ToyRun(bound: .seconds(30), notesAt: [.seconds(2)])
    run.fault(.changeNetwork, at: .seconds(5))
    run.run()
    let row = run.bench.ledger.devices[0]
    #expect(row.deceived == .server)
    #expect(row.zombieFor > .seconds(20))

    var healthy = ToyRun(bound: .seconds(30), notesAt: [.seconds(2)])
    healthy.fault(.reset(client: true, server: true), at: .seconds(5))
    healthy.run()
    #expect(healthy.bench.ledger.devices[0].zombieFor == .zero)
  }

  @Test func `a paused end is not blamed for what it could not notice`() {
    var run = ToyRun(bound: .seconds(10), notesAt: [.seconds(2)])
    run.fault(.pause(.client, for: .seconds(40)), at: .seconds(5))
    run.fault(.restartServer(downFor: .seconds(1), host: false, wipe: false), at: .seconds(6))
    run.run()
    #expect(run.bench.ledger.devices[0].zombieFor == .zero)
  }

  @Test func `a message anchor strikes at the nth message of its kind only`() {
    for ordinal in UInt16(1)...3 {
      var run = ToyRun(notesAt: [.seconds(2), .seconds(3), .seconds(4)])
      run.scenario.faults = [
        Fault(.cut, node: run.phone, .message(sender: .client, kind: 1, ordinal: ordinal))
      ]
      let summary = run.run()
      let cutAt = run.times(of: .fault(0))
      #expect(cutAt == [.seconds(UInt64(ordinal) + 1)])
      #expect(summary.faultsStruck == 1)
    }
    var never = ToyRun(notesAt: [.seconds(2)])
    never.scenario.faults = [
      Fault(.cut, node: never.phone, .message(sender: .client, kind: 1, ordinal: 2))
    ]
    #expect(never.run().faultsStruck == 0)
  }

  @Test func `a state anchor strikes when the state is entered the nth time`() {
    var run = ToyRun(notesAt: [.seconds(2)])
    run.scenario.faults = [
      Fault(
        .reset(client: true, server: true), node: run.phone,
        .state(side: .client, state: 1, ordinal: 1))
    ]
    run.run()
    #expect(run.times(of: .fault(0)).count == 1)
    #expect(run.times(of: .opened(.client)).count == 2)
  }

  @Test func `a program killed before its message leaves has not sent it`() {
    var run = ToyRun(notesAt: [.seconds(2)])
    run.scenario.faults = [
      Fault(
        .killClient(downFor: .seconds(1), host: false), node: run.phone,
        .message(sender: .client, kind: 1, ordinal: 1))
    ]
    run.run()
    #expect(run.notesAtServer.isEmpty, "the toy keeps nothing across a crash")
    #expect(run.times(of: .launched(.client)).count == 1)
  }

  @Test func `reconnecting without back-off is a storm`() {
    var run = ToyRun()
    run.scenario.budget.connects = 5
    run.fault(.refuse(for: .seconds(30)), at: .milliseconds(500))
    run.run()
    #expect(run.bench.ledger.devices[0].storm == .connects)
    run.scenario.budget.connects = 40
    run.run()
    #expect(run.bench.ledger.devices[0].storm == .none)
  }

  @Test func `a sleeper without an alarm wakes in the calm and reads what came, in order`() {
    var run = ToyRun(notesAt: [.seconds(2), .seconds(3)])
    run.scenario.steps.append(Step(.start + .milliseconds(3_010), run.phone, .sleep))
    run.run()
    #expect(run.bench.ledger.deliveries.allSatisfy { $0.facts.contains(.settled) })
  }

  @Test func `a run that does not end is inconclusive`() {
    var run = ToyRun(ping: .milliseconds(1))
    run.options.eventLimit = 1_000
    #expect(run.run().events == 1_000)
    #expect(run.bench.ledger.inconclusive == .eventLimit)
    #expect(!run.bench.ledger.calmReached)
  }
}
