@testable import PushProtocols
import Custody
import Simulation
import Testing
import Timeline

@Suite struct MQTTBrokerTests {
  typealias Driver = MachineDriver<MQTTBroker>

  /// Devices 0 and 1 and, with device 0's identifier, device 2.
  func broker(server: [Parameter] = [], _ policy: MQTTBrokerPolicy = MQTTBrokerPolicy()) -> Driver {
    var broker = MQTTBroker(policy: policy)
    broker.configure(
      scenario: scenario([[], [], []], server: server, identities: ["me", "pub", "me"]))
    var driver = Driver(broker)
    driver.give(.launched)
    return driver
  }

  /// Device 0 on link 0, subscribed to topic 0, device 1 on link 1.
  func served(
    quality: UInt8 = 2, server: [Parameter] = [], window: UInt16 = 65535,
    expiry: Nanoseconds = .forever
  ) -> Driver {
    var driver = broker(server: server)
    driver.give(.opened(LinkID(0), .push))
    driver.message(PushProtocolsTests.connect(expiry: expiry, window: window))
    driver.message(.subscribe(topic: 0, quality: quality, packet: 1))
    driver.give(.opened(LinkID(1), .push))
    driver.message(PushProtocolsTests.connect(identity: 1), on: 1)
    return driver
  }

  func publish(_ publication: UInt16, quality: UInt8, packet: UInt16 = 1, dup: Bool = false)
    -> MQTTMessage
  {
    .publish(publication, topic: 0, quality: quality, packet: packet, duplicate: dup)
  }

  /// Closes link 0 and comes back on link 2.
  func reconnect(_ driver: inout Driver, _ message: MQTTMessage? = nil) -> [String] {
    driver.give(.closed(LinkID(0), .reset))
    driver.give(.opened(LinkID(2), .push))
    return driver.message(message ?? PushProtocolsTests.connect(), on: 2).map(\.text)
  }

  // MARK: - Connecting

  @Test func `CONNECT is answered, the session lives when it is kept`() {
    var driver = broker()
    driver.give(.opened(LinkID(0), .push))
    #expect(driver.message(connect()).map(\.text) == ["CONNACK"])
    #expect(driver.machine.believesConnected(on: LinkID(0)))
    driver.message(MQTTMessage(.pingreq))
    #expect(driver.texts == ["PINGRESP"])
    #expect(reconnect(&driver) == ["CONNACK present"])
  }

  @Test func `a session that its client may not know of begins anew`() {
    var driver = broker()
    driver.give(.opened(LinkID(0), .push))
    driver.message(connect())
    #expect(reconnect(&driver) == ["CONNACK"])
  }

