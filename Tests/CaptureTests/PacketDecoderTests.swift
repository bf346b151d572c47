import Testing
import Timeline
import Wire

@testable import Capture

@Suite struct PacketDecoderTests {
  /// What a packet of a link type carries, as the reassembler tells it.
  private func decode(_ packet: [UInt8], linkType: Int32) -> (RecordingSink, [CaptureWarning]) {
    let sink = RecordingSink()
    var reassembler = TCPReassembler(sink: sink)
    var books = Bookkeeping(limits: CaptureLimits())
    var decoder = PacketDecoder()
    unsafe decoder.decode(
      packet.span.bytes, wireLength: packet.count, from: LinkType.firstLayer(linkType)!,
      at: Moment(time: .start, frame: 1), &reassembler, &books)
    return (sink, books.warnings.kept)
  }

  private static let segment = PacketBuilder.tcp(
    from: 40_000, to: 1883, seq: 7, ack: 9, flags: [], payload: Array("push".utf8))
  private static let ipv4 = PacketBuilder.ipv4(segment)
  private static let address = (0..<16).map { UInt8($0) }
  private static let ipv6 = PacketBuilder.ipv6(from: address, to: address.reversed(), segment)

  static let packets: [(name: String, linkType: Int32, packet: [UInt8])] = [
    ("Ethernet, IPv4", 1, PacketBuilder.ethernet(0x0800, ipv4)),
    ("Ethernet, IPv6", 1, PacketBuilder.ethernet(0x86DD, ipv6)),
    ("802.1Q", 1, PacketBuilder.ethernet(0x8100, [0, 5, 8, 0] + ipv4)),
    ("QinQ", 1, PacketBuilder.ethernet(0x88A8, [0, 5, 0x81, 0, 0, 6, 8, 0] + ipv4)),
    ("NULL, little endian", 0, [2, 0, 0, 0] + ipv4),
    ("NULL, big endian, macOS IPv6", 0, [0, 0, 0, 30] + ipv6),
    ("LOOP", 108, [0, 0, 0, 2] + ipv4),
    ("RAW, IPv4", 101, ipv4),
    ("RAW, IPv6", 12, ipv6),
    ("IPV4", 228, ipv4),
    ("IPV6", 229, ipv6),
    ("SLL", 113, [UInt8](repeating: 0, count: 14) + [8, 0] + ipv4),
    ("SLL2", 276, [8, 0] + [UInt8](repeating: 0, count: 18) + ipv4),
    (
      "IPv6 options, routing, whole fragment", 229,
      PacketBuilder.ipv6(
        from: address, to: address.reversed(), next: 0,
        [43, 0, 1, 4, 0, 0, 0, 0] + [44, 0, 0, 0, 0, 0, 0, 0] + [60, 0, 0, 0, 0, 0, 0, 9]
          + [6, 1] + [UInt8](repeating: 0, count: 14) + segment)
    ),
    ("IPv4 length 0 (offload)", 228, PacketBuilder.ipv4(totalLength: 0, segment)),
    ("IPv4 with padding", 228, ipv4 + [1, 2, 3]),
  ]

  @Test(arguments: PacketDecoderTests.packets)
  func `every link type leads to TCP`(
    name: String, linkType: Int32, packet: [UInt8]
  ) {
    let (sink, warnings) = decode(packet, linkType: linkType)
    #expect(sink.connections.map(\.toServer) == [Array("push".utf8)])
    #expect(warnings.isEmpty)
  }

  @Test(arguments: PacketDecoderTests.packets)
  func `no cut of a packet traps, and none invents bytes`(
    name: String, linkType: Int32, packet: [UInt8]
  ) {
    for length in 0..<packet.count {
      let (sink, _) = decode(Array(packet.prefix(length)), linkType: linkType)
      #expect(sink.connections.allSatisfy { Array("push".utf8).starts(with: $0.toServer) })
    }
  }

  @Test(arguments: PacketDecoderTests.packets)
  func `no single damaged byte traps`(name: String, linkType: Int32, packet: [UInt8]) {
    for at in packet.indices {
      for value: UInt8 in [0, 1, 4, 6, 44, 0x45, 0x7F, 0x80, 0xFF] {
        var damaged = packet
        damaged[at] = value
        let (sink, _) = decode(damaged, linkType: linkType)
        #expect(sink.connections.count <= 1)
      }
    }
  }

  @Test func `headers that contradict themselves are named`() {
    let bad = PacketBuilder.ipv4(totalLength: 19, Self.segment)
    let (sink, warnings) = decode(bad, linkType: 228)
    #expect(sink.connections.isEmpty)
    #expect(warnings.map(\.kind) == [.malformedHeader])
    #expect(warnings.first?.text.contains("IPv4 total length") == true)
  }
}
