import Testing
import Timeline
import Wire

@testable import Capture

@Suite struct PlainFrameTests {
  private func lines(_ packet: [UInt8], linkType: Int32, wireLength: Int) -> [[String]] {
    let sink = RecordingSink()
    var reassembler = TCPReassembler(sink: sink)
    var books = Bookkeeping(limits: CaptureLimits())
    var decoder = PacketDecoder()
    unsafe decoder.decode(
      packet.span.bytes, wireLength: wireLength, from: LinkType.firstLayer(linkType)!,
      at: Moment(time: .start, frame: 1), &reassembler, &books)
    return sink.connections.map(\.lines)
  }

  private static let packet = PacketBuilder.ipv4(
    PacketBuilder.tcp(
      from: 40_000, to: 1883, seq: 7, ack: 9, flags: [.ack], payload: Array("push".utf8)))

  /// RAW packets have no short way, so they tell what the layers make of the same bytes.
  @Test func `a frame is read as its layers read it, whatever is wrong with it`() {
    var state: UInt64 = 1
    func random(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
    var plain = 0
    for _ in 0..<20_000 {
      var packet = Self.packet
      for _ in 0..<random(3) { packet[random(packet.count)] ^= 1 << UInt8(random(8)) }
      // The version decides what RAW is; Ethernet says it itself.
      packet[0] = 0x40 | packet[0] & 0xF
      packet = Array((packet + [0, 0, 0]).prefix(random(packet.count + 3) + 1))
      let frame = PacketBuilder.ethernet(0x0800, packet)
      if unsafe frame.withUnsafeBytes({ unsafe PlainFrame.decode($0) }) != nil { plain += 1 }
      let missing = random(2) * random(100)
      #expect(
        lines(frame, linkType: 1, wireLength: frame.count + missing)
          == lines(packet, linkType: 101, wireLength: packet.count + missing))
    }
    #expect(plain > 100 && plain < 19_000)
  }
}
