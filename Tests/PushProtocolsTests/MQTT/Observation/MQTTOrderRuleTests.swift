import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// Packets that are well formed and come at the wrong time.
@Suite struct MQTTOrderRuleTests {
  private let wire = MQTTWire()

  private var rules: [String] { wire.violations.map(\.rule) }

  private func publish(_ id: UInt16, _ text: String = "x", duplicate: Bool = false) -> MQTTPacket {
    .publish(
      MQTTPublish(
        topic: "t/x", payload: Array(text.utf8), qos: .atLeastOnce, packetID: id,
        duplicate: duplicate))
  }

  @Test func `a second CONNECT`() {
    wire.join("s", clean: true)
    wire.client("s", .connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "s")))
    #expect(rules == ["MQTT-3.1.0-2"])
    #expect(wire.violations[0].oracle == .protocolRule)
    #expect(wire.violations[0].frames == [6])
  }

  @Test func `anything before CONNACK from the server`() {
    wire.open("s")
    wire.client("s", .connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "s")))
    wire.server("s", publish(1))
    #expect(rules == ["MQTT-3.2.0-1"])
  }

  @Test func `a client may send before CONNACK`() {
    wire.open("s")
    wire.client("s", .connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "s")))
    wire.client(
      "s", .subscribe(MQTTSubscribe(packetID: 1, subscriptions: [.init("t/#", qos: .atLeastOnce)])))
    wire.server("s", .connack(MQTTConnack(sessionPresent: false)))
    wire.server("s", .suback(MQTTSuback(packetID: 1, reasonCodes: [.grantedQoS1])))
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1)
    #expect(rules.isEmpty)
    #expect(wire.states == [.acknowledged])
  }

  @Test func `two CONNACKs`() {
    wire.join("s", version: .v5, clean: true)
    wire.server("s", .connack(MQTTConnack(sessionPresent: false)))
    #expect(rules == ["MQTT-3.2.0-2"])
  }

  @Test(arguments: [(MQTTVersion.v3_1_1, "MQTT-3.2.2-1"), (.v5, "MQTT-3.2.2-2")])
  func `session present after a clean start`(_ version: MQTTVersion, _ rule: String) {
    wire.join("s", version: version, clean: true, present: true)
    #expect(rules == [rule])
  }

  @Test(arguments: [(MQTTVersion.v3_1_1, "MQTT-3.14.4-2"), (.v5, "MQTT-3.14.4-1")])
  func `a packet after DISCONNECT`(_ version: MQTTVersion, _ rule: String) {
    wire.join("s", version: version, clean: true)
    wire.client("s", .disconnect(MQTTDisconnect()))
    wire.client("s", .pingreq)
    #expect(rules == [rule])
  }

  @Test func `an identifier that is in use`() {
    wire.join("p", clean: true)
    wire.client("p", publish(1, "one"))
    wire.client("p", publish(1, "two"))
    #expect(rules == ["MQTT-2.3.1-2"])
  }

  @Test func `an acknowledgement of nothing`() {
    wire.subscriber("s")
    wire.acknowledge("s", 9)
    #expect(rules == ["MQTT-2.3.1-6"])
  }

  @Test func `an acknowledgement twice is none of anything`() {
    wire.subscriber("s")
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1)
    wire.acknowledge("s", 1)
    #expect(rules.isEmpty)
  }

  @Test func `PUBACK for QoS 2`() {
    wire.subscriber("s", "t/#", .exactlyOnce)
    wire.deliver("s", "one", id: 1, qos: .exactlyOnce)
    wire.acknowledge("s", 1)
    #expect(rules == ["MQTT-3.3.4-1"])
  }

  @Test func `SUBACK with another number of codes`() {
    wire.join("s", clean: true)
    wire.client(
      "s", .subscribe(MQTTSubscribe(packetID: 1, subscriptions: [.init("t/#", qos: .atLeastOnce)])))
    wire.server(
      "s", .suback(MQTTSuback(packetID: 1, reasonCodes: [.grantedQoS1, .grantedQoS1])))
    #expect(rules == ["MQTT-3.8.4-5"])
  }

  @Test func `SUBACK for nothing`() {
    wire.join("s", clean: true)
    wire.server("s", .suback(MQTTSuback(packetID: 1, reasonCodes: [.grantedQoS1])))
    #expect(rules == ["MQTT-2.3.1-7"])
  }

  @Test func `a redelivery without DUP`() {
    wire.subscriber("s")
    wire.deliver("s", "one", id: 1)
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: true)
    wire.deliver("s2", "one", id: 1)
    wire.acknowledge("s2", 1)
    #expect(rules == ["MQTT-3.3.1-1"])
  }

  @Test func `5_0 forbids to send again on the same connection, 3_1_1 does not`() {
    for version in [MQTTVersion.v3_1_1, .v5] {
      let name = "s\(version)"
      wire.join(name, version: version, clean: true)
      wire.subscribe(name, "t/#")
      wire.deliver(name, "one", id: 1)
      wire.deliver(name, "one", id: 1, duplicate: true)
      wire.acknowledge(name, 1)
    }
    #expect(rules == ["MQTT-4.4.0-1"])
    #expect(wire.violations[0].subscriber == "s5.0")
  }

  @Test func `more in flight than the client's Receive Maximum`() {
    wire.join("s", version: .v5, clean: true, properties: [.receiveMaximum(2)])
    wire.subscribe("s", "t/#")
    for id in 1...3 { wire.deliver("s", "\(id)", id: UInt16(id)) }
    #expect(rules == ["MQTT-3.3.4-9"])
  }

  @Test func `more in flight than the server's Receive Maximum`() {
    wire.join("p", version: .v5, clean: true, granted: [.receiveMaximum(2)])
    for id in 1...3 { wire.client("p", publish(UInt16(id), "\(id)")) }
    #expect(rules == ["MQTT-3.3.4-7"])
  }

  @Test func `PUBACKs out of order`() {
    wire.subscriber("s")
    for id in 1...3 { wire.deliver("s", "\(id)", id: UInt16(id)) }
    for id in [1, 3, 2] { wire.acknowledge("s", UInt16(id)) }
    #expect(rules == ["MQTT-4.6.0-2"])
  }

  @Test func `more QoS than granted`() {
    wire.subscriber("s", "t/#", .atLeastOnce)
    wire.join("p", clean: true)
    wire.publish("p", "one", qos: .exactlyOnce)
    wire.deliver("s", "one", id: 1, qos: .exactlyOnce)
    #expect(rules == ["MQTT-3.8.4-6"])
  }

  @Test func `less QoS than due`() {
    wire.subscriber("s", "t/#", .atLeastOnce)
    wire.join("p", clean: true)
    wire.publish("p", "one")
    wire.deliver("s", "one", id: 0, qos: .atMostOnce)
    #expect(rules == ["MQTT-3.8.4-6"])
    #expect(wire.states == [.unknown])
  }

  @Test func `a ping that is never answered`() {
    wire.subscriber("s")
    wire.client("s", .pingreq)
    wire.wait(.seconds(10))
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1)
    wire.close("s")
    #expect(rules == ["MQTT-3.12.4-1"])
  }

  @Test func `a topic alias works, beyond the maximum it is reported`() {
    wire.join("p", version: .v5, clean: true, granted: [.topicAliasMaximum(2)])
    wire.join("s", version: .v5, clean: true)
    wire.subscribe("s", "t/#")
    wire.publish("p", "one", id: 1, properties: [.topicAlias(1)])
    wire.publish("p", "two", topic: "", id: 2, properties: [.topicAlias(1)])
    #expect(rules.isEmpty)
    wire.deliver("s", "one", id: 1)
    wire.acknowledge("s", 1)
    wire.deliver("s", "two", id: 2)
    wire.acknowledge("s", 2)
    wire.publish("p", "three", topic: "t/y", id: 3, properties: [.topicAlias(3)])
  }

  @Test func `an alias above the maximum`() {
    wire.join("p", version: .v5, clean: true, granted: [.topicAliasMaximum(2)])
    wire.publish("p", "one", id: 1, properties: [.topicAlias(3)])
    #expect(rules == ["MQTT-3.3.2-9"])
  }

  @Test func `QoS 2 sent again after PUBCOMP is a duplicate`() {
    wire.subscriber("s", "t/#", .exactlyOnce)
    wire.deliver("s", "one", id: 1, qos: .exactlyOnce)
    wire.client("s", .pubrec(MQTTAcknowledgement(packetID: 1)))
    wire.server("s", .pubrel(MQTTAcknowledgement(packetID: 1)))
    wire.client("s", .pubcomp(MQTTAcknowledgement(packetID: 1)))
    wire.reset("s", .toServer)
    wire.join("s2", as: "s", present: true)
    wire.deliver("s2", "one", id: 1, qos: .exactlyOnce, duplicate: true)
    #expect(wire.oracles == [.duplicate])
  }

  @Test func `the shape of a packet is judged by the codec`() {
    wire.join("s", clean: true)
    wire.bytes("s", .toServer, [0xC1, 0x00])
    #expect(rules == ["MQTT-2.2.2-1"])
  }

  @Test func `with bytes missing nothing is held against anybody`() {
    wire.subscriber("s")
    wire.acknowledge("s", 9)
    wire.client("s", .connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "s")))
    wire.gap("s", .toClient, 10)
    #expect(rules.isEmpty)
  }
}