  @Test(arguments: [(true, false), (false, true)])
  func `session present follows clean start and expiry`(clean: Bool, kept: Bool) {
    var driver = served()
    #expect(
      reconnect(&driver, connect(clean: clean)) == (kept ? ["CONNACK present"] : ["CONNACK"]))
    var transient = served(expiry: .zero)
    #expect(reconnect(&transient) == ["CONNACK"])
  }

  @Test func `3_1_1 keeps a session that is not clean for ever`() {
    var driver = broker()
    driver.give(.opened(LinkID(0), .push))
    driver.message(connect(version5: false, expiry: .zero))
    driver.message(MQTTMessage(.pingreq))
    #expect(reconnect(&driver, connect(version5: false)) == ["CONNACK present"])
  }

  @Test func `something else than CONNECT first is the end`() {
    var driver = broker()
    driver.give(.opened(LinkID(0), .push))
    driver.message(MQTTMessage(.pingreq))
    #expect(driver.blamed == [.connectFirst])
    #expect(driver.closed == [0])
  }

  @Test func `a second CONNECT is the end`() {
    var driver = served()
    driver.message(connect())
    #expect(driver.blamed == [.secondConnect])
    #expect(driver.closed == [0])
  }

  @Test func `a connection without CONNECT is closed in time`() {
    var driver = broker()
    driver.give(.opened(LinkID(4), .push))
    #expect(driver.timer(0, 4) == .seconds(10))
    driver.give(.timer(TimerID(kind: 0, subject: 4)), after: .seconds(10))
    #expect(driver.closed == [4])
  }

  @Test func `takeover ends the old connection first`() {
    var driver = served()
    driver.give(.opened(LinkID(2), .push))
    #expect(driver.message(connect(), on: 2).map(\.text) == ["DISCONNECT 0x8e", "CONNACK present"])
    #expect(driver.closed == [0])
    #expect(!driver.machine.believesConnected(on: LinkID(0)))
    driver.message(publish(7, quality: 1), on: 1)
    #expect(driver.sent.map(\.link.index) == [2, 1])
  }

  @Test func `silence for one and a half times the keep-alive ends a connection`() {
    var driver = served()
    driver.give(.timer(TimerID(kind: 1, subject: 0)), after: .seconds(89))
    #expect(driver.timer(1, 0) == .seconds(1))
    driver.give(.timer(TimerID(kind: 1, subject: 0)), after: .seconds(1))
    #expect(driver.texts == ["DISCONNECT 0x8d"])
    #expect(driver.closed == [0])
  }

  @Test func `the session expires after the disconnect`() {
    var driver = served(expiry: .seconds(20))
    driver.now = driver.now + .seconds(100)
    driver.give(.closed(LinkID(0), .reset))
    #expect(driver.timer(2, 0) == .seconds(20))
    driver.message(publish(7, quality: 1), on: 1)
    #expect(driver.machine.holds(publication: 7, for: NodeID(1)))
    driver.give(.timer(TimerID(kind: 2, subject: 0)), after: .seconds(20))
    #expect(driver.dropped == [7])
    #expect(!driver.machine.holds(publication: 7, for: NodeID(1)))
  }

  // MARK: - Way down (MQTT 5 §4.3, sender)

  @Test func `QoS 1: routed, then acknowledged to the publisher`() {
    var driver = served()
    #expect(
      driver.message(publish(7, quality: 1), on: 1).map(\.text)
        == ["PUBLISH 7 id 1", "PUBACK 7 id 1"])
    driver.message(answer(.puback, 1, 7))
    #expect(driver.countedDone == [7])
    #expect(!driver.machine.holds(publication: 7, for: NodeID(1)))
  }

  @Test func `quality is the lower of published and granted`() {
    var driver = served(quality: 1)
    driver.message(publish(7, quality: 2), on: 1)
    #expect(driver.sent[0].message.quality == 1)
    driver.message(publish(8, quality: 0), on: 1)
    #expect(driver.texts == ["PUBLISH 8"])
  }

  @Test func `overlapping subscriptions get one copy with the best quality`() {
    var driver = served(quality: 1)
    driver.message(.subscribe(topic: 2, quality: 2, packet: 2))
    driver.message(publish(7, quality: 2), on: 1)
    #expect(driver.texts == ["PUBLISH 7 id 1", "PUBREC 7 id 1"])
    #expect(driver.sent[0].message.quality == 2)
  }

  @Test func `resume sends again with DUP, the old identifiers and in order`() {
    var driver = served()
    driver.message(publish(7, quality: 1), on: 1)
    driver.message(publish(8, quality: 2, packet: 2), on: 1)
    driver.give(.closed(LinkID(0), .reset))
    driver.message(publish(9, quality: 1, packet: 3), on: 1)
    #expect(
      reconnect(&driver) == [
        "CONNACK present", "PUBLISH 7 id 1 dup", "PUBLISH 8 id 2 dup", "PUBLISH 9 id 3",
      ])
  }

  @Test func `resume after PUBREC sends PUBREL`() {
    var driver = served()
    driver.message(publish(7, quality: 2), on: 1)
    #expect(driver.message(answer(.pubrec, 1, 7)).map(\.text) == ["PUBREL 7 id 1"])
    #expect(reconnect(&driver) == ["CONNACK present", "PUBREL 7 id 1"])
    driver.message(answer(.pubcomp, 1, 7), on: 2)
    #expect(driver.countedDone == [7])
  }

  @Test func `no more than the client's receive maximum is in flight`() {
    var driver = served(window: 2)
    for packet: UInt16 in 1...4 {
      driver.message(publish(packet, quality: 1, packet: packet), on: 1)
    }
    #expect(driver.texts == ["PUBACK 4 id 4"])
    #expect(driver.message(answer(.puback, 2, 2)).map(\.text) == ["PUBLISH 3 id 3"])
    #expect(
      reconnect(&driver, connect(window: 1)) == ["CONNACK present", "PUBLISH 1 id 1 dup"])
    #expect(driver.message(answer(.puback, 1, 1), on: 2).map(\.text) == ["PUBLISH 3 id 3 dup"])
  }

  @Test func `PUBREL goes out although the window is full`() {
    var driver = served(window: 2)
    for packet: UInt16 in 1...2 {
      driver.message(publish(packet, quality: 2, packet: packet), on: 1)
    }
    driver.message(answer(.pubrec, 2, 2))
    #expect(
      reconnect(&driver, connect(window: 1)) == ["CONNACK present", "PUBREL 2 id 2"])
    #expect(
      driver.message(answer(.pubcomp, 2, 2), on: 2).map(\.text) == ["PUBLISH 1 id 1 dup"])
  }

  @Test func `a refusal is an end`() {
    var driver = served()
    driver.message(publish(7, quality: 2), on: 1)
    driver.message(answer(.pubrec, 1, 7, reason: 0x97))
    #expect(driver.sent.isEmpty)
    #expect(!driver.machine.holds(publication: 7, for: NodeID(1)))
  }

  @Test func `what expired in the queue is dropped, what is behind it is sent`() {
    var driver = served()
    driver.give(.closed(LinkID(0), .reset))
    var brief = publish(7, quality: 1)
    brief.expiry = .seconds(3)
    driver.message(brief, on: 1)
    driver.message(publish(8, quality: 1, packet: 2), on: 1)
    driver.now = driver.now + .seconds(3)
    #expect(reconnect(&driver) == ["CONNACK present", "PUBLISH 8 id 1"])
    #expect(driver.dropped == [7])
  }

  @Test func `the rest of the expiry is forwarded`() {
    var driver = served()
    driver.give(.closed(LinkID(0), .reset))
    var brief = publish(7, quality: 1)
    brief.expiry = .seconds(30)
    driver.message(brief, on: 1)
    driver.now = driver.now + .seconds(10)
    _ = reconnect(&driver)
    #expect(driver.sent[1].message.expiry == .seconds(20))
  }

  @Test func `a limited queue drops what is too much`() {
    var driver = served(server: [Parameter("queue-limit", 1)])
    driver.give(.closed(LinkID(0), .reset))
    driver.message(publish(7, quality: 1), on: 1)
    driver.message(publish(8, quality: 1, packet: 2), on: 1)
    #expect(driver.dropped == [8])
  }

  @Test func `sessions survive a restart when the server is persistent`() {
    for persistent: UInt64 in [0, 1] {
      var driver = served(server: [Parameter("persistence", persistent)])
      driver.message(publish(7, quality: 1), on: 1)
      driver.machine.crash()
      driver.give(.launched)
      driver.give(.opened(LinkID(2), .push))
      #expect(
        driver.message(connect(), on: 2).map(\.text)
          == (persistent == 1 ? ["CONNACK present", "PUBLISH 7 id 1 dup"] : ["CONNACK"]))
    }
  }

  // MARK: - Way up (receiver)

  @Test func `QoS 2: a repetition before PUBREL is not routed again`() {
    var driver = served()
    #expect(
      driver.message(publish(7, quality: 2), on: 1).map(\.text)
        == ["PUBLISH 7 id 1", "PUBREC 7 id 1"])
    #expect(
      driver.message(publish(7, quality: 2, dup: true), on: 1).map(\.text) == ["PUBREC 7 id 1"])
    #expect(driver.message(answer(.pubrel, 1, 7), on: 1).map(\.text) == ["PUBCOMP 7 id 1"])
    #expect(driver.message(answer(.pubrel, 1, 7), on: 1).map(\.text) == ["PUBCOMP 7 id 1 0x92"])
    #expect(driver.message(publish(8, quality: 2), on: 1).count == 2)
  }

  @Test func `what awaits PUBREL ends with its session`() {
    var driver = served()
    driver.message(publish(7, quality: 2), on: 1)
    driver.give(.closed(LinkID(1), .reset))
    driver.give(.opened(LinkID(3), .push))
    driver.message(connect(identity: 1, clean: true), on: 3)
    #expect(
      driver.message(publish(8, quality: 2), on: 3).map(\.text)
        == ["PUBLISH 8 id 2", "PUBREC 8 id 1"])
  }

  @Test func `unsubscribing ends routing, not what waits`() {
    var driver = served()
    driver.message(publish(7, quality: 1), on: 1)
    #expect(driver.message(.unsubscribe(topic: 0, packet: 2)).map(\.text) == ["UNSUBACK id 2"])
    #expect(driver.machine.holds(publication: 7, for: NodeID(1)))
    driver.message(publish(8, quality: 1, packet: 2), on: 1)
    #expect(driver.texts == ["PUBACK 8 id 2"])
    driver.message(.unsubscribe(topic: 0, packet: 3))
    #expect(driver.texts == ["UNSUBACK id 3 0x11"])
  }

  @Test func `a retained message goes to a new subscription`() {
    var driver = broker()
    driver.give(.opened(LinkID(1), .push))
    driver.message(connect(identity: 1), on: 1)
    var kept = publish(7, quality: 1)
    kept.flags.insert(.retain)
    driver.message(kept, on: 1)
    driver.give(.opened(LinkID(0), .push))
    driver.message(connect())
    driver.message(.subscribe(topic: 2, quality: 1, packet: 1))
    #expect(driver.texts == ["SUBACK id 1", "PUBLISH 7 id 1"])
    #expect(driver.sent[1].message.flags.contains(.retain))
  }

  // MARK: - Wills

  /// Device 1 watches topic 0; device 0 connects with a will there.
  func mortal(delay: UInt16 = 0, expiry: Nanoseconds = .forever) -> Driver {
    var driver = broker()
    driver.give(.opened(LinkID(1), .push))
    driver.message(connect(identity: 1), on: 1)
    driver.message(.subscribe(topic: 0, quality: 1, packet: 1), on: 1)
    driver.give(.opened(LinkID(0), .push))
    driver.message(willing(delay, expiry))
    driver.message(MQTTMessage(.pingreq))
    return driver
  }

  func willing(_ delay: UInt16 = 0, _ expiry: Nanoseconds = .forever) -> MQTTMessage {
    var message = PushProtocolsTests.connect(expiry: expiry)
    message.setWill(60_000, topic: 0, quality: 1, delay: delay)
    return message
  }

  @Test func `a will is published when the connection ends without DISCONNECT`() {
    var driver = mortal()
    driver.give(.closed(LinkID(0), .reset))
    #expect(driver.texts == ["PUBLISH 60000 id 1"])
    var polite = mortal()
    polite.message(.disconnect(.normalDisconnection))
    #expect(polite.sent.isEmpty)
    var dramatic = mortal()
    dramatic.message(.disconnect(.disconnectWithWill))
    #expect(dramatic.texts == ["PUBLISH 60000 id 1"])
  }

  @Test func `a delayed will waits, and is cancelled by a return`() {
    var driver = mortal(delay: 5)
    driver.give(.closed(LinkID(0), .reset))
    #expect(driver.sent.isEmpty)
    #expect(driver.timer(3, 0) == .seconds(5))
    var back = driver
    back.give(.opened(LinkID(2), .push))
    #expect(back.message(willing(5), on: 2).map(\.text) == ["CONNACK present"])
    back.give(.timer(TimerID(kind: 3, subject: 0)), after: .seconds(5))
    #expect(back.sent.isEmpty)
    driver.give(.timer(TimerID(kind: 3, subject: 0)), after: .seconds(5))
    #expect(driver.texts == ["PUBLISH 60000 id 1"])
  }

  @Test func `the end of the session is the latest time for its will`() {
    var driver = mortal(delay: 50, expiry: .seconds(5))
    driver.give(.closed(LinkID(0), .reset))
    driver.give(.timer(TimerID(kind: 2, subject: 0)), after: .seconds(5))
    #expect(driver.texts == ["PUBLISH 60000 id 1"])
  }

  @Test func `takeover publishes a will unless it was to wait`() {
    for (delay, published): (UInt16, Bool) in [(0, true), (5, false)] {
      var driver = mortal(delay: delay)
      driver.give(.opened(LinkID(2), .push))
      driver.message(willing(delay), on: 2)
      #expect(driver.texts.contains("PUBLISH 60000 id 1") == published)
    }
  }

  // MARK: - Credentials

  func credential(_ driver: Driver, _ left: Nanoseconds) -> MQTTMessage {
    var message = PushProtocolsTests.connect()
    message.flags.insert(.hasCredential)
    message.credential = driver.now + .hours(1000) + left
    return message
  }

  @Test func `an expired credential is refused, up to the tolerance`() {
    for (left, reason): (UInt64, UInt8) in [(1, 0), (0, 0x87)] {
      var driver = broker(server: [Parameter("clock-tolerance", 0)])
      driver.give(.opened(LinkID(0), .push))
      driver.message(credential(driver, .seconds(left)))
      #expect(driver.sent[0].message.reason == reason)
      #expect(driver.closed == (reason == 0 ? [] : [0]))
    }
  }

  @Test func `a connection ends with its credential unless it is renewed`() {
    var driver = broker(server: [Parameter("clock-tolerance", 0)])
    driver.give(.opened(LinkID(0), .push))
    driver.message(credential(driver, .seconds(60)))
    #expect(driver.timer(4, 0) == .seconds(60))
    driver.now = driver.now + .seconds(50)
    driver.message(.auth(.reauthenticate, credential: driver.now + .hours(1000) + .seconds(60)))
    #expect(driver.texts == ["AUTH"])
    #expect(driver.timer(4, 0) == .seconds(60))
    driver.give(.timer(TimerID(kind: 4, subject: 0)), after: .seconds(60))
    #expect(driver.texts == ["DISCONNECT 0x87"])
    #expect(driver.closed == [0])
  }

  @Test func `a revoked credential ends the connection and opens none`() {
    var driver = broker()
    driver.give(.opened(LinkID(0), .push))
    let old = credential(driver, .seconds(60))
    driver.message(old)
    driver.give(.revoked(identity: 0, upTo: driver.now + .hours(1000) + .seconds(60)))
    #expect(driver.texts == ["DISCONNECT 0x87"])
    driver.give(.opened(LinkID(1), .push))
    #expect(driver.message(old, on: 1).map(\.text) == ["CONNACK 0x87"])
    driver.give(.opened(LinkID(2), .push))
    #expect(driver.message(credential(driver, .seconds(61)), on: 2).map(\.text) == ["CONNACK"])
  }
}
