import Custody
import Simulation
import Testing
import Timeline

/// What the real network can and can't do to a connection.
@Suite struct TransportTests {
  @Test func `a healthy run delivers everything once and in order`() {
    let run = ToyRun(notesAt: [.seconds(2), .seconds(3), .seconds(3)])
    run.run()
    #expect(run.notesAtServer == [1, 2, 3])
    #expect(run.bench.ledger.deliveries.allSatisfy { $0.facts.contains(.settled) })
    #expect(run.bench.ledger.calmReached)
  }

  @Test func `a loss delays what follows and leaves no hole`() {
    var run = ToyRun(notesAt: (20...30).map { .milliseconds($0 * 100) })
    run.fault(.lose(.toServer, for: .seconds(2)), at: .milliseconds(2_150))
    run.run()
    #expect(run.notesAtServer == Array(1...11))
    let arrivals = run.times(of: .arrived(.server))
    #expect(arrivals == arrivals.sorted())
    // Notes 1 and 2 got through before; nothing arrived while the path lost everything.
    #expect(arrivals.filter { $0 > .milliseconds(2_200) && $0 < .milliseconds(4_150) }.isEmpty)
    #expect(!run.times(of: .retransmitted(.client)).isEmpty)
    #expect(run.times(of: .closed(.client, .timedOut)).isEmpty)
  }

  @Test func `retransmissions back off as TCP does`() {
    var run = ToyRun(notesAt: [.seconds(2)])
    run.fault(.lose(.both, for: .seconds(10)), at: .milliseconds(1_500))
    run.run()
    let attempts = run.times(of: .retransmitted(.client))
    let gaps = zip(attempts.dropFirst(), attempts).map { $0.0 - $0.1 }
    #expect(gaps.count >= 4)
    for (later, earlier) in zip(gaps.dropFirst(), gaps) { #expect(later == earlier * 2) }
    #expect(run.notesAtServer == [1])
  }

  @Test func `a silent path is found out only by the end that sends, after the user timeout`() {
    var run = ToyRun(notesAt: [.seconds(10)])
    run.fault(.halfOpen, at: .seconds(5))
    run.options.calm = false
    run.options.until = .start + .hours(1)
    run.run()
    let found = run.times(of: .closed(.client, .timedOut))
    #expect(found.count == 1)
    #expect(found[0] > .seconds(900) && found[0] < .seconds(1_000))
    #expect(run.times(of: .closed(.server, .timedOut)).isEmpty, "the server never sends")
    #expect(run.notesAtServer == [1], "sent again on the next connection")
  }

  @Test func `lost acknowledgements of TCP time the sender out though the data arrived`() {
    var run = ToyRun(notesAt: [.seconds(10)])
    run.fault(.lose(.toClient, for: .hours(1)), at: .seconds(5))
    run.options.calm = false
    run.options.until = .start + .minutes(30)
    run.run()
    #expect(run.notesAtServer.first == 1)
    #expect(run.times(of: .closed(.client, .timedOut)).count == 1)
  }

  @Test func `a cut message never arrives and both ends see a reset`() {
    var run = ToyRun(notesAt: [.seconds(2)])
    run.scenario.faults = [
      Fault(.cut, node: run.phone, .message(sender: .client, kind: 1, ordinal: 1))
    ]
    run.options.eventLimit = 1_000
    run.run()
    #expect(run.times(of: .closed(.client, .reset)).count == 1)
    #expect(run.times(of: .closed(.server, .reset)).count == 1)
    #expect(run.notesAtServer == [1], "only the second attempt arrives")
    #expect(run.times(of: .wrote(.client)).count == 2)
  }

  @Test func `what follows a segment for a closed socket is dropped and waits for nobody`() {
    // Four acknowledgements are on their way to a device that has closed already. The first is
    // answered with RST and never counts as arrived, so the others have nothing to wait for.
    var run = ToyRun(notesAt: [.seconds(2), .seconds(2), .seconds(2), .seconds(2)])
    run.scenario.steps.append(Step(.start + .milliseconds(2_001), run.phone, .disconnect))
    run.options.calm = false
    run.options.until = .start + .minutes(1)
    run.options.eventLimit = 10_000
    let summary = run.run()
    #expect(run.bench.ledger.inconclusive == nil)
    #expect(summary.events < 100)
  }

  @Test func `a sleeping device's kernel acknowledges what its program reads only later`() {
    var run = ToyRun(ping: .seconds(1))
    run.scenario.steps.append(
      Step(
        .start + .seconds(2), run.phone,
        .submit(
          .init(
            publication: 1, topic: 0, quality: 1))))
    run.fault(.pause(.client, for: .seconds(5)), at: .milliseconds(2_010))
    run.run()
    let arrived = run.times(of: .arrived(.client))
    #expect(arrived.first.map { $0 < .seconds(3) } == true)
    #expect(run.bench.ledger.deliveries[0].facts.contains(.settled))
    // No ping leaves a stopped program; they go on when it does.
    let wrote = run.times(of: .wrote(.client))
    #expect(wrote.filter { $0 > .milliseconds(2_010) && $0 < .milliseconds(7_010) }.isEmpty)
    #expect(wrote.contains { $0 >= .milliseconds(7_010) })
  }

  @Test func `a restarted server resets its connections and refuses until it is up`() {
    var run = ToyRun(notesAt: [.seconds(2), .milliseconds(4_500)])
    run.fault(.restartServer(downFor: .seconds(3), host: false, wipe: false), at: .seconds(4))
    run.run()
    #expect(run.times(of: .closed(.client, .reset)).count == 1)
    #expect(!run.times(of: .openFailed(.refused)).isEmpty)
    #expect(run.notesAtServer == [1, 2])
  }

  @Test func `a server host that vanished answers the next segment with a reset once it is back`() {
    var run = ToyRun(notesAt: [.seconds(2), .seconds(20)])
    run.fault(.restartServer(downFor: .seconds(3), host: true, wipe: false), at: .seconds(4))
    run.run()
    let reset = run.times(of: .closed(.client, .reset))
    #expect(reset.count == 1)
    #expect(reset[0] > .seconds(20), "the client can't know before it sends")
    #expect(run.notesAtServer == [1, 2])
  }

  @Test func `a change of network ends the device's connection and leaves the server's half-open`()
  {
    var run = ToyRun(notesAt: [.seconds(2)])
    run.fault(.changeNetwork, at: .seconds(4))
    run.run()
    #expect(run.times(of: .closed(.client, .aborted)).count == 1)
    #expect(run.times(of: .opened(.client)).count == 2)
    #expect(
      run.bench.trace.allSatisfy { entry in
        if case .closed(.server, _) = entry.what { return false }
        return true
      })
  }

