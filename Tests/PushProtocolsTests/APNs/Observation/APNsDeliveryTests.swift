import Custody
import Timeline
import Wire
import Testing

@testable import PushProtocols

/// What becomes of notifications, in both framings.
@Suite struct APNsDeliveryTests {
  @Test(arguments: [false, true])
  func `notifications that are acknowledged are done`(_ packed: Bool) throws {
    let wire = APNsWire(packed: packed, topics: ["com.example.app"])
    wire.join("a")
    for id in 1...3 as ClosedRange<Int128> {
      wire.notify("a", id, expiry: wire.seconds + 60)
      wire.ack("a", id)
    }
    wire.close("a")
    let observation = wire.observation
    #expect(wire.states == [.acknowledged, .acknowledged, .acknowledged])
    #expect(observation.findings.isEmpty)
    #expect(observation.warnings.isEmpty)
    let session = try #require(observation.sessions.first)
    #expect(session.protocolName == "apns")
    #expect(session.version == (packed ? "packed" : "serial"))
    #expect(session.subscriber == "device 010101010101")
    #expect(session.isIdentified)
    #expect(session.sent == 3 && session.acknowledged == 3)
    #expect(session.end == .clientClosed)
    let first = try #require(observation.deliveries.first)
    #expect(first.topic == "com.example.app")
    #expect(first.events.map(\.step) == [.sent, .transportAcknowledged, .acknowledged])
    #expect(first.events[0].note == "id 1, expires in 59s")
    #expect(
      session.messages == [
        MessageCount("Connect", toServer: 1, toClient: 0),
        MessageCount("ConnectResponse", toServer: 0, toClient: 1),
        MessageCount("Filter", toServer: 1, toClient: 0),
        MessageCount("Notification", toServer: 0, toClient: 3),
        MessageCount("Ack", toServer: 3, toClient: 0),
      ])
  }

  @Test(arguments: [1, 3, 17])
  func `segments may be cut anywhere`(_ size: Int) {
    for packed in [false, true] {
      let wire = APNsWire(packed: packed)
      wire.segmentSize = size
      wire.join("a")
      wire.notify("a", 1)
      wire.ack("a", 1)
      #expect(wire.states == [.acknowledged])
      #expect(wire.observation.sessions.count == 1)
    }
  }

  @Test(arguments: [false, true])
  func `what comes again on a new connection is the same delivery`(_ packed: Bool) throws {
    let wire = APNsWire(packed: packed)
    wire.join("a")
    wire.notify("a", 7)
    wire.wait(.seconds(2))
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.notify("b", 7, storage: 3)
    wire.ack("b", 7)
    #expect(wire.states == [.acknowledged])
    let delivery = try #require(wire.observation.deliveries.first)
    #expect(delivery.attempts == 2)
    #expect(delivery.events.map(\.step).contains(.redelivered))
    #expect(delivery.events.last?.step == .acknowledged)
    #expect(wire.violations.isEmpty)
    #expect(wire.labels == ["RECOVERED"])
    #expect(wire.observation.sessions.map(\.unacknowledged) == [1, 0])
    #expect(wire.observation.sessions.map(\.redelivered) == [0, 1])
    #expect(wire.observation.sessions.map(\.resumed) == [false, true])
  }

  @Test func `the same content under another identifier is the same delivery`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 7, "hello")
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.notify("b", 8, "hello")
    wire.ack("b", 8)
    #expect(wire.states == [.acknowledged])
  }

  @Test func `without a comeback it is owed still`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.wait(.minutes(10))
    #expect(wire.states == [.pending])
    #expect(wire.violations.isEmpty)
  }

  @Test(arguments: [false, true])
  func `a courier that has nothing in store has made a ghost`(_ packed: Bool) {
    let wire = APNsWire(packed: packed)
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.courier("b", APNsFrame(.noStorage, [.stored(1, APNsWire.token(1))]))
    wire.wait(.seconds(5))
    wire.keepAlive("b")
    wire.close("b")
    #expect(wire.states == [.ghost])
    #expect(wire.rules == ["ghost"])
  }

  @Test func `a courier that sends nothing for half a minute has made a ghost`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.wait(.seconds(31))
    wire.keepAlive("b")
    #expect(wire.states == [.ghost])
  }

  @Test func `of several notifications of an app only the newest is in store`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.notify("a", 2)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.wait(.seconds(31))
    wire.keepAlive("b")
    #expect(wire.states == [.superseded, .ghost])
  }

  @Test func `something newer of the same app takes the place of what was open`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.notify("b", 2, storage: 2)
    wire.ack("b", 2)
    wire.wait(.minutes(5))
    wire.keepAlive("b")
    #expect(wire.states == [.superseded, .acknowledged])
    #expect(wire.violations.isEmpty)
    #expect(wire.labels == ["COALESCED"])
  }

  @Test func `a new notification long after does not excuse that nothing came from the store`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.wait(.minutes(2))
    wire.notify("b", 2)
    wire.ack("b", 2)
    #expect(wire.states == [.ghost, .acknowledged])
  }

  @Test func `another app proves nothing, and no more does a filter without the topic`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1, topics: [APNsWire.otherApp])
    wire.wait(.minutes(2))
    wire.notify("b", 2, topic: APNsWire.otherApp)
    wire.ack("b", 2)
    #expect(wire.states == [.pending, .acknowledged])
    #expect(wire.violations.isEmpty)
  }

  @Test func `a ghost that comes again after all is none`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.join("b", presented: 1)
    wire.wait(.seconds(40))
    wire.keepAlive("b")
    wire.close("b")
    wire.join("c", presented: 1)
    wire.notify("c", 1)
    wire.ack("c", 1)
    #expect(wire.states == [.acknowledged])
    #expect(wire.violations.isEmpty)
  }

  @Test func `what expired meanwhile is nobody's fault`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1, expiry: wire.seconds + 30)
    wire.notify("a", 2, topic: APNsWire.otherApp, expiry: 0)
    wire.reset("a")
    wire.wait(.minutes(10))
    wire.join("b", presented: 1, topics: [APNsWire.app, APNsWire.otherApp])
    wire.wait(.seconds(60))
    wire.keepAlive("b")
    #expect(wire.states == [.expired, .expired])
    #expect(wire.violations.isEmpty)
    #expect(wire.labels == ["EXPIRED", "EXPIRED"])
  }

  @Test func `a device that was connected elsewhere meanwhile may have it`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.reset("a")
    wire.wait(.minutes(10))
    wire.open("b")
    // Its clock is an hour late; it says that it was connected five minutes ago.
    let clock = wire.now.nanoseconds / 1_000_000 - 3_600_000
    wire.device("b", APNsWire.connect(1, lastConnected: clock - 300_000, clock: clock))
    wire.courier("b", APNsWire.response(1))
    wire.device("b", APNsWire.filter(1, [APNsWire.app]))
    wire.wait(.seconds(40))
    wire.keepAlive("b")
    #expect(wire.states == [.unknown])
    #expect(wire.violations.isEmpty)
  }

  @Test func `a refusal of the device is an answer`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.ack("a", 1, status: 2)
    #expect(wire.states == [.rejected])
    #expect(wire.violations.isEmpty)
    #expect(
      wire.observation.sessions[0].details.contains(
        SessionDetail("acknowledged with status 2", "1")))
  }

  @Test func `an acknowledgement after the courier's FIN is none`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.finish("a", .toClient)
    wire.ack("a", 1)
    wire.reset("a")
    #expect(wire.states == [.pending])
    #expect(
      wire.observation.deliveries[0].events.map(\.step).contains(.lateAcknowledgement))
    #expect(wire.observation.sessions[0].unacknowledged == 1)
  }

  @Test func `an acknowledgement that TCP did not bring over may not have come`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.ack("a", 1, confirmed: false)
    wire.reset("a")
    #expect(wire.states == [.unknown])
    #expect(wire.violations.isEmpty)
  }

  @Test func `a device that talks on without acknowledging is told`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.wait(.seconds(31))
    wire.keepAlive("a")
    #expect(wire.rules == ["stuck"])
    #expect(wire.states == [.pending])
  }

  @Test func `what is sent five times without an answer is told`() {
    let wire = APNsWire()
    for name in ["a", "b", "c", "d", "e"] {
      wire.join(name, presented: 1)
      wire.notify(name, 1)
      wire.reset(name)
    }
    #expect(wire.rules == ["stuck"])
    #expect(wire.observation.deliveries[0].attempts == 5)
  }

  @Test func `an acknowledged one that comes again is acknowledged still`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.ack("a", 1)
    wire.close("a")
    wire.join("b", presented: 1)
    wire.notify("b", 1)
    #expect(wire.states == [.acknowledged])
    #expect(wire.observation.deliveries[0].attempts == 2)
    #expect(wire.observation.tallies[0].redelivered == 1)
  }

  @Test func `counted or listed, it is the same`() {
    func run(_ keeps: Bool) -> CaptureObservation {
      let wire = APNsWire(keepsDeliveries: keeps)
      wire.join("a")
      for id in 1...5 as ClosedRange<Int128> { wire.notify("a", id) }
      for id in 1...3 as ClosedRange<Int128> { wire.ack("a", id) }
      wire.reset("a")
      wire.join("b", presented: 1)
      wire.notify("b", 4)
      wire.notify("b", 5)
      wire.notify("b", 2)
      wire.ack("b", 4)
      return wire.observation
    }
    let (listed, counted) = (run(true), run(false))
    #expect(listed.deliveries.count == 5)
    #expect(counted.deliveries.isEmpty)
    #expect(listed.tallies == counted.tallies)
    #expect(listed.tallies == DeliveryTally.of(listed.deliveries))
    #expect(listed.findings == counted.findings)
  }

  // MARK: What the capture does not have

  @Test(arguments: [false, true])
  func `a hole makes it unknown`(_ packed: Bool) {
    for direction in Direction.allCases {
      let wire = APNsWire(packed: packed)
      wire.join("a")
      wire.notify("a", 1)
      wire.gap("a", direction, 40)
      wire.reset("a")
      wire.join("b", presented: 1)
      wire.wait(.seconds(40))
      wire.keepAlive("b")
      #expect(wire.states == [.unknown])
      #expect(wire.violations.isEmpty)
      #expect(wire.observation.warnings.count >= 1)
    }
  }

  @Test func `behind a hole serial frames are found again`() {
    let wire = APNsWire()
    wire.join("a")
    wire.gap("a", .toClient, 40)
    wire.notify("a", 1)
    wire.ack("a", 1)
    #expect(wire.states == [.acknowledged])
  }

  @Test func `packets that the kernel dropped prove nothing`() {
    let wire = APNsWire()
    wire.join("a")
    wire.notify("a", 1)
    wire.observers.missedPackets("5 packets were dropped", at: Moment(time: wire.now, frame: 9))
    wire.wait(.seconds(40))
    wire.keepAlive("a")
    #expect(wire.states == [.unknown])
    #expect(wire.violations.isEmpty)
  }
}
