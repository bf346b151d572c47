import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// How deliveries end, each from the packets that show it.
@Suite struct MQTTDeliveryEndTests {
  private let wire = MQTTWire()

  /// A subscriber `s` and a publisher `p`, and one accepted message.
  private func oneAccepted() {
    wire.subscriber("s")
    wire.join("p", clean: true)
    wire.publish("p", "one")
  }

  // MARK: Acknowledged

  @Test func `an acknowledged delivery has its whole chain of custody`() throws {
    oneAccepted()
    wire.deliver("s", "one", id: 7)
    wire.acknowledge("s", 7)
    let delivery = try #require(wire.observation.deliveries.first)
    #expect(wire.states == [.acknowledged])
    #expect(
      delivery.events.map(\.step)
        == [.submitted, .accepted, .sent, .transportAcknowledged, .acknowledged])
    #expect(
      delivery.events.map(\.holder) == [.publisher, .server, .server, .server, .nobody])
    #expect(delivery.attempts == 1)
    #expect(delivery.publisher == "p" && delivery.subscriber == "s" && delivery.topic == "t/x")
    #expect(delivery.lateness == .milliseconds(4))
    #expect(wire.observation.findings.isEmpty)
  }

  @Test func `the server may send before it answers the publisher`() {
    wire.subscriber("s")
    wire.join("p", clean: true)
    let message = MQTTPublish(topic: "t/x", payload: [1], qos: .atLeastOnce, packetID: 1)
    wire.client("p", .publish(message))
    wire.server("s", .publish(message))
    wire.acknowledge("s", 1)
    wire.server("p", .puback(MQTTAcknowledgement(packetID: 1)))
    #expect(wire.states == [.acknowledged])
    #expect(wire.observation.findings.isEmpty)
  }

  @Test func `QoS 2 is acknowledged by PUBCOMP`() throws {
    wire.subscriber("s", "t/#", .exactlyOnce)
    wire.join("p", clean: true)
    wire.publish("p", "one", qos: .exactlyOnce)
    wire.deliver("s", "one", id: 1, qos: .exactlyOnce)
    wire.client("s", .pubrec(MQTTAcknowledgement(packetID: 1)))
    wire.server("s", .pubrel(MQTTAcknowledgement(packetID: 1)))
    wire.client("s", .pubcomp(MQTTAcknowledgement(packetID: 1)))
    let delivery = try #require(wire.observation.deliveries.first)
    #expect(delivery.state == .acknowledged)
    #expect(
      delivery.events.map(\.step) == [
        .submitted, .accepted, .sent, .transportAcknowledged, .received, .completing, .acknowledged,
      ])
  }

  @Test func `an acknowledgement after the server's FIN does not count`() throws {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    wire.finish("s", .toClient)
    wire.acknowledge("s", 1, confirmed: false)
    wire.reset("s", .toClient)
    wire.join("s2", as: "s", present: true)
    wire.deliver("s2", "one", id: 1, duplicate: true)
    wire.acknowledge("s2", 1)
    let delivery = try #require(wire.observation.deliveries.first)
    #expect(delivery.state == .acknowledged)
    #expect(delivery.attempts == 2)
    #expect(delivery.events.map(\.step).contains(.lateAcknowledgement))
    let sessions = wire.observation.sessions.filter(\.receives)
    #expect(sessions.map(\.unacknowledged) == [1, 0])
    #expect(sessions.map(\.redelivered) == [0, 1])
    // The story is worth telling, and it is no finding.
    #expect(wire.observation.findings.map(\.label) == ["RECOVERED"])
    #expect(wire.violations.isEmpty)
  }

  @Test func `an acknowledgement that TCP did not deliver is in doubt`() {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1, confirmed: false)
    wire.reset("s", .toServer)
    #expect(wire.states == [.unknown])
    #expect(wire.violations.isEmpty)
    #expect(wire.observation.sessions[0].unacknowledged == 1)
  }

  @Test func `a doubtful acknowledgement arrived if the resumed session goes on without it`() {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1, confirmed: false)
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: true)
    wire.publish("p", "two", id: 2)
    wire.deliver("s2", "two", id: 2)
    wire.acknowledge("s2", 2)
    wire.wait(.seconds(2))
    wire.server("s2", .pingresp)
    #expect(wire.states == [.acknowledged, .acknowledged])
  }

  // MARK: Lost and ghost

  @Test func `accepted for a session state that the server lost, never sent: lost`() throws {
    wire.subscriber("s")
    wire.close("s")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.join("s2", as: "s", present: false)
    let finding = try #require(wire.violations.first)
    #expect(wire.states == [.lost])
    #expect(finding.oracle == .lost && finding.subscriber == "s")
    #expect(finding.deliveries == [DeliveryID(1)])
    #expect(finding.frames.count == 3)
  }

  @Test func `sent into a session state that the server lost: ghost`() {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: false)
    #expect(wire.states == [.ghost])
    #expect(wire.oracles == [.ghost])
  }

  @Test func `a resumed session that goes on without a redelivery makes a ghost`() {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: true)
    wire.publish("p", "two", id: 2)
    wire.deliver("s2", "two", id: 2)
    wire.acknowledge("s2", 2)
    wire.wait(.seconds(2))
    wire.server("s2", .pingresp)
    #expect(wire.states == [.ghost, .acknowledged])
    #expect(wire.oracles == [.ghost])
  }

  @Test func `a redelivery after newer messages is no ghost`() {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: true)
    wire.publish("p", "two", id: 2)
    wire.deliver("s2", "two", id: 2)
    wire.acknowledge("s2", 2)
    wire.wait(.seconds(2))
    wire.deliver("s2", "one", id: 1, duplicate: true)
    wire.acknowledge("s2", 1)
    #expect(wire.states == [.acknowledged, .acknowledged])
    #expect(wire.violations.isEmpty)
  }

  @Test func `an identifier given to another message in flight makes a ghost`() {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    wire.publish("p", "two", id: 2)
    wire.deliver("s", "two", id: 1)
    wire.acknowledge("s", 1)
    #expect(wire.states == [.ghost, .acknowledged])
    #expect(wire.oracles == [.ghost, .protocolRule])
    #expect(wire.violations.last?.rule == "MQTT-2.3.1-4")
  }

  @Test func `a PUBREL that is never sent again makes a ghost`() {
    wire.subscriber("s", "t/#", .exactlyOnce)
    wire.join("p", clean: true)
    wire.publish("p", "one", qos: .exactlyOnce)
    wire.deliver("s", "one", id: 1, qos: .exactlyOnce)
    wire.client("s", .pubrec(MQTTAcknowledgement(packetID: 1)))
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: true)
    wire.publish("p", "two", id: 2, qos: .exactlyOnce)
    wire.deliver("s2", "two", id: 2, qos: .exactlyOnce)
    wire.wait(.seconds(2))
    wire.server("s2", .pingresp)
    #expect(wire.states == [.ghost, .pending])
  }

  @Test func `what newer messages overtake and nobody ever sends is lost`() {
    oneAccepted()
    wire.publish("p", "two", id: 2)
    wire.deliver("s", "two", id: 1)
    wire.acknowledge("s", 1)
    wire.wait(.seconds(2))
    wire.server("s", .pingresp)
    #expect(wire.states == [.lost, .acknowledged])
    #expect(wire.oracles == [.lost])
  }

  @Test func `what an idle server with an open window does not send is lost`() {
    oneAccepted()
    wire.wait(.seconds(2))
    wire.client("s", .pingreq)
    wire.server("s", .pingresp)
    #expect(wire.states == [.lost])
  }

  @Test func `a moment's idleness proves nothing`() {
    oneAccepted()
    wire.wait(.milliseconds(500))
    wire.client("s", .pingreq)
    wire.server("s", .pingresp)
    #expect(wire.states == [.pending])
    #expect(wire.observation.findings.isEmpty)
  }

  @Test func `a server that is not heard any more may have sent it`() {
    oneAccepted()
    wire.wait(.seconds(20))
    wire.client("s", .pingreq, confirmed: false)
    #expect(wire.states == [.pending])
  }

  @Test func `a server that says that nobody is subscribed has lost the subscription`() {
    wire.join("s", version: .v5, properties: [.sessionExpiryInterval(600)])
    wire.subscribe("s", "t/#")
    wire.join("p", version: .v5, clean: true)
    wire.client(
      "p",
      .publish(MQTTPublish(topic: "t/x", payload: [1], qos: .atLeastOnce, packetID: 1)))
    wire.server(
      "p",
      .puback(MQTTAcknowledgement(packetID: 1, reasonCode: .noMatchingSubscribers)))
    #expect(wire.states == [.lost])
  }

  // MARK: Pending

  @Test func `queued for an absent subscriber at the end is pending`() {
    wire.subscriber("s")
    wire.close("s")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    #expect(wire.states == [.pending])
    #expect(wire.observation.findings.isEmpty)
  }

  @Test func `sent and unanswered at the end is pending`() {
    oneAccepted()
    wire.deliver("s", "one", id: 1)
    #expect(wire.states == [.pending])
    #expect(wire.observation.findings.isEmpty)
  }

  @Test func `pending for long while both ends talk is stuck`() {
    wire.join("s", keepAlive: 10)
    wire.subscribe("s", "t/#")
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    for _ in 1...5 {
      wire.wait(.seconds(9))
      wire.client("s", .pingreq)
      wire.server("s", .pingresp)
    }
    #expect(wire.states == [.pending])
    #expect(wire.oracles == [.stuck])
  }
}
