import Testing
import Wire

@testable import PushProtocols

/// What is found out about a PUBLISH before anybody follows it.
@Suite struct MQTTPreparationTests {
  private func hash(_ bytes: [UInt8], _ direction: Direction = .toClient) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe MQTTPreparation.hash(of: $0, direction) }
  }

  private func publish(_ payload: Int, qos: MQTTQoS = .atLeastOnce, topic: String = "t/x")
    -> [UInt8]
  {
    MQTTPacket.publish(
      MQTTPublish(
        topic: topic, payload: (0..<payload).map { UInt8($0 & 0xFF) }, qos: qos, packetID: 7)
    ).encode(version: .v3_1_1)
  }

  @Test(arguments: [0, 1, 7, 8, 63, 64, 65, 119, 120, 200, 16_370, 16_380, 70_000])
  func `the hash of a whole PUBLISH is that of its payload`(_ count: Int) {
    let content = MQTTContent((0..<count).map { UInt8($0 & 0xFF) })
    #expect(hash(publish(count)) == content.hash)
    #expect(hash(publish(count, qos: .exactlyOnce)) == content.hash)
    #expect(MQTTContent(size: UInt64(count), hash: content.hash) == content)
  }

  @Test func `nothing is said of what is not one whole PUBLISH to the client`() {
    let whole = publish(300)
    #expect(hash(whole, .toServer) == 0)
    for count in 0..<whole.count { #expect(hash(Array(whole[..<count])) == 0) }
    #expect(hash(whole + publish(1)) == 0 && hash(whole + [0]) == 0)
    #expect(hash([0x32, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0]) == 0)
    #expect(hash([0x32, 3, 0, 200, 1]) == 0, "the topic is longer than the packet")
    #expect(hash([0x40, 2, 0, 1, 0]) == 0)
  }
}
