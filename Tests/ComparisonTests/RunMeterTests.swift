@testable import Comparison
import Custody
import PushProtocols
import Simulation
import Testing
import Timeline

/// What is measured of runs that a person can work out by hand.
@Suite struct RunMeterTests {
  static let phone = NodeID(device: 0)
  static let link = LinkID(0)

  /// One device that connects at once and subscribes; round trips of 40 ms, reactions after 0.1 ms.
  static func phone(keepAlive: Nanoseconds, minutes: UInt64) -> Scenario {
    var scenario = Scenario(model: "mqtt", client: "mqtt.client@good", server: "mqtt.broker@good")
    scenario.topics = ["t"]
    scenario.devices = [
      Device(
        name: "phone", identity: "phone",
        parameters: [Parameter("keep-alive", keepAlive.count), Parameter("durable", 1)])
    ]
    scenario.steps = [
      Step(.start, phone, .connect), Step(.start, phone, .subscribe(topic: 0, quality: 1)),
    ]
    return MeasuredDay(length: .minutes(minutes), submitsEvery: .forever).prolonging(scenario)
  }

  static func measure(
    _ scenario: Scenario, client: String = "mqtt.client@good", tail: Nanoseconds = .seconds(10)
  ) throws -> Tally {
    let bench = try #require(ProtocolCatalog.mqtt.makeBench(client, "mqtt.broker@good"))
    return RunMeter.measure(
      scenario, on: bench, options: RunOptions(), radio: RadioModel(tail: tail))
  }

  static func microseconds(_ count: UInt64) -> Nanoseconds { .microseconds(count) }

  // MARK: - Runs

  @Test func `a quiet connection costs its handshake and its pings`() throws {
    let tally = try Self.measure(Self.phone(keepAlive: .minutes(5), minutes: 20))
    #expect(tally.runs == 1 && tally.cutRuns == 0)
    #expect(tally.wanted == .minutes(20))
    #expect(tally.connects == 1)
    // SYN at 0; CONNECT leaves at 40.1 ms, CONNACK at 60.2 ms and is there at 80.2 ms.
    #expect(tally.handshakes.count == 1)
    #expect(tally.handshakes.percentile(50) == Self.microseconds(80_200))
    #expect(tally.reachable == .minutes(20) - Self.microseconds(80_200))
    // CONNECT, CONNACK, SUBSCRIBE, SUBACK, and pings five, ten and fifteen minutes later.
    #expect(tally.messages == 4 + 3 * 2)
    // SUBACK is there at 120.4 ms; a ping takes 40.2 ms. After each of the four: ten seconds.
    #expect(tally.radioOn == .seconds(40) + Self.microseconds(120_400 + 3 * 40_200))
    #expect(tally.violations.allSatisfy { $0 == 0 })
  }

  @Test func `a longer tail joins what a short one keeps apart`() throws {
    let scenario = Self.phone(keepAlive: .minutes(5), minutes: 20)
    // Five minutes and more: it is never off, but for the end of the day.
    #expect(try Self.measure(scenario, tail: .seconds(301)).radioOn == .minutes(20))
    #expect(try Self.measure(scenario, tail: .zero).radioOn < .seconds(1))
  }

  @Test func `a silently dead connection is noticed by the ping that is not answered`() throws {
    var scenario = Self.phone(keepAlive: .seconds(60), minutes: 60)
    scenario.faults = [Fault(.halfOpen, node: Self.phone, .at(.start + .seconds(100)))]
    let good = try Self.measure(scenario)
    // The ping of 120.0802 s is given up ten seconds later.
    #expect(good.clientZombies.count == 1)
    #expect(good.clientZombies.percentile(99) == Self.microseconds(30_080_200))
    #expect(good.serverZombies.count == 1)
    #expect(good.clientNeverNoticed == 0 && good.connects == 2)
    // Without a limit to its patience only TCP is left: 924.6 s after the ping left.
    let patient = try Self.measure(scenario, client: "mqtt.client@no-ping-timeout")
    let noticed = try #require(patient.clientZombies.percentile(99))
    #expect(noticed > .seconds(20) + .seconds(924) && noticed < .seconds(20 + 926))
    #expect(patient.reachable + .seconds(900) < good.reachable)
  }

