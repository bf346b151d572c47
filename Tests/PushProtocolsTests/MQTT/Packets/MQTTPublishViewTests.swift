import PushProtocols
import Testing
import Wire

@Suite struct MQTTPublishViewTests {
  private static let vectors = packetVectors.filter { $0.packet.type == .publish }

  @Test(arguments: vectors)
  func `the view says what the packet says`(vector: PacketVector) throws {
    guard case .publish(let publish) = vector.packet else { return }
    let bytes = vector.bytes
    let packet = unsafe bytes.span.bytes
    var violations: [MQTTViolation] = []
    let view = try MQTTPublishView(
      decoding: packet, version: vector.version, direction: nil, violations: &violations)
    #expect(violations == [])
    #expect(view.topicText(in: packet) == publish.topic)
    #expect(view.payloadBytes(in: packet) == publish.payload)
    #expect(view.packetID == publish.packetID)
    #expect(view.qos == publish.qos)
    #expect(view.retain == publish.retain)
    #expect(view.duplicate == publish.duplicate)
    #expect(view.propertyList(in: packet) == publish.properties)
    #expect(view.owned(in: packet) == publish)
    #expect(view.topicAlias == publish.properties.topicAlias)
    #expect(view.messageExpiryInterval == publish.properties.messageExpiryInterval)
  }

  @Test func `the view reports what the owned packet reports`() throws {
    let bytes = packet(0x38, "0001'+' 04 23 0000 ff") + []
    let good = packet(0x38, "0001'+' 03 23 0000 ff")
    var violations: [MQTTViolation] = []
    _ = try unsafe MQTTPublishView(
      decoding: good.span.bytes, version: .v5, direction: .toServer, violations: &violations)
    #expect(violations == (try MQTTPacket.decode(good, version: .v5)).violations)
    #expect(violations.count == 3)
    // One byte more in the block, and 0xff is a property identifier.
    #expect(throws: DecodeError.self) {
      try unsafe MQTTPublishView(
        decoding: bytes.span.bytes, version: .v5, direction: nil, violations: &violations)
    }
  }

  @Test func `another packet is no PUBLISH`() {
    var violations: [MQTTViolation] = []
    let bytes = bytes("c0 00")
    #expect(throws: DecodeError(offset: 0, expected: "PUBLISH, not PINGREQ")) {
      try unsafe MQTTPublishView(
        decoding: bytes.span.bytes, version: .v3_1_1, direction: nil, violations: &violations)
    }
  }

  @Test func `equal payloads have equal hashes, whatever stands before them`() throws {
    let payload: [UInt8] = Array("a payload of some length".utf8)
    var hashes: [UInt64] = []
    for (version, topic) in [(MQTTVersion.v3_1_1, "a"), (.v5, "another/topic")] {
      let bytes = MQTTPacket.publish(.init(topic: topic, payload: payload)).encode(version: version)
      var violations: [MQTTViolation] = []
      let packet = unsafe bytes.span.bytes
      let view = try MQTTPublishView(
        decoding: packet, version: version, direction: nil, violations: &violations)
      hashes.append(view.payloadHash(in: packet))
      #expect(view.topicHash(in: packet) != view.payloadHash(in: packet))
    }
    #expect(hashes[0] == hashes[1])
  }

  @Test func `hashes tell apart what differs in one bit, in length or in zeros`() {
    var seen = Set<UInt64>()
    for length in 0...40 {
      let zeros = [UInt8](repeating: 0, count: length)
      seen.insert(unsafe MQTTContentHash.hash(zeros.span.bytes))
      for bit in 0..<length * 8 {
        var bytes = zeros
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        seen.insert(unsafe MQTTContentHash.hash(bytes.span.bytes))
      }
    }
    #expect(seen.count == 41 + 8 * (0...40).reduce(0, +))
  }

  /// A hash may be printed and stored, so it must never change by accident.
  @Test func `hashes are the same in every run`() {
    let bytes = Array("pushbench".utf8)
    #expect(unsafe MQTTContentHash.hash(bytes.span.bytes) == 0xd071_bc08_0100_83f8)
  }
}
