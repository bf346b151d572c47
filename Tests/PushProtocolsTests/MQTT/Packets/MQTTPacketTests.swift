import PushProtocols
import Testing
import Wire

@Suite struct MQTTPacketTests {
  @Test(arguments: packetVectors)
  func `a packet reads as what it says`(vector: PacketVector) throws {
    let decoded = try MQTTPacket.decode(vector.bytes, version: vector.version)
    #expect(decoded.packet == vector.packet)
    #expect(decoded.violations == [])
    #expect(decoded.version == vector.version)
  }

  @Test(arguments: packetVectors)
  func `a packet is written in its canonical form`(vector: PacketVector) {
    #expect(vector.packet.encode(version: vector.version) == vector.bytes)
  }

  @Test func `there is a vector for every packet type of every version`() {
    for version in [MQTTVersion.v3_1_1, .v5] {
      let types = Set(packetVectors.filter { $0.version == version }.map(\.packet.type))
      let missing = MQTTPacketType.allCases.filter { !types.contains($0) }
      #expect(missing == (version == .v5 ? [] : [.auth]))
    }
  }

  @Test(arguments: packetVectors)
  func `a packet that is cut short can't be read`(vector: PacketVector) {
    for count in 0..<vector.bytes.count {
      #expect(throws: DecodeError.self) {
        try MQTTPacket.decode(Array(vector.bytes.prefix(count)), version: vector.version)
      }
    }
  }

  @Test(arguments: packetVectors)
  func `a byte too many is an error that names the place`(vector: PacketVector) throws {
    let bytes = vector.bytes + [0]
    let error = try #require(throws: DecodeError.self) {
      try MQTTPacket.decode(bytes, version: vector.version)
    }
    #expect(error.offset == 2)
  }
}