  @Test func `a client that never refreshes its token never comes back`() throws {
    var scenario = Self.phone(keepAlive: .seconds(60), minutes: 60)
    scenario.devices[0].parameters.append(
      Parameter("credential-lifetime", Nanoseconds.hours(9).count))
    scenario.faults = [Fault(.expireCredential, node: Self.phone, .at(.start + .seconds(100)))]
    let good = try Self.measure(scenario)
    #expect(good.recoveries.count == 1 && good.neverRecovered == 0)
    // A close, a credential, a handshake: under way for five trips of 20 ms at least.
    let took = try #require(good.recoveries.percentile(50))
    #expect(took > .milliseconds(100) && took < .seconds(10))
    let bad = try Self.measure(scenario, client: "mqtt.client@token-never-refreshed")
    #expect(bad.recoveries.count == 0 && bad.neverRecovered == 1)
    #expect(bad.violations.reduce(0, +) > 0 && bad.runsWithFindings == 1)
    #expect(bad.connects > good.connects)
  }

  @Test func `of a late delivery the time counts in which somebody could have taken it`() throws {
    var scenario = Self.phone(keepAlive: .minutes(5), minutes: 20)
    let pub = NodeID(device: 1)
    scenario.devices.append(Device(name: "pub", identity: "pub"))
    func step(_ milliseconds: UInt64, _ node: NodeID, _ action: Action) -> Step {
      Step(.start + .milliseconds(milliseconds), node, action)
    }
    scenario.steps.insert(
      contentsOf: [
        step(0, pub, .connect), step(1_000, Self.phone, .disconnect),
        step(2_000, pub, .submit(Submission(publication: 1, topic: 0, quality: 1))),
        step(32_000, Self.phone, .connect),
      ], at: 2)
    let tally = try Self.measure(scenario)
    #expect(tally.deliveries == 1 && tally.neverSynced == 0)
    // Accepted at 2.0201 s. From 32 s: a handshake of 80.2 ms whose CONNACK is followed at once.
    #expect(tally.syncs.percentile(50) == Self.microseconds(80_200))
    // Asleep it is as good as offline; what waits for it is taken when it wakes.
    scenario.steps.removeAll { $0.action == .disconnect || $0.time == .start + .seconds(32) }
    scenario.steps.insert(
      contentsOf: [step(1_000, Self.phone, .sleep), step(32_000, Self.phone, .wake)],
      at: scenario.steps.firstIndex { $0.time > .start } ?? 0)
    scenario.steps.sort { $0.time < $1.time }
    #expect(try Self.measure(scenario).syncs.percentile(50) == .zero)
    // Whoever is not meant to be connected is not unreachable.
    #expect(tally.wanted == .minutes(20) - .seconds(31))
  }

  // MARK: - Made-up traces

  func meter(
    _ entries: [(Nanoseconds, TraceEntry.What)], publication: UInt16 = 0,
    _ deliveries: [DeliveryRow] = []
  ) -> Tally {
    var scenario = Scenario(model: "toy", client: "", server: "")
    scenario.devices = [Device(name: "phone", identity: "phone")]
    var meter = RunMeter(scenario, radio: RadioModel(tail: .seconds(10)))
    for (time, what) in entries {
      meter.take(
        TraceEntry(
          time: .start + time, device: Self.phone, link: Self.link, what: what,
          publication: publication))
    }
    var ledger = Ledger()
    ledger.calmReached = true
    ledger.deliveries = deliveries
    return meter.finished(at: .start + .hours(2), ledger: ledger)
  }

