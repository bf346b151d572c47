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

  /// Takes all segments, and counts them.
  private final class Taker: ConnectionSink {
    var taken: [UInt64] = []
    var events = 0

    func receive(
      _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
      bytes: UnsafeRawBufferPointer, at moment: Moment
    ) {
      events += 1
    }

    func takes(
      _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
      at moment: Moment
    ) -> Bool {
      taken.append(segment.offset)
      return true
    }
  }

  private static let client = [UInt8](repeating: 0, count: 15) + [1]
  private static let server = [UInt8](repeating: 0, count: 15) + [2]

  @Test(arguments: [(1, false), (101, false), (101, true)] as [(Int32, Bool)])
  func `segments in their order are told as such, whatever they come in`(
    linkType: Int32, isIPv6: Bool
  ) {
    let sink = Taker()
    var reassembler = TCPReassembler(sink: sink)
    var books = Bookkeeping(limits: CaptureLimits())
    var decoder = PacketDecoder()
    func tell(isFromClient: Bool, seq: UInt32, ack: UInt32?, _ flags: TCPFlags, _ text: [UInt8]) {
      let segment = PacketBuilder.tcp(
        from: isFromClient ? 40_000 : 1883, to: isFromClient ? 1883 : 40_000, seq: seq, ack: ack,
        flags: flags, payload: text)
      let v6 = isFromClient ? (Self.client, Self.server) : (Self.server, Self.client)
      let v4 =
        isFromClient
        ? (PacketBuilder.clientAddress, PacketBuilder.serverAddress)
        : (PacketBuilder.serverAddress, PacketBuilder.clientAddress)
      let packet =
        isIPv6
        ? PacketBuilder.ipv6(from: v6.0, to: v6.1, segment)
        : PacketBuilder.ipv4(from: v4.0, to: v4.1, segment)
      let frame = linkType == 1 ? PacketBuilder.ethernet(0x0800, packet) : packet
      unsafe decoder.decode(
        frame.span.bytes, wireLength: frame.count, from: LinkType.firstLayer(linkType)!,
        at: Moment(time: .start, frame: 1), &reassembler, &books)
    }
    tell(isFromClient: true, seq: 6, ack: nil, .syn, [])
    tell(isFromClient: false, seq: 8, ack: 7, .syn, [])
    tell(isFromClient: true, seq: 7, ack: 9, [], [])
    for index in 0..<10 as Range<UInt32> {
      tell(isFromClient: true, seq: 7 + 4 * index, ack: 9, [], [1, 2, 3, 4])
      tell(isFromClient: false, seq: 9, ack: 7 + 4 * (index + 1), [], [])
    }
    #expect(sink.taken.count > 15)
    #expect(sink.events < 8)
  }
}