  @Test func `a forgotten mapping resets the device or stays silent`() {
    for resets in [true, false] {
      var run = ToyRun(notesAt: [.seconds(2), .minutes(6)])
      run.scenario.path.natTimeout = .minutes(5)
      run.scenario.path.natResets = resets
      run.options.calm = false
      run.options.until = .start + .hours(1)
      run.run()
      #expect(run.times(of: .closed(.client, .reset)).count == (resets ? 1 : 0))
      #expect(run.times(of: .closed(.client, .timedOut)).count == (resets ? 0 : 1))
      #expect(run.times(of: .closed(.server, .reset)).isEmpty)
      #expect(run.notesAtServer == [1, 2])
    }
  }

  @Test func `keep-alive probes of the server find a dead path`() {
    var run = ToyRun(notesAt: [.seconds(2)])
    run.scenario.path.keepAliveIdle = .minutes(2)
    run.scenario.path.keepAliveInterval = .seconds(10)
    run.scenario.path.keepAliveCount = 3
    run.fault(.halfOpen, at: .seconds(5))
    run.options.calm = false
    run.options.until = .start + .minutes(10)
    run.run()
    let found = run.times(of: .closed(.server, .timedOut))
    #expect(found.count == 1)
    #expect(found[0] > .seconds(140) && found[0] < .seconds(160))
  }

  @Test func `a delayed message delays what follows it and nothing else`() {
    var run = ToyRun(notesAt: [.seconds(2), .seconds(3), .seconds(20)])
    run.scenario.faults = [
      Fault(
        .delay(by: .seconds(5)), node: run.phone, .message(sender: .client, kind: 1, ordinal: 1))
    ]
    run.run()
    #expect(run.notesAtServer == [1, 2, 3])
    let arrived = run.times(of: .arrived(.server))
    #expect(arrived[0] > .seconds(7) && arrived[1] >= arrived[0] && arrived[1] < .seconds(8))
    #expect(arrived[2] < .seconds(21))
  }
}
