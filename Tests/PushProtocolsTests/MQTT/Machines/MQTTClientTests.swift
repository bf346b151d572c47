@testable import PushProtocols
import Custody
import Simulation
import Testing
import Timeline

@Suite struct MQTTClientTests {
  typealias Driver = MachineDriver<MQTTClient>

  func driver(_ parameters: [Parameter], _ policy: MQTTClientPolicy = MQTTClientPolicy()) -> Driver
  {
    var client = MQTTClient(policy: policy)
    let scenario = scenario([parameters])
    client.configure(
      node: NodeID(1), device: scenario.devices[0], identity: 0, scenario: scenario)
    var driver = Driver(client)
    driver.give(.launched)
    return driver
  }

  /// Up to CONNACK on link 0.
  func connected(
    _ parameters: [Parameter] = [version5, durable], present: Bool = false, window: UInt16 = 65535,
    _ policy: MQTTClientPolicy = MQTTClientPolicy()
  ) -> Driver {
    var driver = driver(parameters, policy)
    driver.give(.action(.connect))
    driver.give(.opened(LinkID(0), .push))
    driver.message(connack(present: present, window: window))
    return driver
  }

  // MARK: - Connecting

  @Test func `connects when the app wants it and believes after CONNACK`() {
    var driver = driver([version5])
    driver.give(.action(.connect))
    #expect(driver.opens)
    driver.give(.opened(LinkID(3), .push))
    #expect(driver.texts == ["CONNECT"])
    #expect(!driver.machine.believesConnected(on: LinkID(3)))
    driver.message(connack(), on: 3)
    #expect(driver.machine.believesConnected(on: LinkID(3)))
    #expect(!driver.machine.believesConnected(on: LinkID(2)))
  }

  @Test func `pauses double up to the maximum and carry jitter`() {
    var driver = driver([Parameter("back-off-max", 8_000_000_000), Parameter("jitter", 10)])
    driver.give(.action(.connect))
    for base: UInt64 in [1, 2, 4, 8, 8] {
      driver.give(.openFailed(.refused, .push))
      let pause = driver.timer(0) ?? .zero
      #expect(pause >= .seconds(base) && pause <= .milliseconds(base * 1100))
      driver.give(.timer(TimerID(kind: 0)), after: pause)
      #expect(driver.opens)
    }
  }

  @Test func `only a connection that held sets the back-off back`() {
    var driver = driver([Parameter("jitter", 0)])
    driver.give(.action(.connect))
    for (held, expected): (UInt64, UInt64) in [(1, 1), (1, 2), (60, 1), (1, 2)] {
      driver.give(.opened(LinkID(0), .push))
      driver.message(connack())
      driver.give(.closed(LinkID(0), .reset), after: .seconds(held))
      #expect(driver.timer(0) == .seconds(expected))
      driver.give(.timer(TimerID(kind: 0)))
    }
  }

  @Test func `gives up an attempt without CONNACK`() {
    var driver = driver([])
    driver.give(.action(.connect))
    driver.give(.opened(LinkID(0), .push))
    #expect(driver.timer(1) == .seconds(10))
    driver.give(.timer(TimerID(kind: 1)), after: .seconds(10))
    #expect(driver.closed == [0])
    #expect(driver.timer(0) != nil)
  }

  @Test func `a packet before CONNACK breaks the connection off`() {
    var driver = driver([])
    driver.give(.action(.connect))
    driver.give(.opened(LinkID(0), .push))
    driver.message(.publish(1, topic: 0, quality: 1, packet: 1))
    #expect(driver.blamed == [.connackFirst])
    #expect(driver.closed == [0])
    #expect(driver.handedOver.isEmpty)
  }

  @Test func `says goodbye and ignores what still comes`() {
    var driver = connected()
    driver.give(.action(.disconnect))
    #expect(driver.texts == ["DISCONNECT"])
    #expect(driver.closed == [0])
    driver.message(.publish(1, topic: 0, quality: 1, packet: 1))
    #expect(driver.last.isEmpty)
  }

  @Test func `a connection that opens after the app has changed its mind is closed`() {
    var driver = driver([])
    driver.give(.action(.connect))
    driver.give(.action(.disconnect))
    driver.give(.opened(LinkID(0), .push))
    #expect(driver.closed == [0])
  }

  @Test func `waits for long after a takeover`() {
    var driver = connected([version5, Parameter("jitter", 0)])
    driver.message(.disconnect(.sessionTakenOver))
    #expect(driver.closed == [0])
    #expect(driver.timer(0) == .seconds(60))
  }

