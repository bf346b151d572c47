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

  private static func udp(_ port: UInt16, _ payload: [UInt8]) -> [UInt8] {
    PacketBuilder.ipv4(
      protocol: 17,
      bytes(UInt16(50_000)) + bytes(port) + bytes(UInt16(payload.count + 8)) + [0, 0] + payload)
  }

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
    ("802.3 with SNAP", 1, PacketBuilder.ethernet(52, [0xAA, 0xAA, 3, 0, 0, 0, 8, 0] + ipv4)),
    ("MPLS, two labels", 1, PacketBuilder.ethernet(0x8847, [0, 1, 0, 64, 0, 2, 1, 64] + ipv4)),
    (
      "MPLS pseudowire", 1,
      PacketBuilder.ethernet(
        0x8847, [0, 1, 1, 64, 0, 0, 0, 0] + PacketBuilder.ethernet(0x0800, ipv4))
    ),
    ("PPP", 9, [0x00, 0x21] + ipv4),
    ("PPP in HDLC framing, short protocol", 50, [0xFF, 0x03, 0x21] + ipv4),
    (
      "PPPoE with padding", 1,
      PacketBuilder.ethernet(
        0x8864, [0x11, 0, 0, 1] + bytes(UInt16(ipv4.count + 2)) + [0, 0x21] + ipv4 + [9, 9, 9])
    ),
    ("Cisco HDLC", 104, [0x0F, 0, 8, 0] + ipv4),
    (
      "802.11, QoS", 105,
      [0x88, 0x01] + [UInt8](repeating: 0, count: 24) + [0xAA, 0xAA, 3, 0, 0, 0, 8, 0] + ipv4
    ),
    (
      "radiotap, 802.11 padded to 4 bytes", 127,
      [0, 0, 9, 0, 2, 0, 0, 0, 0x20] + [0x88, 0x01] + [UInt8](repeating: 0, count: 26)
        + [0xAA, 0xAA, 3, 0, 0, 0, 8, 0] + ipv4
    ),
    ("PPI", 192, [0, 0, 8, 0, 1, 0, 0, 0] + PacketBuilder.ethernet(0x0800, ipv4)),
    ("PKTAP", 258, [12, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0] + ipv4),
    (
      "NFLOG", 239,
      [2, 0, 0, 0] + [5, 0, 10, 0, 1, 0, 0, 0]
        + [UInt8(ipv4.count + 4), 0, 9, 0] + ipv4
    ),
    ("IP in IP", 101, PacketBuilder.ipv4(protocol: 4, ipv4)),
    ("6in4", 101, PacketBuilder.ipv4(protocol: 41, ipv6)),
    ("4in6", 101, PacketBuilder.ipv6(from: address, to: address, next: 4, ipv4)),
    ("GRE with key", 101, PacketBuilder.ipv4(protocol: 47, [0x20, 0, 8, 0, 0, 0, 0, 7] + ipv4)),
    (
      "ERSPAN II", 101,
      PacketBuilder.ipv4(
        protocol: 47,
        [0x10, 0, 0x88, 0xBE, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 8)
          + PacketBuilder.ethernet(0x0800, ipv4))
    ),
    (
      "VXLAN", 101,
      udp(4789, [8, 0, 0, 0, 0, 0, 5, 0] + PacketBuilder.ethernet(0x0800, ipv4))
    ),
    (
      "Geneve with an option", 101,
      udp(6081, [1, 0, 0x65, 0x58, 0, 0, 5, 0, 1, 2, 3, 4] + PacketBuilder.ethernet(0x0800, ipv4))
    ),
    (
      "GTP-U with an extension header", 101,
      udp(
        2152,
        [0x34, 255] + bytes(UInt16(ipv4.count + 8)) + [0, 0, 0, 1, 0, 0, 0, 0xC0, 1, 0, 0, 0]
          + ipv4)
    ),
    ("Teredo", 101, udp(3544, [0, 0, 1, 2, 3, 4, 5, 6] + ipv6)),
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

  /// The packets of a list, as one decoder sees them.
  private func decode(_ packets: [[UInt8]]) -> (RecordingSink, [CaptureWarning]) {
    let sink = RecordingSink()
    var reassembler = TCPReassembler(sink: sink)
    var books = Bookkeeping(limits: CaptureLimits())
    var decoder = PacketDecoder()
    for (index, packet) in packets.enumerated() {
      unsafe decoder.decode(
        packet.span.bytes, wireLength: packet.count, from: .ip,
        at: Moment(time: .start, frame: UInt32(index + 1)), &reassembler, &books)
    }
    decoder.conclude(&books)
    return (sink, books.warnings.kept)
  }

  private func fragments(_ payload: [UInt8], at cuts: [Int], id: UInt16 = 7) -> [[UInt8]] {
    zip([0] + cuts, cuts + [payload.count]).map { start, end in
      PacketBuilder.ipv4(
        identification: id,
        fragment: UInt16(start / 8) | (end < payload.count ? 0x2000 : 0),
        Array(payload[start..<end]))
    }
  }

  @Test func `fragments in any order are one packet, told with the frame that completed it`() {
    let pieces = fragments(Self.segment, at: [8, 16])
    let (sink, warnings) = decode([pieces[2], pieces[0], pieces[1]])
    #expect(sink.lines == ["3 began mid-stream", "3 > 0 'push'"])
    #expect(warnings.isEmpty)
  }

  @Test func `fragments of IPv6 are put together`() {
    let pieces = [
      (0, true, Array(Self.segment.prefix(16))), (16, false, Array(Self.segment.dropFirst(16))),
    ].map { offset, more, piece in
      PacketBuilder.ipv6(
        from: Self.address, to: Self.address.reversed(), next: 44,
        [6, 0] + bytes(UInt16(offset | (more ? 1 : 0))) + bytes(UInt32(99)) + piece)
    }
    #expect(decode(pieces).0.lines == ["2 began mid-stream", "2 > 0 'push'"])
  }

  @Test func `of overlapping fragments the first copy counts`() {
    var other = Self.segment
    other[20] = UInt8(ascii: "X")
    let (sink, warnings) = decode([
      fragments(Self.segment, at: [16])[1], fragments(other, at: [8, 16])[2],
      fragments(Self.segment, at: [16])[0],
    ])
    #expect(sink.connections.map(\.toServer) == [Array("push".utf8)])
    #expect(warnings.map(\.kind) == [.fragments])
  }

  @Test func `fragments that never become whole are told at the end`() {
    let (sink, warnings) = decode([fragments(Self.segment, at: [8, 16])[1]])
    #expect(sink.connections.isEmpty)
    #expect(warnings.map(\.kind) == [.fragments])
    #expect(warnings.map(\.frame) == [1])
  }

  @Test func `incomplete packets are limited`() {
    let pieces = (0..<1000).map { fragments(Self.segment, at: [8], id: UInt16($0))[0] }
    let (_, warnings) = decode(pieces)
    #expect(warnings.count == 16)
  }

  @Test func `a packet that is nothing but headers ends`() {
    var packet = Self.ipv4
    for _ in 0..<100 { packet = PacketBuilder.ipv4(protocol: 4, packet) }
    let (sink, warnings) = decode([packet])
    #expect(sink.connections.isEmpty)
    #expect(warnings.map(\.kind) == [.malformedHeader])
  }

  @Test func `headers that contradict themselves are named`() {
    let bad = PacketBuilder.ipv4(totalLength: 19, Self.segment)
    let (sink, warnings) = decode(bad, linkType: 228)
    #expect(sink.connections.isEmpty)
    #expect(warnings.map(\.kind) == [.malformedHeader])
    #expect(warnings.first?.text.contains("IPv4 total length") == true)
  }
}