  @Test func `time in which a program stands still is not held against it`() {
    let tally = meter([
      (.zero, .action(.connect)), (.zero, .opening(.push)), (.seconds(1), .believes(.server, true)),
      (.seconds(2), .believes(.client, true)), (.seconds(100), .pathLost),
      (.seconds(110), .paused(.client)), (.seconds(150), .resumed(.client)),
      (.seconds(170), .believes(.client, false)), (.seconds(400), .believes(.server, false)),
      (.hours(1), .calm),
    ])
    #expect(tally.clientZombies.percentile(50) == .seconds(30))
    // From the loss of the path, less 40 s of standing still, to the end: it never came back.
    #expect(tally.longestLosses.percentile(50) == .hours(2) - .seconds(100 + 40))
    #expect(tally.serverZombies.percentile(50) == .seconds(300))
    #expect(tally.reachable == .seconds(98))
    #expect(tally.handshakes.percentile(50) == .seconds(2))
  }

  @Test func `the end that ends a connection is not deceived by it, the other one is`() {
    let tally = meter([
      (.zero, .action(.connect)), (.zero, .opening(.push)), (.seconds(1), .believes(.server, true)),
      (.seconds(2), .believes(.client, true)), (.seconds(50), .believes(.server, false)),
      (.seconds(60), .believes(.client, false)), (.hours(1), .calm),
    ])
    #expect(tally.serverZombies.count == 0)
    #expect(tally.clientZombies.percentile(50) == .seconds(10))
  }

  @Test func `an ordinary end is no zombie, and a belief that outlives the calm is for ever`() {
    let tally = meter([
      (.zero, .action(.connect)), (.zero, .opening(.push)), (.seconds(1), .believes(.server, true)),
      (.seconds(2), .believes(.client, true)), (.seconds(50), .believes(.client, false)),
      (.seconds(50) + .milliseconds(260), .believes(.server, false)), (.hours(1), .calm),
    ])
    #expect(tally.serverZombies.count == 0 && tally.serverNeverNoticed == 0)
    let never = meter([
      (.zero, .action(.connect)), (.zero, .opening(.push)), (.seconds(1), .believes(.server, true)),
      (.seconds(2), .believes(.client, true)), (.seconds(50), .pathLost), (.hours(1), .calm),
    ])
    #expect(never.clientNeverNoticed == 1 && never.serverNeverNoticed == 1)
    // What begins in the calm may still be noticed when nobody looks any more.
    let late = meter([
      (.zero, .action(.connect)), (.zero, .opening(.push)), (.seconds(1), .believes(.server, true)),
      (.seconds(2), .believes(.client, true)), (.hours(1), .calm),
      (.hours(1) + .seconds(1), .pathLost),
    ])
    #expect(late.clientNeverNoticed == 0)
  }

  @Test func `a credential's end counts while the app wants to be connected`() {
    let back = meter([
      (.zero, .action(.connect)), (.seconds(10), .credentialExpired),
      (.seconds(25), .backAfterExpiry), (.hours(1), .calm),
    ])
    #expect(back.recoveries.percentile(50) == .seconds(15) && back.neverRecovered == 0)
    let never = meter([
      (.zero, .action(.connect)), (.seconds(10), .credentialExpired), (.hours(1), .calm),
    ])
    #expect(never.neverRecovered == 1)
    let unwanted = meter([
      (.zero, .action(.connect)), (.seconds(10), .credentialExpired),
      (.seconds(20), .action(.disconnect)), (.hours(1), .calm),
    ])
    #expect(unwanted.neverRecovered == 0 && unwanted.recoveries.count == 0)
  }

  @Test func `a device is out when its connection is, not when its credential ends`() {
    let connected: [(Nanoseconds, TraceEntry.What)] = [
      (.zero, .action(.connect)), (.zero, .opening(.push)), (.seconds(1), .believes(.server, true)),
      (.seconds(2), .believes(.client, true)), (.seconds(10), .credentialExpired),
    ]
    let unharmed = meter(connected + [(.seconds(90), .backAfterExpiry), (.hours(1), .calm)])
    #expect(unharmed.expiries == 1 && unharmed.recoveries.count == 0)
    let out = meter(
      connected + [
        (.seconds(40), .believes(.server, false)), (.seconds(41), .believes(.client, false)),
        (.seconds(47), .believes(.server, true)), (.seconds(48), .believes(.client, true)),
        (.seconds(48), .backAfterExpiry), (.hours(1), .calm),
      ])
    // On the same link, for brevity: it has been dead since 40 s.
    #expect(out.recoveries.percentile(50) == .seconds(8))
  }

