import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// Packets that began and are not complete, of many connections at a time.
@Suite struct MQTTUnfinishedPacketTests {
  /// A PUBLISH of QoS 0 that claims so much and of which so much has come.
  private func beginning(claims: Int, has: Int) -> [UInt8] {
    let packet = MQTTPacket.publish(
      MQTTPublish(topic: "t/big", payload: [UInt8](repeating: 1, count: claims)))
    return Array(packet.encode(version: .v3_1_1).prefix(has))
  }

  /// A subscriber to whom one delivery is sent and passed over, behind a packet that is not
  /// complete for a while; and a second one whose packet is smaller.
  private func watch(limit: Int) -> (wire: MQTTWire, unfinished: UnfinishedBytes) {
    let unfinished = UnfinishedBytes(limit: limit)
    let wire = MQTTWire(unfinished: unfinished)
    wire.subscriber("big")
    wire.subscriber("small")
    wire.join("p")
    let whole = beginning(claims: 60_000, has: .max)
    wire.bytes("big", .toClient, Array(whole[..<50_000]))
    wire.bytes("small", .toClient, beginning(claims: 5_000, has: 4_000))
    wire.bytes("big", .toClient, Array(whole[50_000...]))
    wire.bytes("small", .toClient, Array(beginning(claims: 5_000, has: .max)[4_000...]))
    for name in ["big", "small"] { wire.publish("p", name, topic: "t/" + name) }
    for name in ["big", "small"] {
      // Each gets both; one of them does not acknowledge its own.
      wire.deliver(name, "big", topic: "t/big", id: 1)
      wire.deliver(name, "small", topic: "t/small", id: 2)
      wire.acknowledge(name, 2)
      wire.reset(name, .toServer)
    }
    for name in ["big", "small"] { wire.join(name + "again", as: name, present: true) }
    wire.publish("p", "later", topic: "t/later")
    for name in ["big", "small"] {
      wire.deliver(name + "again", "later", topic: "t/later", id: 3)
      wire.acknowledge(name + "again", 3)
    }
    // The resumed sessions go on without what was not acknowledged.
    wire.wait(.seconds(60))
    wire.publish("p", "later", topic: "t/later")
    for name in ["big", "small"] {
      wire.deliver(name + "again", "later", topic: "t/later", id: 4)
      wire.acknowledge(name + "again", 4)
    }
    return (wire, unfinished)
  }

  private func states(_ wire: MQTTWire, of subscriber: String) -> [DeliveryState] {
    wire.observation.deliveries.filter { $0.subscriber == subscriber && $0.topic != "t/later" }
      .map(\.state)
  }

  @Test func `with room for all of them every delivery is judged`() {
    let (wire, unfinished) = watch(limit: 1 << 20)
    #expect(unfinished.givenUpCount == 0 && unfinished.total == 0)
    #expect(states(wire, of: "big") == [.ghost, .acknowledged])
    #expect(states(wire, of: "small") == [.ghost, .acknowledged])
  }

  @Test func `behind a packet that was given up nothing is a ghost, and all others are judged`() {
    let (wire, unfinished) = watch(limit: 52_000)
    #expect(unfinished.givenUp.map(\.count) == [50_000])
    #expect(unfinished.total == 0)
    let big = wire.observation.deliveries.filter { $0.subscriber == "big" }
    #expect(big.first?.state == .unknown)
    #expect(big.first?.reason.contains("50000 bytes from the server were given up") == true)
    // The packets behind it were read: its length was known.
    #expect(big.dropFirst().first?.state == .acknowledged)
    #expect(states(wire, of: "small") == [.ghost, .acknowledged])
    let session = wire.observation.sessions.first { $0.subscriber == "big" }
    #expect(session?.evidenceMissing.contains("given up") == true)
  }

  @Test func `a connection of which nobody knows what it is can be given up too`() {
    let unfinished = UnfinishedBytes(limit: 5_000)
    let wire = MQTTWire(unfinished: unfinished)
    // Perhaps one good packet of MQTT in the middle of a connection.
    wire.open("c", handshake: false)
    wire.bytes("c", .toServer, beginning(claims: 60_000, has: 2_400))
    #expect(unfinished.givenUpCount == 0 && unfinished.total == 4_800)
    wire.bytes("c", .toServer, [UInt8](repeating: 1, count: 200))
    #expect(unfinished.givenUp.map(\.place.layer) == [.recognition])
    #expect(wire.unrecognised.map(\.count) == [1])
    #expect(unfinished.total == 0)
  }

  @Test func `a scenario is made without what was given up`() {
    let unfinished = UnfinishedBytes(limit: 20_000)
    let extractor = MQTTScenarioExtractor(unfinished: unfinished)
    let description = ConnectionDescription(
      client: Endpoint(address: [10, 0, 0, 2], port: 50_000),
      server: Endpoint(address: [10, 0, 0, 1], port: 1883), clientRule: .synSender)
    var offset: UInt64 = 0
    func tell(_ event: ConnectionEvent, _ bytes: [UInt8] = []) {
      unsafe bytes.withUnsafeBytes {
        unsafe extractor.receive(
          event, of: ConnectionID(0), description, bytes: $0,
          at: Moment(time: .start, frame: 1))
      }
    }
    func send(_ direction: Direction, _ bytes: [UInt8]) {
      tell(.bytes(direction, offset: offset), bytes)
      offset += direction == .toClient ? UInt64(bytes.count) : 0
    }
    tell(.began(handshake: true))
    send(
      .toServer,
      MQTTPacket.connect(MQTTConnect(version: .v3_1_1, clientIdentifier: "c"))
        .encode(version: .v3_1_1))
    let big = beginning(claims: 60_000, has: .max)
    send(.toClient, Array(big[..<15_000]))
    #expect(unfinished.total == 15_000 && unfinished.givenUpCount == 0)
    send(.toClient, Array(big[15_000..<25_000]))
    #expect(unfinished.total == 0 && unfinished.givenUpCount == 1)
    send(.toClient, Array(big[25_000...]))
    #expect(unfinished.total == 0)
    tell(.ended(.closed))
    _ = extractor.finish(source: "", at: Moment(time: .start, frame: 2))
  }

  @Test func `a packet that is let go is passed over, and the next one is read`() throws {
    var framer = MQTTFramer()
    let bytes = beginning(claims: 3_000, has: .max)
    framer.append(Array(bytes[..<1_000]))
    #expect(try framer.next() == nil)
    #expect(framer.abandonPending() == 1_000)
    #expect(framer.pendingBytes == 0)
    framer.append(Array(bytes[1_000...]) + [0xC0, 0])
    let next = try #require(try framer.next())
    #expect(next.type == .pingreq && next.start == UInt64(bytes.count))
  }
}
