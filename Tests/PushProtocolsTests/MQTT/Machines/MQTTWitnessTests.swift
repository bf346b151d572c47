@testable import PushProtocols
import Custody
import Simulation
import Testing
import Timeline

/// Tells a witness what happened, message by message: written, got by the peer.
private struct Stage {
  var witness = MQTTWitness()
  var ledger = Ledger()
  var now = Instant.start

  init(_ scenario: Scenario) {
    witness.configure(scenario: scenario)
    for index in scenario.devices.indices {
      ledger.devices.append(DeviceRow(node: NodeID(device: index)))
    }
  }

  mutating func see(_ sighting: Sighting<MQTTMessage>, _ device: UInt16) {
    witness.see(sighting, device: NodeID(device), at: now, ledger: &ledger)
  }

  mutating func up(
    _ message: MQTTMessage, _ device: UInt16, link: UInt16? = nil, arrives: Bool = true
  ) {
    let link = LinkID(link ?? device)
    see(.wrote(message, by: .client, link: link, peerHadClosed: false), device)
    if arrives { see(.got(message, by: .server, link: link), device) }
  }

  mutating func down(
    _ message: MQTTMessage, _ device: UInt16, link: UInt16? = nil, arrives: Bool = true,
    closed: Bool = false
  ) {
    let link = LinkID(link ?? device)
    see(.wrote(message, by: .server, link: link, peerHadClosed: closed), device)
    if arrives { see(.got(message, by: .client, link: link), device) }
  }

  mutating func over(_ device: UInt16, link: UInt16? = nil) {
    see(.linkOver(LinkID(link ?? device), side: .server), device)
    see(.linkOver(LinkID(link ?? device), side: .client), device)
  }

  mutating func join(
    _ device: UInt16, link: UInt16? = nil, _ connect: MQTTMessage, present: Bool = false
  ) {
    up(connect, device, link: link)
    down(connack(present: present), device, link: link)
  }

  /// The app wishes it, the device asks for it, the server grants it.
  mutating func subscribe(_ device: UInt16, quality: UInt8, answered: Bool = true) {
    see(.action(.subscribe(topic: 0, quality: quality), reached: true), device)
    up(.subscribe(topic: 0, quality: quality, packet: 1), device)
    if answered { down(answer(.suback, 1, reason: quality), device) }
  }

  /// Device 2 publishes, the server takes it over.
  mutating func publish(_ publication: UInt16, quality: UInt8, expiry: Nanoseconds = .forever) {
    let submission = Submission(
      publication: publication, topic: 0, quality: quality, expiry: expiry)
    see(.action(.submit(submission), reached: true), 2)
    up(
      .publish(publication, topic: 0, quality: quality, packet: publication, expiry: expiry), 2)
    down(answer(quality == 1 ? .puback : .pubrec, publication, publication), 2)
  }

  func facts(_ publication: UInt16, _ receiver: UInt16 = 1) -> DeliveryFacts? {
    ledger.index(of: publication, to: NodeID(receiver)).map { ledger.deliveries[$0].facts }
  }

  mutating func finish(after: Nanoseconds = .zero) {
    now = now + after
    witness.finish(at: now, ledger: &ledger)
  }
}

@Suite struct MQTTWitnessTests {
  /// Device 1 subscribes, device 2 publishes.
  private func stage(_ subscriber: [Parameter] = [], server: [Parameter] = []) -> Stage {
    Stage(scenario([subscriber, []], server: server))
  }

  private func subscribed(
    expiry: Nanoseconds = .forever, window: UInt16 = 65535, server: [Parameter] = []
  ) -> Stage {
    var stage = stage(server: server)
    stage.join(1, connect(expiry: expiry, window: window))
    stage.join(2, connect(identity: 1))
    stage.subscribe(1, quality: 2)
    return stage
  }

  // MARK: - The chain of custody

