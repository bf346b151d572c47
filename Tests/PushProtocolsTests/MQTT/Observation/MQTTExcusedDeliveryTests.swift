import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// Deliveries that end by the rules, and those about which a capture says too little.
@Suite struct MQTTExcusedDeliveryTests {
  private let wire = MQTTWire()

  private func offline(
    version: MQTTVersion = .v3_1_1, expiry: UInt32? = nil, message: MQTTProperties = []
  ) {
    wire.join(
      "s", version: version,
      properties: expiry.map { [.sessionExpiryInterval($0)] } ?? [])
    wire.subscribe("s", "t/#")
    wire.close("s")
    wire.join("p", version: version, clean: true)
    wire.publish("p", "one", properties: message)
  }

  // MARK: Expired

  @Test func `a message that outlives its expiry in the queue is expired`() throws {
    offline(version: .v5, expiry: 600, message: [.messageExpiryInterval(2)])
    wire.wait(.seconds(3))
    wire.join("s2", as: "s", version: .v5, present: true)
    let delivery = try #require(wire.observation.deliveries.first)
    #expect(delivery.state == .expired)
    let end = try #require(delivery.events.last)
    #expect(end.step == .expired && end.moment.frame == 0)
    #expect(end.moment.time - delivery.events[0].moment.time == .seconds(2))
    #expect(wire.violations.isEmpty)
  }

  @Test func `what a session state held when it expired is expired`() {
    offline(version: .v5, expiry: 3)
    wire.wait(.seconds(4))
    wire.join("s2", as: "s", version: .v5, present: false)
    #expect(wire.states == [.expired])
    #expect(wire.violations.isEmpty)
    #expect(wire.observation.findings.map(\.label) == ["EXPIRED"])
  }

  @Test func `a session state that is gone before it expires is lost`() {
    offline(version: .v5, expiry: 30)
    wire.wait(.seconds(4))
    wire.join("s2", as: "s", version: .v5, present: false)
    #expect(wire.states == [.lost])
  }

  @Test func `DISCONNECT has the last word on the session's expiry`() {
    wire.join("s", version: .v5, properties: [.sessionExpiryInterval(3)])
    wire.subscribe("s", "t/#")
    wire.client("s", .disconnect(MQTTDisconnect(properties: [.sessionExpiryInterval(600)])))
    wire.close("s")
    wire.join("p", version: .v5, clean: true)
    wire.publish("p", "one")
    wire.wait(.seconds(10))
    wire.join("s2", as: "s", version: .v5, present: false)
    #expect(wire.states == [.lost])
  }

  @Test func `a clean start drops what the subscriber did not want`() {
    offline()
    wire.join("s2", as: "s", clean: true)
    #expect(wire.states == [.expired])
    #expect(wire.violations.isEmpty)
  }

  @Test func `what was in flight ends with a clean session`() {
    wire.join("s", clean: true)
    wire.subscribe("s", "t/#")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    wire.reset("s", .toServer)
    #expect(wire.states == [.expired])
    #expect(wire.violations.isEmpty)
  }

  @Test func `nothing is owed to a clean session that is over`() {
    wire.join("s", clean: true)
    wire.subscribe("s", "t/#")
    wire.finish("s", .toServer)
    wire.join("p", clean: true)
    wire.publish("p", "one")
    #expect(wire.states.isEmpty)
  }

  // MARK: Rejected and superseded

  @Test func `a refused publication is a rejected delivery`() {
    wire.join("s", version: .v5, clean: true)
    wire.subscribe("s", "t/#")
    wire.join("p", version: .v5, clean: true)
    wire.client(
      "p", .publish(MQTTPublish(topic: "t/x", payload: [1], qos: .atLeastOnce, packetID: 1)))
    wire.server(
      "p", .puback(MQTTAcknowledgement(packetID: 1, reasonCode: .notAuthorized)))
    #expect(wire.states == [.rejected])
    #expect(wire.observation.deliveries[0].reason.contains("not authorised"))
    #expect(wire.violations.isEmpty)
  }

  @Test func `a subscriber may refuse`() {
    wire.join("s", version: .v5, clean: true)
    wire.subscribe("s", "t/#")
    wire.join("p", version: .v5, clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    wire.client(
      "s", .puback(MQTTAcknowledgement(packetID: 1, reasonCode: .payloadFormatInvalid)))
    #expect(wire.states == [.rejected])
  }

  @Test func `what waits when its subscription ends is superseded`() {
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.client("s", .unsubscribe(MQTTUnsubscribe(packetID: 5, filters: ["t/#"])))
    wire.server("s", .unsuback(MQTTUnsuback(packetID: 5)))
    wire.wait(.seconds(5))
    wire.client("s", .pingreq)
    wire.server("s", .pingresp)
    #expect(wire.states == [.superseded])
  }

  // MARK: Nothing owed

  @Test func `QoS 0 is counted and never a delivery`() {
    wire.subscriber("s", "t/#", .atMostOnce)
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 0, qos: .atMostOnce)
    wire.wait(.seconds(5))
    wire.server("s", .pingresp)
    #expect(wire.states.isEmpty)
    #expect(wire.observation.sessions[0].sentAtMostOnce == 1)
  }

  @Test func `No Local spares a client its own messages`() {
    wire.join("s", version: .v5, clean: true)
    wire.subscribe("s", MQTTSubscription("t/#", qos: .atLeastOnce, noLocal: true))
    wire.publish("s", "one")
    wire.wait(.seconds(5))
    wire.server("s", .pingresp)
    #expect(wire.states.isEmpty)
  }