  @Test(arguments: [(0x84, true), (0x85, true), (0x88, false), (0x89, false)] as [(UInt8, Bool)])
  func `gives up only where another attempt is useless`(reason: UInt8, final: Bool) {
    var driver = driver([version5])
    driver.give(.action(.connect))
    driver.give(.opened(LinkID(0), .push))
    driver.message(connack(reason: reason))
    #expect((driver.timer(0) == nil) == final)
    #expect(
      driver.last.contains { if case .giveUp = $0 { true } else { false } } == final)
  }

  // MARK: - Keep-alive

  @Test func `pings after silence and closes without an answer`() {
    var driver = connected([Parameter("keep-alive", 5_000_000_000)])
    #expect(driver.timer(2) == .seconds(5))
    driver.give(.timer(TimerID(kind: 2)), after: .seconds(5))
    #expect(driver.texts == ["PINGREQ"])
    #expect(driver.timer(3) == .seconds(10))
    driver.give(.timer(TimerID(kind: 3)), after: .seconds(10))
    #expect(driver.closed == [0])
  }

  @Test func `traffic in both directions puts the ping off`() {
    var driver = connected([Parameter("keep-alive", 5_000_000_000)])
    driver.give(submission(1, quality: 1), after: .seconds(3))
    driver.message(answer(.puback, 1))
    driver.give(.timer(TimerID(kind: 2)), after: .seconds(2))
    #expect(driver.sent.isEmpty)
    #expect(driver.timer(2) == .seconds(3))
  }

  @Test func `PINGRESP ends the wait`() {
    var driver = connected([Parameter("keep-alive", 5_000_000_000)])
    driver.give(.timer(TimerID(kind: 2)), after: .seconds(5))
    driver.message(MQTTMessage(.pingresp))
    driver.give(.timer(TimerID(kind: 3)), after: .seconds(10))
    #expect(driver.closed.isEmpty)
  }

  // MARK: - QoS 1 and 2, way up (MQTT 5 §4.3, sender)

  @Test func `QoS 1: PUBLISH until PUBACK, then done`() {
    var driver = connected()
    driver.give(submission(7, quality: 1))
    #expect(driver.texts == ["PUBLISH 7 id 1"])
    #expect(driver.machine.holds(publication: 7, for: .server))
    driver.message(answer(.puback, 1, 7))
    #expect(driver.countedDone == [7])
    #expect(!driver.machine.holds(publication: 7, for: .server))
    driver.message(answer(.puback, 1, 7))
    #expect(driver.last.isEmpty)
  }

  @Test func `QoS 1: a refusal is an end, not a success`() {
    var driver = connected()
    driver.give(submission(7, quality: 1))
    driver.message(answer(.puback, 1, 7, reason: 0x97))
    #expect(driver.dropped == [7])
    #expect(driver.countedDone.isEmpty)
  }

  @Test func `QoS 1: resumed with DUP, the old identifiers and in order`() {
    var driver = connected()
    driver.give(submission(7, quality: 1))
    driver.give(submission(8, quality: 1))
    driver.give(.closed(LinkID(0), .reset))
    driver.give(submission(9, quality: 1))
    driver.give(.timer(TimerID(kind: 0)))
    driver.give(.opened(LinkID(1), .push))
    driver.message(connack(present: true), on: 1)
    #expect(
      driver.texts == ["PUBLISH 7 id 1 dup", "PUBLISH 8 id 2 dup", "PUBLISH 9 id 3"])
  }

  @Test func `QoS 1: without a session everything is new`() {
    var driver = connected()
    driver.give(submission(7, quality: 1))
    driver.give(.closed(LinkID(0), .reset))
    driver.give(.timer(TimerID(kind: 0)))
    driver.give(.opened(LinkID(1), .push))
    driver.message(connack(present: false), on: 1)
    #expect(driver.texts == ["PUBLISH 7 id 1"])
  }

  @Test func `QoS 2: PUBLISH, PUBREC, PUBREL, PUBCOMP`() {
    var driver = connected()
    driver.give(submission(7, quality: 2))
    #expect(driver.message(answer(.pubrec, 1, 7)).map(\.text) == ["PUBREL 7 id 1"])
    #expect(driver.message(answer(.pubrec, 1, 7)).map(\.text) == ["PUBREL 7 id 1"])
    driver.message(answer(.pubcomp, 1, 7))
    #expect(driver.countedDone == [7])
  }

  @Test func `QoS 2: after PUBREC only PUBREL is sent again`() {
    var driver = connected()
    driver.give(submission(7, quality: 2))
    driver.message(answer(.pubrec, 1, 7))
    driver.give(.closed(LinkID(0), .reset))
    driver.give(.timer(TimerID(kind: 0)))
    driver.give(.opened(LinkID(1), .push))
    driver.message(connack(present: true), on: 1)
    #expect(driver.texts == ["PUBREL 7 id 1"])
  }

  @Test func `QoS 2: a session lost after PUBREC leaves nothing to do`() {
    var driver = connected()
    driver.give(submission(7, quality: 2))
    driver.message(answer(.pubrec, 1, 7))
    driver.give(.closed(LinkID(0), .reset))
    driver.give(.timer(TimerID(kind: 0)))
    driver.give(.opened(LinkID(1), .push))
    driver.message(connack(present: false), on: 1)
    #expect(driver.sent.isEmpty)
    #expect(driver.countedDone == [7])
  }

  @Test func `QoS 2: PUBREC for an unknown identifier gets an answer`() {
    var driver = connected()
    #expect(driver.message(answer(.pubrec, 5, 7)).map(\.text) == ["PUBREL 7 id 5 0x92"])
    var old = connected([])
    #expect(old.message(answer(.pubrec, 5, 7)).map(\.text) == ["PUBREL 7 id 5"])
  }

  @Test func `no more than the server's receive maximum is in flight`() {
    var driver = connected(window: 2)
    for publication: UInt16 in 1...3 { driver.give(submission(publication, quality: 1)) }
    #expect(driver.sent.isEmpty)
    #expect(driver.message(answer(.puback, 1, 1)).map(\.text) == ["PUBLISH 3 id 3"])
  }

  @Test func `a smaller window on resume is kept too`() {
    var driver = connected()
    for publication: UInt16 in 1...3 { driver.give(submission(publication, quality: 1)) }
    driver.give(.closed(LinkID(0), .reset))
    driver.give(.timer(TimerID(kind: 0)))
    driver.give(.opened(LinkID(1), .push))
    driver.message(connack(present: true, window: 1), on: 1)
    #expect(driver.texts == ["PUBLISH 1 id 1 dup"])
    driver.message(answer(.puback, 1, 1), on: 1)
    #expect(driver.texts == ["PUBLISH 2 id 2 dup"])
  }

  // MARK: - Way down (receiver)

  @Test func `QoS 1: handed over, then acknowledged, each time`() {
    var driver = connected()
    for _ in 0..<2 {
      driver.message(.publish(7, topic: 0, quality: 1, packet: 4))
      #expect(driver.handedOver == [7])
      #expect(driver.texts == ["PUBACK 7 id 4"])
    }
  }

  @Test func `QoS 2: a repetition before PUBREL is not handed over again`() {
    var driver = connected()
    driver.message(.publish(7, topic: 0, quality: 2, packet: 4))
    #expect(driver.handedOver == [7])
    driver.message(.publish(7, topic: 0, quality: 2, packet: 4, duplicate: true))
    #expect(driver.handedOver.isEmpty)
    #expect(driver.texts == ["PUBREC 7 id 4"])
    #expect(driver.message(answer(.pubrel, 4, 7)).map(\.text) == ["PUBCOMP 7 id 4"])
    driver.message(.publish(8, topic: 0, quality: 2, packet: 4))
    #expect(driver.handedOver == [8])
  }

  @Test func `QoS 2: PUBREL for an unknown identifier still gets PUBCOMP`() {
    var driver = connected()
    #expect(driver.message(answer(.pubrel, 4, 7)).map(\.text) == ["PUBCOMP 7 id 4 0x92"])
  }

  @Test func `QoS 2: what was received survives a reconnect and a durable crash`() {
    var driver = connected()
    driver.message(.publish(7, topic: 0, quality: 2, packet: 4))
    driver.machine.crash()
    driver.give(.launched)
    driver.give(.action(.connect))
    driver.give(.opened(LinkID(1), .push))
    driver.message(connack(present: true), on: 1)
    driver.message(.publish(7, topic: 0, quality: 2, packet: 4, duplicate: true), on: 1)
    #expect(driver.handedOver.isEmpty)
    #expect(driver.texts == ["PUBREC 7 id 4"])
  }

  @Test func `a program without durable state begins elsewhere with its identifiers`() {
    var driver = connected([version5])
    driver.give(submission(7, quality: 2))
    driver.machine.crash()
    #expect(!driver.machine.holds(publication: 7, for: .server))
    driver.give(.launched)
    driver.give(.action(.connect))
    driver.give(.opened(LinkID(1), .push))
    driver.message(connack(present: true), on: 1)
    driver.give(submission(8, quality: 2))
    #expect(driver.texts == ["PUBLISH 8 id 998"])
  }

  // MARK: - Subscriptions

  @Test func `subscribes when connected and anew when the session is lost`() {
    var driver = driver([version5, durable])
    driver.give(.action(.subscribe(topic: 0, quality: 1)))
    driver.give(.action(.connect))
    driver.give(.opened(LinkID(0), .push))
    #expect(driver.message(connack()).map(\.text) == ["SUBSCRIBE id 1"])
    driver.message(answer(.suback, 1, reason: 1))
    for (present, expected): (Bool, [String]) in [(true, []), (false, ["SUBSCRIBE id 1"])] {
      driver.give(.closed(LinkID(0), .reset))
      driver.give(.timer(TimerID(kind: 0)))
      driver.give(.opened(LinkID(0), .push))
      driver.message(connack(present: present))
      #expect(driver.texts == expected)
    }
  }

  @Test func `a request without an answer is repeated on the next connection`() {
    var driver = connected()
    driver.give(.action(.subscribe(topic: 0, quality: 1)))
    driver.give(.closed(LinkID(0), .reset))
    driver.give(.timer(TimerID(kind: 0)))
    driver.give(.opened(LinkID(0), .push))
    driver.message(connack(present: true))
    #expect(driver.texts == ["SUBSCRIBE id 2"])
  }

  // MARK: - Credentials

  let token = [version5, durable, Parameter("credential-lifetime", 600_000_000_000)]

  @Test func `asks for a credential before it connects`() {
    var driver = driver(token)
    driver.give(.action(.connect))
    #expect(driver.asksForCredential)
    #expect(!driver.opens)
    driver.give(.credential(.issued(expires: driver.now + .hours(1000) + .seconds(600))))
    #expect(driver.opens)
    #expect(driver.timer(4) == .seconds(540))
  }

  @Test func `5_0 re-authenticates, 3_1_1 reconnects`() {
    for version: UInt64 in [4, 5] {
      var driver = driver([
        durable, Parameter("version", version), Parameter("credential-lifetime", 600_000_000_000),
      ])
      driver.give(.action(.connect))
      driver.give(.credential(.issued(expires: driver.now + .hours(1000) + .seconds(600))))
      driver.give(.opened(LinkID(0), .push))
      driver.message(connack())
      driver.give(.timer(TimerID(kind: 4)), after: .seconds(540))
      #expect(driver.asksForCredential)
      driver.give(.credential(.issued(expires: driver.now + .hours(1000) + .seconds(600))))
      #expect(driver.texts == (version == 5 ? ["AUTH 0x19"] : ["DISCONNECT"]))
      #expect(driver.opens == (version == 4))
    }
  }

  @Test func `a refusing token service is asked later and later`() {
    var driver = driver(token + [Parameter("jitter", 0)])
    driver.give(.action(.connect))
    for pause: UInt64 in [4, 8, 16, 32, 60, 60] {
      driver.give(.credential(.refused))
      #expect(driver.timer(4) == .seconds(pause))
      driver.give(.timer(TimerID(kind: 4)), after: .seconds(pause))
      #expect(driver.asksForCredential)
    }
    driver.give(.credential(.throttled(retryAfter: .minutes(10))))
    #expect(driver.timer(4) == .minutes(10))
  }

  @Test func `a credential that the server refuses is not shown again`() {
    var driver = driver(token)
    driver.give(.action(.connect))
    driver.give(.credential(.issued(expires: driver.now + .hours(1000) + .seconds(600))))
    driver.give(.opened(LinkID(0), .push))
    driver.message(connack(reason: 0x87))
    #expect(driver.closed == [0])
    driver.give(.timer(TimerID(kind: 0)), after: .seconds(60))
    #expect(driver.asksForCredential)
    #expect(!driver.opens)
  }

  @Test func `a fresh credential is tried though the own clock calls it expired`() {
    var driver = driver(token)
    driver.give(.action(.connect))
    driver.give(.credential(.issued(expires: .start + .hours(1))))
    #expect(driver.opens)
  }
}
