import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// Going the quick way, and leaving it at any moment, leads to what the long way leads to.
@Suite struct MQTTRoutineTests {
  /// One session after the other of a subscriber, a publisher now and then, and whatever can happen
  /// to deliveries, by chance.
  private struct Life {
    private var random: SplitMix
    private let wire: MQTTWire
    private var connections = 0
    /// Was reset, and its end is still to be told.
    private var lingering: String?
    private var name: String { "s\(connections)" }
    private var id: UInt16 = 0
    private var messages = 0

    init(_ seed: UInt64, _ wire: MQTTWire) {
      random = SplitMix(seed: seed)
      self.wire = wire
    }

    private mutating func chance(_ percent: UInt64) -> Bool { random.next() % 100 < percent }
    private mutating func below(_ limit: UInt64) -> UInt64 { random.next() % limit }

    mutating func live(_ steps: Int) {
      wire.join("p", clean: true)
      connect()
      for _ in 0..<steps {
        step()
        if chance(20) { endLingering() }
      }
      endLingering()
      if chance(50) { wire.close(name) }
    }

    private mutating func connect() {
      connections += 1
      let version = chance(30) ? MQTTVersion.v5 : .v3_1_1
      wire.join(
        name, as: "s", version: version, clean: chance(10),
        present: connections > 1 && chance(80), keepAlive: chance(50) ? 10 : 0,
        properties: version == .v5 ? [.sessionExpiryInterval(100)] : [])
      if connections == 1 || chance(50) { wire.subscribe(name, "t/#", .exactlyOnce) }
    }

    private mutating func step() {
      switch below(100) {
      case 0..<35: deliver()
      case 35..<70: answer()
      case 70..<76: wire.client(name, .pingreq, confirmed: chance(70))
      case 76..<82: wire.server(name, .pingresp, confirmed: chance(70))
      case 82..<85: publish()
      case 85..<88: wire.confirm(name, chance(50) ? .toClient : .toServer)
      case 88..<90: wire.wait(.seconds(below(20)))
      case 90: wire.gap(name, chance(50) ? .toClient : .toServer, 1 + below(20))
      case 91: wire.windowClosed(name, .toClient, chance(50))
      case 92: wire.segmentSize = chance(60) ? .max : Int(1 + below(30))
      case 93..<95: several()
      case 95: oddOnes()
      case 96: wire.repeatBytes(name, chance(50) ? .toServer : .toClient)
      case _: if chance(30) { reconnect() }
      }
    }

    private mutating func reconnect() {
      endLingering()
      if chance(50) {
        wire.close(name)
      } else if chance(50) {
        wire.reset(name, .toServer)
      } else {
        wire.resetAndLinger(name, .toServer)
        lingering = name
      }
      connect()
    }

    private mutating func endLingering() {
      if let lingering { wire.endAfterReset(lingering) }
      lingering = nil
    }

    private mutating func message() -> MQTTPublish {
      let qos: MQTTQoS = chance(60) ? .atLeastOnce : chance(70) ? .exactlyOnce : .atMostOnce
      let isAgain = chance(10)
      if !isAgain {
        id = id % 40 + 1
        messages += 1
      }
      return MQTTPublish(
        topic: chance(90) ? "t/x" : "t/\(below(3))", payload: Array("m\(messages)".utf8),
        qos: qos, packetID: qos == .atMostOnce ? nil : id, retain: chance(5),
        duplicate: qos != .atMostOnce && (isAgain ? chance(80) : chance(2)))
    }

    private mutating func deliver() {
      wire.server(name, .publish(message()), confirmed: chance(85))
    }

    private mutating func anAnswer() -> MQTTPacket {
      // Mostly the right one for the latest.
      let packet = MQTTAcknowledgement(
        packetID: chance(80) ? id : UInt16(1 + below(41)),
        reasonCode: chance(3) ? .unspecifiedError : .success)
      return switch below(10) {
      case 0..<6: .puback(packet)
      case 6..<8: .pubrec(packet)
      case _: .pubcomp(packet)
      }
    }

    private mutating func answer() {
      if chance(15) {
        wire.server(
          name, .pubrel(MQTTAcknowledgement(packetID: id)), confirmed: chance(70))
      } else {
        wire.client(name, anAnswer(), confirmed: chance(70))
      }
    }

    /// Packets of both kinds in one segment, the last one cut now and then.
    private mutating func several() {
      let toClient = chance(50)
      var bytes: [UInt8] = []
      for _ in 0..<(2 + below(4)) {
        let packet = toClient ? MQTTPacket.publish(message()) : anAnswer()
        bytes += packet.encode(version: .v3_1_1)
      }
      let cut = chance(30) ? Int(below(UInt64(bytes.count))) : bytes.count
      let direction: Direction = toClient ? .toClient : .toServer
      if cut > 0 { wire.bytes(name, direction, Array(bytes[..<cut]), confirmed: chance(70)) }
      if cut < bytes.count { wire.bytes(name, direction, Array(bytes[cut...])) }
    }

    private mutating func publish() {
      messages += 1
      wire.publish(
        "p", "m\(messages)", id: UInt16(1 + below(5)),
        qos: chance(80) ? .atLeastOnce : .exactlyOnce)
      if chance(50) { wire.deliver(name, "m\(messages)", id: 41 + UInt16(below(3))) }
    }

    private mutating func oddOnes() {
      switch below(4) {
      case 0: wire.client(name, .publish(message()))
      case 1: wire.bytes(name, .toClient, [0x32, 0x03, 0, 9, 1])
      case 2: wire.client(name, .unsubscribe(MQTTUnsubscribe(packetID: 7, filters: ["t/#"])))
      case _: wire.finish(name, chance(50) ? .toServer : .toClient)
      }
    }
  }

  @Test func `lives of all kinds are told alike the quick way and the long way`() {
    var taken = 0
    for seed in 0..<600 as Range<UInt64> {
      let long = MQTTWire(keepsDeliveries: true)
      let quick = MQTTWire(keepsDeliveries: false, tellsSegments: true)
      for wire in [long, quick] {
        var life = Life(seed, wire)
        life.live(20 + Int(seed))
      }
      let (a, b) = (long.observation, quick.observation)
      #expect(a.sessions == b.sessions, "seed \(seed)")
      #expect(DeliveryTally.of(a.deliveries) == b.tallies, "seed \(seed)")
      #expect(a.findings == b.findings, "seed \(seed)")
      #expect(a.warnings == b.warnings, "seed \(seed)")
      taken += quick.taken
    }
    // Else the two would be the same way.
    #expect(taken > 30_000)
  }

  @Test func `a repetition of what went the quick way is known`() {
    let wire = MQTTWire(keepsDeliveries: false, tellsSegments: true)
    wire.subscriber("s", "t/#", .exactlyOnce)
    for id in 1...10 as ClosedRange<UInt16> {
      wire.deliver("s", "m\(id)", id: id)
      wire.acknowledge("s", id)
    }
    #expect(wire.taken > 20)
    wire.reset("s", .toClient)
    wire.join("s", present: true)
    wire.deliver("s", "m4", id: 4, duplicate: true)
    wire.acknowledge("s", 4)
    let tally = wire.observation.tallies.first
    #expect(tally?[.acknowledged] == 10 && tally?.redelivered == 1)
    #expect(wire.observation.sessions.map(\.redelivered) == [0, 1])
  }
}