  @Test func `a shared subscription is owed each message once`() {
    for name in ["a", "b"] {
      wire.join(name, version: .v5, clean: true)
      wire.subscribe(name, "$share/g/t/#")
    }
    wire.join("p", version: .v5, clean: true)
    wire.publish("p", "one", id: 1)
    wire.publish("p", "two", id: 2)
    wire.deliver("a", "one", id: 1)
    wire.acknowledge("a", 1)
    wire.deliver("b", "two", id: 1)
    wire.acknowledge("b", 1)
    wire.wait(.seconds(5))
    wire.server("a", .pingresp)
    wire.server("b", .pingresp)
    #expect(wire.states == [.acknowledged, .acknowledged])
    #expect(wire.observation.deliveries.map(\.publisher) == ["p", "p"])
  }

  @Test func `a retained message has no publisher in the queue`() {
    wire.subscriber("s")
    wire.deliver("s", "old", id: 1, retain: true)
    wire.acknowledge("s", 1)
    #expect(wire.states == [.acknowledged])
    #expect(wire.observation.deliveries[0].publisher == nil)
  }

  // MARK: Missing evidence

  @Test(arguments: [Direction.toServer, .toClient])
  func `a hole makes what was open unknown, never a ghost`(_ direction: Direction) {
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    wire.gap("s", direction, 100)
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: false)
    #expect(wire.states == [.unknown])
    #expect(wire.violations.isEmpty)
    #expect(wire.observation.findings.map(\.verdict) == [.inconclusive])
  }

  @Test func `an acknowledgement of a missing PUBLISH is an unknown delivery`() {
    wire.subscriber("s")
    wire.gap("s", .toClient, 30)
    wire.acknowledge("s", 5)
    #expect(wire.states == [.unknown])
    #expect(wire.violations.isEmpty)
  }

  @Test func `a connection from its middle is followed without a name`() {
    wire.open("s", handshake: false)
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1)
    wire.deliver("s", "two", id: 2)
    wire.acknowledge("s", 2)
    let session = wire.observation.sessions[0]
    // No CONNECT says so, but 5.0 can't read these bytes.
    #expect(session.version == "3.1.1")
    #expect(!session.isIdentified)
    #expect(wire.states == [.acknowledged, .acknowledged])
    #expect(wire.violations.isEmpty)
  }

  @Test func `without CONNECT, and without proof, the version is unknown`() {
    wire.open("s", handshake: false)
    wire.client("s", .pingreq)
    wire.server("s", .pingresp)
    wire.client("s", .pingreq)
    wire.server("s", .pingresp)
    #expect(wire.observation.sessions.map(\.version) == ["unknown"])
  }

  @Test func `what a nameless connection leaves open is unknown`() {
    wire.open("s", handshake: false)
    wire.deliver("s", "one", id: 1)
    wire.deliver("s", "two", id: 2)
    wire.acknowledge("s", 1)
    wire.reset("s", .toServer)
    #expect(wire.states == [.acknowledged, .unknown])
    #expect(wire.violations.isEmpty)
  }

  @Test func `session state from before the capture is not held against the server`() {
    wire.join("s", present: true)
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.wait(.seconds(5))
    wire.server("s", .pingresp)
    #expect(wire.states.isEmpty)
    #expect(wire.violations.isEmpty)
  }

  @Test func `a takeover by a connection outside of the capture makes what is open unknown`() {
    wire.join("s", version: .v5, properties: [.sessionExpiryInterval(600)])
    wire.subscribe("s", "t/#")
    wire.join("p", version: .v5, clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    wire.server("s", .disconnect(MQTTDisconnect(reasonCode: .sessionTakenOver)))
    wire.close("s")
    wire.join("s2", as: "s", version: .v5, present: false)
    #expect(wire.states == [.unknown])
  }

  @Test func `an acknowledgement in doubt stays in doubt when a clean session ends`() {
    wire.join("s", clean: true)
    wire.subscribe("s", "t/#")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1, confirmed: false)
    wire.reset("s", .toServer)
    #expect(wire.states == [.unknown])
  }

  @Test func `a full client is no idle one`() {
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.windowClosed("s", .toClient, true)
    wire.publish("p", "one")
    wire.wait(.seconds(5))
    wire.windowClosed("s", .toClient, false)
    wire.server("s", .pingresp)
    #expect(wire.states == [.pending])
    #expect(wire.violations.isEmpty)
  }

  @Test func `a server that is busy sending has no reason to hurry`() {
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    for _ in 1...10 {
      wire.wait(.milliseconds(500))
      wire.deliver("s", "chatter", topic: "c", id: 0, qos: .atMostOnce)
    }
    #expect(wire.states == [.pending])
  }

  @Test func `what the subscriber can't take is rejected`() {
    wire.join(
      "s", version: .v5, properties: [.maximumPacketSize(8), .sessionExpiryInterval(600)])
    wire.subscribe("s", "t/#")
    wire.join("p", version: .v5, clean: true)
    wire.publish("p", "much too long for it")
    wire.wait(.seconds(5))
    wire.server("s", .pingresp)
    #expect(wire.states == [.rejected])
    #expect(wire.violations.isEmpty)
  }

  @Test func `a QoS 0 message of the same content takes nothing away`() {
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.publish("p", "one", qos: .atMostOnce)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 0, qos: .atMostOnce)
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1)
    #expect(wire.states == [.acknowledged])
    #expect(wire.violations.isEmpty)
  }
}
