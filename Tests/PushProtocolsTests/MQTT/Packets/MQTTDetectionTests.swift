import PushProtocols
import Testing
import Wire

@Suite struct MQTTDetectionTests {
  private func judge(_ bytes: [UInt8], _ direction: Direction? = nil) -> MQTTDetection {
    unsafe MQTTDetection.judge(bytes.span.bytes, direction: direction)
  }

  @Test(arguments: packetVectors.filter { $0.packet.type == .connect })
  func `a CONNECT is proof, and tells the version`(vector: PacketVector) {
    #expect(judge(vector.bytes) == .certain(vector.version))
    #expect(judge(vector.bytes, .toServer) == .certain(vector.version))
    // A server doesn't connect.
    #expect(judge(vector.bytes, .toClient) != .certain(vector.version))
  }

  @Test func `a CONNECT is known by its head, and not before`() throws {
    let bytes = packetVectors[1].bytes
    let needed = try #require(
      (0...bytes.count).first { judge(Array(bytes.prefix($0))) != .undecided })
    // Type, length, name with its length, level and flags.
    #expect(needed == 1 + 1 + 6 + 1 + 1)
  }

  @Test(arguments: [
    "10 0c 0004'HTTP' 04 02 003c 0000", "10 0c 0004'MQTT' 06 02 003c 0000",
    "10 0c 0004'MQTT' 04 03 003c 0000", "10 05 0004'MQTT' 04", "10 ff ff ff ff 7f 00",
    "16 03 01 02 00 01 00 01 fc 03 03", "'GET / HTTP/1.1'0d0a", "'SSH-2.0-OpenSSH'", "00 00 00",
  ])
  func `other protocols are not taken for it`(hex: String) {
    #expect(judge(bytes(hex)) == .no)
    #expect(judge(bytes(hex), .toServer) == .no)
  }

  @Test func `three packets without a fault are likely, two are not enough`() {
    let packet = bytes("32 07 0003'a/b' 0001")
    #expect(judge(packet) == .undecided)
    #expect(judge(packet + packet) == .undecided)
    #expect(judge(packet + packet + packet) == .likely)
    // A fourth that has only begun, and one that is none.
    #expect(judge(packet + packet + packet + [0x32, 0x07, 0]) == .likely)
    #expect(judge(packet + packet + packet + [0x00, 0x07, 0]) == .no)
    #expect(judge([]) == .undecided)
  }

  @Test func `a packet from the wrong end speaks against it`() {
    let pings = bytes("c0 00 c0 00 c0 00")
    #expect(judge(pings, .toServer) == .likely)
    #expect(judge(pings, .toClient) == .no)
  }

  @Test func `random bytes are hardly ever likely`() {
    var random = SplitMix(seed: 7)
    var likely = 0
    for _ in 0..<2_000 {
      let bytes = (0..<64).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if judge(bytes) == .likely { likely += 1 }
    }
    #expect(likely == 0)
  }
}

@Suite struct MQTTVersionGuessTests {
  /// What one packet proves to who has not seen the CONNECT.
  @Test(arguments: [
    ("a CONNACK of two bytes", "20 02 01 00", MQTTVersion.v3_1_1),
    ("a CONNACK with properties", "20 03 00 00 00", .v5),
    ("a PUBACK of two bytes", "40 02 0001", .unknown),
    ("a PUBACK with a code", "40 03 0001 10", .v5),
    ("UNSUBACK without codes", "b0 02 0001", .v3_1_1),
    ("UNSUBACK with codes", "b0 04 0001 00 00", .v5),
    ("AUTH", "f0 00", .v5), ("PINGREQ", "c0 00", .unknown),
    ("DISCONNECT, empty", "e0 00", .unknown), ("DISCONNECT with a code", "e0 01 04", .v5),
    ("SUBSCRIBE of 3.1.1", "82 08 0001 0003'a/b' 01", .v3_1_1),
    ("SUBSCRIBE of 5.0", "82 09 0001 00 0003'a/b' 01", .v5),
    ("PUBLISH whose payload can't be properties", "30 08 0001'a''hello'", .v3_1_1),
    ("PUBLISH whose payload may begin with an empty block", "30 06 0001'a' 00'hi'", .unknown),
    ("PUBLISH without anything after its topic", "30 03 0001'a'", .v3_1_1),
    ("a CONNECT", "10 0d 0004'MQTT' 05 02 0000 00 0000", .v5),
    ("a CONNECT of 3.1", "10 0f 0006'MQIsdp' 03 02 003c 0001'a'", .v3_1),
  ])
  func `a packet proves what it proves and no more`(
    name: String, hex: String, version: MQTTVersion
  ) throws {
    var guess = MQTTVersionGuess()
    let bytes = bytes(hex)
    let narrowed = unsafe guess.narrow(by: bytes.span.bytes, direction: nil)
    #expect(guess.version == version)
    #expect(narrowed == (version != .unknown))
    #expect(try MQTTPacket.decode(bytes, version: .unknown).version == version)
  }

  @Test func `what is proved stays proved`() {
    var guess = MQTTVersionGuess(.v3_1)
    let bytes = bytes("20 03 00 00 00")
    #expect(unsafe !guess.narrow(by: bytes.span.bytes, direction: nil))
    #expect(guess.version == .v3_1)
  }

  @Test func `an ambiguous PUBLISH has two readings`() throws {
    let decoded = try MQTTPacket.decode(bytes("30 06 0001'a' 00'hi'"), version: .unknown)
    #expect(decoded.version == .unknown)
    #expect(decoded.packet == .publish(.init(topic: "a", payload: Array("hi".utf8))))
    #expect(decoded.alternative == .publish(.init(topic: "a", payload: [0, 0x68, 0x69])))
  }

  @Test func `packets that read the same either way have one reading`() throws {
    let decoded = try MQTTPacket.decode(bytes("40 02 0001"), version: .unknown)
    #expect(decoded.packet == .puback(.init(packetID: 1)))
    #expect(decoded.alternative == nil)
    #expect(decoded.violations == [])
  }

  @Test func `the reading without a fault comes first`() throws {
    // As 5.0 the codes would be a bad property block; as 3.1.1 they are two grants.
    let decoded = try MQTTPacket.decode(bytes("90 04 0001 01 02"), version: .unknown)
    #expect(decoded.packet.packetID == 1)
    #expect(decoded.violations == [])
  }

  @Test func `no reading at all is an error`() {
    #expect(throws: DecodeError.self) {
      try MQTTPacket.decode([0xc0, 1, 0], version: .unknown)
    }
  }
}