  @Test func `until connected counts from the first attempt, over all of them`() {
    let tally = meter([
      (.zero, .action(.connect)), (.seconds(5), .requestedCredential),
      (.seconds(6), .credential(.refused)), (.seconds(10), .requestedCredential),
      (.seconds(11), .credential(.issued(expires: .never))), (.seconds(11), .opening(.push)),
      (.seconds(12), .believes(.client, true)), (.seconds(60), .believes(.client, false)),
      // On the same link, for brevity.
      (.seconds(61), .opening(.push)), (.seconds(63), .believes(.client, true)),
      (.minutes(30), .requestedCredential), (.hours(1), .calm),
    ])
    #expect(tally.connections.count == 2 && tally.neverConnected == 0)
    #expect(tally.connections.percentile(50) == .seconds(2))
    #expect(tally.connections.percentile(99) == .seconds(7))
    #expect(tally.connecting == .seconds(9))
    // The last question came while it was connected.
    #expect(tally.credentialRequests == 3)
    let never = meter([
      (.zero, .action(.connect)), (.seconds(5), .opening(.push)),
      (.seconds(6), .openFailed(.refused)), (.hours(1), .calm),
    ])
    #expect(never.connections.count == 0 && never.neverConnected == 1)
    #expect(never.connecting == .hours(1) - .seconds(5))
    let unwanted = meter([
      (.zero, .action(.connect)), (.seconds(5), .opening(.push)),
      (.seconds(6), .action(.disconnect)), (.hours(1), .calm),
    ])
    #expect(unwanted.neverConnected == 0)
  }

  @Test func `time in which nobody could connect is not held against a device`() {
    var log = AvailabilityLog()
    func total(_ from: UInt64, _ to: UInt64) -> Nanoseconds {
      log.total(from: .start + .seconds(from), to: .start + .seconds(to))
    }
    func at(_ second: UInt64) -> Instant { .start + .seconds(second) }
    log.set(.unwanted, false, at: at(10))
    #expect(total(0, 15) == .seconds(5))
    // Two outages that overlap are one.
    log.suffer(until: at(40), at: at(20))
    log.suffer(until: at(50), at: at(30))
    #expect(total(0, 45) == .seconds(10))
    #expect(total(45, 52) == .seconds(2))
    log.set(.serverStopped, true, at: at(60))
    #expect(total(10, 60) == .seconds(20))
    log.set(.paused, true, at: at(70))
    log.set(.serverStopped, false, at: at(80))
    #expect(total(50, 90) == .seconds(10))
    log.set(.paused, false, at: at(90))
    log.suffer(until: at(500), at: at(100))
    // The calm heals the network.
    log.heal(at: at(120))
    #expect(total(90, 130) == .seconds(20))
  }

  @Test func `a credential that ends in an outage is missed when the network is back`() throws {
    var scenario = Self.phone(keepAlive: .seconds(60), minutes: 60)
    scenario.devices[0].parameters.append(
      Parameter("credential-lifetime", Nanoseconds.hours(9).count))
    scenario.faults = [
      Fault(.lose(.both, for: .minutes(5)), node: Self.phone, .at(.start + .seconds(100))),
      Fault(.expireCredential, node: Self.phone, .at(.start + .seconds(130))),
    ]
    let tally = try Self.measure(scenario)
    let took = try #require(tally.recoveries.percentile(50))
    #expect(tally.recoveries.count == 1 && took < .minutes(2))
    #expect(tally.outAfterExpiry == took)
  }