  @Test func `QoS 1 from submission to settlement`() {
    var stage = subscribed()
    stage.publish(7, quality: 1)
    #expect(stage.facts(7) == [.accepted, .owed])
    stage.down(.publish(7, topic: 0, quality: 1, packet: 1), 1)
    #expect(stage.facts(7) == [.accepted, .owed, .sent, .received])
    stage.see(.handedOver(publication: 7), 1)
    stage.up(answer(.puback, 1, 7), 1)
    stage.see(.countedDone(publication: 7, receiver: NodeID(1), by: .server), 0)
    #expect(
      stage.facts(7) == [
        .accepted, .owed, .sent, .received, .handedOver, .acknowledged, .settled, .countedDone,
      ])
    #expect(
      stage.facts(7, 0)?.isSuperset(of: [.sent, .received, .accepted, .acknowledged, .settled])
        == true)
  }

  @Test func `QoS 2 is acknowledged by PUBREC`() {
    var stage = subscribed()
    stage.publish(7, quality: 2)
    stage.down(.publish(7, topic: 0, quality: 2, packet: 1), 1)
    stage.up(answer(.pubrec, 1, 7), 1, arrives: false)
    #expect(stage.facts(7)?.contains(.acknowledged) == true)
    #expect(stage.facts(7)?.contains(.settled) == false)
  }

  @Test func `an acknowledgement after the peer closed does not count`() {
    var stage = subscribed()
    stage.publish(7, quality: 1)
    stage.down(.publish(7, topic: 0, quality: 1, packet: 1), 1)
    stage.see(
      .wrote(answer(.puback, 1, 7), by: .client, link: LinkID(1), peerHadClosed: true), 1)
    #expect(stage.facts(7)?.contains(.acknowledged) == false)
  }

  @Test func `a refusal by the server is no acceptance`() {
    var stage = subscribed()
    let submission = Submission(publication: 7, topic: 0, quality: 1)
    stage.see(.action(.submit(submission), reached: true), 2)
    stage.up(.publish(7, topic: 0, quality: 1, packet: 1), 2)
    stage.down(answer(.puback, 1, 7, reason: 0x97), 2)
    #expect(stage.facts(7, 0)?.contains(.rejected) == true)
    #expect(stage.facts(7) == nil)
  }

  // MARK: - What is owed

  @Test func `nothing is owed before SUBACK has arrived`() {
    var stage = stage()
    stage.join(1, connect())
    stage.join(2, connect(identity: 1))
    stage.subscribe(1, quality: 1, answered: false)
    stage.publish(7, quality: 1)
    #expect(stage.facts(7) == nil)
    stage.down(.publish(7, topic: 0, quality: 1, packet: 1), 1)
    #expect(stage.facts(7)?.contains(.owed) == true, "what was sent is owed")
  }

  @Test func `a session that is kept is owed while it is away, another is not`() {
    var stage = subscribed()
    stage.over(1)
    stage.publish(7, quality: 1)
    #expect(stage.facts(7) == [.accepted, .owed])
    var transient = subscribed(expiry: .zero)
    transient.publish(6, quality: 1)
    transient.over(1)
    transient.publish(7, quality: 1)
    #expect(transient.facts(6)?.contains(.released) == true)
    #expect(transient.facts(7) == nil)
  }

  @Test func `a clean start releases, a lost session does not`() {
    for clean in [true, false] {
      var stage = subscribed()
      stage.over(1)
      stage.publish(7, quality: 1)
      stage.join(1, link: 3, connect(clean: clean), present: false)
      #expect(stage.facts(7)?.contains(.released) == clean)
    }
  }

  @Test func `an expired session releases`() {
    var stage = subscribed(expiry: .seconds(20))
    stage.over(1)
    stage.publish(7, quality: 1)
    stage.now = stage.now + .seconds(21)
    stage.publish(8, quality: 1)
    stage.finish()
    #expect(stage.facts(7)?.contains(.expired) == true)
    #expect(stage.facts(8) == nil)
  }

  @Test func `a wiped or forgetful server releases, a persistent one does not`() {
    for (wiped, persistence): (Bool, UInt64) in [(true, 1), (false, 0), (false, 1)] {
      var stage = subscribed(server: [Parameter("persistence", persistence)])
      stage.publish(7, quality: 1)
      stage.see(.serverDied(wiped: wiped, behindSince: stage.now), 0)
      #expect(stage.facts(7)?.contains(.released) == (wiped || persistence == 0))
    }
  }

  @Test func `a device that never subscribes anew neglects what its app wants`() {
    var stage = subscribed()
    stage.over(1)
    stage.see(.serverDied(wiped: true, behindSince: stage.now), 0)
    stage.join(1, link: 3, connect())
    stage.join(2, link: 4, connect(identity: 1))
    stage.publish(7, quality: 1)
    #expect(stage.facts(7) == nil, "it has a moment")
    stage.now = stage.now + .seconds(5)
    stage.publish(8, quality: 1)
    #expect(stage.facts(8) == [.accepted, .owed])
  }

  @Test func `unsubscribing ends what is owed and frees what was not sent`() {
    var stage = subscribed()
    stage.publish(7, quality: 1)
    stage.up(.unsubscribe(topic: 0, packet: 2), 1)
    stage.publish(8, quality: 1)
    #expect(stage.facts(7)?.contains(.released) == true)
    #expect(stage.facts(8) == nil)
  }

  @Test func `message expiry ends what was never sent`() {
    var stage = subscribed()
    stage.publish(7, quality: 1, expiry: .seconds(3))
    stage.publish(8, quality: 1, expiry: .seconds(3))
    stage.down(.publish(8, topic: 0, quality: 1, packet: 1), 1)
    stage.finish(after: .seconds(4))
    #expect(stage.facts(7)?.contains(.expired) == true)
    #expect(stage.facts(8)?.contains(.expired) == false)
  }

  @Test func `a killed program takes with it what it did not keep`() {
    for durable: UInt64 in [0, 1] {
      var stage = Stage(scenario([[], [Parameter("durable", durable)]]))
      let submission = Submission(publication: 7, topic: 0, quality: 1)
      stage.see(.action(.submit(submission), reached: true), 2)
      stage.see(.clientDied, 2)
      #expect(stage.facts(7, 0)?.contains(.released) == (durable == 0))
    }
  }

  @Test func `a will is owed after an end without DISCONNECT`() {
    for graceful in [true, false] {
      var stage = subscribed()
      var willing = connect(identity: 1)
      willing.setWill(60_001, topic: 0, quality: 1, delay: 0)
      stage.over(2)
      stage.join(2, link: 3, willing, present: true)
      if graceful { stage.up(.disconnect(.normalDisconnection), 2, link: 3) }
      stage.over(2, link: 3)
      stage.finish()
      #expect(stage.facts(60_001) == (graceful ? nil : [.accepted, .owed]))
    }
  }

  @Test func `a will of a connection that ends with the server is not owed`() {
    var stage = subscribed()
    var willing = connect(identity: 1)
    willing.setWill(60_001, topic: 0, quality: 1, delay: 0)
    stage.over(2)
    stage.join(2, link: 3, willing, present: true)
    stage.see(.linkOver(LinkID(3), side: .server), 2)
    stage.see(.serverDied(wiped: false, behindSince: stage.now), 0)
    stage.finish()
    #expect(stage.facts(60_001) == nil)
  }

  @Test func `a will that came due while the server was behind dies with it, no older one`() {
    for behindSince in [Instant.start + .seconds(3), .start + .seconds(9)] {
      var stage = subscribed()
      var willing = connect(identity: 1)
      willing.setWill(60_001, topic: 0, quality: 1, delay: 0)
      stage.over(2)
      stage.join(2, link: 3, willing, present: true)
      stage.now = .start + .seconds(5)
      stage.see(.linkOver(LinkID(3), side: .server), 2)
      stage.now = .start + .seconds(10)
      stage.up(MQTTMessage(.pingreq), 1)
      #expect(stage.facts(60_001)?.contains(.owed) == true)
      stage.see(.serverDied(wiped: false, behindSince: behindSince), 0)
      let isForgiven = behindSince < .start + .seconds(5)
      #expect(stage.facts(60_001)?.contains(.released) == isForgiven)
    }
  }

  @Test func `an answer on an older connection says nothing about a newer session`() {
    var stage = subscribed()
    stage.publish(7, quality: 2)
    stage.down(.publish(7, topic: 0, quality: 2, packet: 1), 1)
    stage.see(.linkOver(LinkID(1), side: .server), 1)
    stage.join(1, link: 3, connect(clean: true))
    stage.up(.subscribe(topic: 0, quality: 1, packet: 1), 1, link: 3)
    stage.down(answer(.suback, 1, reason: 1), 1, link: 3)
    stage.publish(8, quality: 1)
    stage.down(.publish(8, topic: 0, quality: 1, packet: 1), 1, link: 3)
    stage.up(answer(.pubrec, 1, 7), 1, link: 1, arrives: false)
    #expect(stage.facts(8)?.contains(.acknowledged) == false)
    #expect(stage.ledger.devices[0].clientViolation == 0)
    stage.up(answer(.puback, 1, 8), 1, link: 3)
    #expect(stage.facts(8)?.contains(.acknowledged) == true)
  }

  // MARK: - Repetition

  @Test func `a QoS 2 message may come twice only where a session was lost`() {
    for durable: UInt64 in [0, 1] {
      var stage = Stage(scenario([[Parameter("durable", durable)], []]))
      stage.join(1, connect())
      stage.join(2, connect(identity: 1))
      stage.subscribe(1, quality: 2)
      stage.publish(7, quality: 2)
      stage.down(.publish(7, topic: 0, quality: 2, packet: 1), 1)
      stage.see(.handedOver(publication: 7), 1)
      stage.see(.clientDied, 1)
      #expect(stage.facts(7)?.contains(.repeatAllowed) == (durable == 0))
    }
  }

  @Test func `a publisher that lost its session may send QoS 2 anew`() {
    var stage = subscribed()
    stage.publish(7, quality: 2)
    stage.over(2)
    stage.join(2, link: 3, connect(identity: 1), present: false)
    #expect(stage.facts(7)?.contains(.repeatAllowed) == true)
  }

  // MARK: - Conduct

  private func violation(
    _ stage: Stage, _ device: Int = 0, _ side: Side = .server
  ) -> MQTTConduct? {
    let row = stage.ledger.devices[device]
    return MQTTConduct(rawValue: side == .server ? row.serverViolation : row.clientViolation)
  }

  @Test func `a message before CONNACK`() {
    var stage = stage()
    stage.up(connect(), 1)
    stage.down(.publish(7, topic: 0, quality: 0, packet: 0), 1)
    #expect(violation(stage) == .connackFirst)
  }

  @Test func `more in flight than the receive maximum`() {
    var stage = subscribed(window: 1)
    stage.down(.publish(7, topic: 0, quality: 1, packet: 1), 1)
    #expect(violation(stage) == MQTTConduct.none)
    stage.down(.publish(8, topic: 0, quality: 1, packet: 2), 1)
    #expect(violation(stage) == .serverOverWindow)
  }

  @Test func `an acknowledgement makes room again`() {
    var stage = subscribed(window: 1)
    for packet: UInt16 in 1...3 {
      stage.down(.publish(packet, topic: 0, quality: 1, packet: packet), 1)
      stage.up(answer(.puback, packet, packet), 1)
    }
    #expect(violation(stage) == MQTTConduct.none)
  }

  @Test func `a packet identifier in use for another message`() {
    var stage = subscribed()
    stage.down(.publish(7, topic: 0, quality: 1, packet: 1), 1)
    stage.down(.publish(8, topic: 0, quality: 1, packet: 1), 1)
    #expect(violation(stage) == .serverReusesPacket)
  }

  @Test func `PUBLISH again after PUBREC`() {
    var stage = subscribed()
    stage.down(.publish(7, topic: 0, quality: 2, packet: 1), 1)
    stage.up(answer(.pubrec, 1, 7), 1)
    stage.down(.publish(7, topic: 0, quality: 2, packet: 1, duplicate: true), 1)
    #expect(violation(stage) == .serverPublishAfterPubrec)
  }

  @Test(arguments: [true, false])
  func `sent again on the next connection needs DUP`(duplicate: Bool) {
    var stage = subscribed()
    stage.down(.publish(7, topic: 0, quality: 1, packet: 1), 1)
    stage.over(1)
    stage.join(1, link: 3, connect(), present: true)
    stage.down(.publish(7, topic: 0, quality: 1, packet: 1, duplicate: duplicate), 1, link: 3)
    #expect(violation(stage) == (duplicate ? MQTTConduct.none : .serverResendsWithoutDuplicate))
  }

  @Test func `a client that sends before CONNECT, twice CONNECT, after DISCONNECT`() {
    var early = stage()
    early.up(MQTTMessage(.pingreq), 1)
    #expect(violation(early, 0, .client) == .connectFirst)
    var twice = subscribed()
    twice.up(connect(), 1)
    #expect(violation(twice, 0, .client) == .secondConnect)
    var late = subscribed()
    late.up(.disconnect(.normalDisconnection), 1)
    late.up(MQTTMessage(.pingreq), 1)
    #expect(violation(late, 0, .client) == .afterDisconnect)
  }
}