  @Test func `what is counted and never acknowledged is told, even when it has expired`() {
    var row = DeliveryRow(
      publication: 3, sender: .server, receiver: Self.phone, quality: 1,
      at: .start + .seconds(10))
    row.facts = [.accepted, .owed, .countedDone, .expired]
    let entries: [(Nanoseconds, TraceEntry.What)] = [
      (.zero, .action(.connect)), (.hours(1), .calm),
    ]
    #expect(meter(entries, [row]).countedInVain == 1)
    row.facts.insert(.acknowledged)
    #expect(meter(entries, [row]).countedInVain == 0)
    row.facts = [.accepted, .owed, .countedDone, .superseded]
    #expect(meter(entries, [row]).countedInVain == 0)
  }

  @Test func `a connection that its client never believed in has failed`() {
    let tally = meter([
      (.zero, .action(.connect)), (.zero, .opening(.push)), (.seconds(1), .openingAgain),
      (.seconds(3), .openingAgain), (.seconds(7), .openFailed(.timedOut)), (.hours(1), .calm),
    ])
    #expect(tally.failedHandshakes == 1 && tally.handshakes.count == 0 && tally.connects == 1)
    // SYNs at 0, 1 and 3 s: one time from 0 to 13 s. That nothing came is no reception.
    #expect(tally.radioOn == .seconds(13))
  }

  @Test func `a connection for one request is no connect, and fails nobody`() {
    let tally = meter([
      (.zero, .action(.connect)), (.seconds(20), .opening(Port(8))),
      (.seconds(21), .opened(.client)), (.seconds(25), .closing(.client, reset: false)),
      (.hours(1), .calm),
    ])
    #expect(tally.connects == 0 && tally.requests == 1 && tally.failedHandshakes == 0)
    // From 20 to 35 s.
    #expect(tally.radioOn == .seconds(15))
  }

  // MARK: - Layers

  @Test func `a delivery stays in the first layer that it did not leave`() {
    let steps: [(DeliveryFacts, String?)] = [
      ([], "accepted"), (.sent, "sent"), (.transportAcknowledged, "transportAcknowledged"),
      (.received, "received"), (.acknowledged, "acknowledged"), (.handedOver, "settling"),
      (.settled, nil),
    ]
    var facts: DeliveryFacts = [.accepted, .owed]
    for (fact, layer) in steps {
      facts.formUnion(fact)
      #expect(Self.layer(facts) == layer)
    }
    #expect(Self.layer([.sent, .received, .handedOver]) == "handedOver")
    // What is only announced is over when the app is done with it.
    #expect(Self.layer(facts.union(.promisesApplication)) == "woken")
    #expect(Self.layer(facts.union([.promisesApplication, .applied])) == nil)
  }

  private static func layer(_ facts: DeliveryFacts) -> String? {
    var row = DeliveryRow(
      publication: 1, sender: .server, receiver: phone, quality: 1, at: .start)
    row.facts = facts
    return DeliveryLayer.all.first { $0.holds(row) }?.name
  }

  @Test func `a change that is announced is synchronised when the app has fetched it`() {
    var row = DeliveryRow(
      publication: 3, sender: .server, receiver: Self.phone, quality: 1,
      at: .start + .seconds(10))
    row.facts = [.accepted, .owed, .promisesApplication, .sent, .superseded]
    let entries: [(Nanoseconds, TraceEntry.What)] = [
      (.zero, .action(.connect)), (.seconds(11), .handedOver), (.seconds(14), .applied),
      (.hours(1), .calm),
    ]
    // Superseded is the announcement, not the change.
    let without = meter(Array(entries.dropLast(2)) + [(.hours(1), .calm)], publication: 3, [row])
    #expect(without.neverSynced == 1 && without.stayed.reduce(0, +) == 1)
    row.facts.insert(.applied)
    let with = meter(entries, publication: 3, [row])
    #expect(with.syncs.percentile(50) == .seconds(4) && with.neverSynced == 0)
    #expect(with.stayed.reduce(0, +) == 0 && with.deliveries == 1)
  }
}
