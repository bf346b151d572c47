import Wire

/// Peels the layers of a packet until TCP, and hands the segment on.
struct PacketDecoder {
  private(set) var tcpPackets: UInt64 = 0
  private(set) var packetsNotTCP: UInt64 = 0

  /// Layers a packet may have: enough for tunnels in tunnels, too few for a packet that is nothing
  /// but headers to cost much.
  private static let layerLimit = 64

  mutating func decode(
    _ bytes: RawSpan, wireLength: Int, from first: Layer, at moment: Moment,
    _ reassembler: inout TCPReassembler, _ books: inout Bookkeeping
  ) {
    var cursor = PacketCursor(bytes, wireLength: wireLength)
    var layer = first
    for _ in 0..<Self.layerLimit {
      switch layer {
      case .ethernet: layer = Ethernet.decode(&cursor)
      case .etherType(let type): layer = EtherType.decode(type, &cursor)
      case .linuxCooked: layer = LinuxCooked.decode(&cursor)
      case .linuxCooked2: layer = LinuxCooked.decode2(&cursor)
      case .bsdLoopback: layer = Loopback.decode(&cursor)
      case .ip: layer = IPVersion.decode(&cursor)
      case .ipv4: layer = IPv4.decode(&cursor)
      case .ipv6: layer = IPv6.decode(&cursor)
      case .ipProtocol(let number): layer = IPProtocol.decode(number, &cursor)
      case .tcp:
        guard let segment = TCPHeader.decode(&cursor, &layer) else { continue }
        tcpPackets += 1
        reassembler.receive(segment, cursor.rest, at: moment, &books)
        return
      case .fragment, .notTCP, .malformed, .cut:
        packetsNotTCP += 1
        explain(layer, cursor.offset, moment.frame, &books.warnings)
        return
      }
    }
    packetsNotTCP += 1
    explain(.malformed("nesting of layers"), cursor.offset, moment.frame, &books.warnings)
  }

  private func explain(
    _ layer: Layer, _ offset: Int, _ frame: UInt32, _ warnings: inout WarningLog
  ) {
    switch layer {
    case .malformed(let what):
      warnings.add(
        .malformedHeader, frame: frame, offset: UInt64(offset),
        "\(what) at byte \(offset) of the packet can't be; the packet is left out")
    case .cut(let what):
      warnings.add(
        .shortHeader, frame: frame, offset: UInt64(offset),
        "the packet ends inside of the \(what) at byte \(offset); it is left out")
    case .fragment(let fragment):
      warnings.add(
        .fragments, frame: frame, offset: UInt64(offset),
        "a fragment of an IP packet (identification \(fragment.identification)) is left out")
    case .ethernet, .etherType, .linuxCooked, .linuxCooked2, .bsdLoopback, .ip, .ipv4, .ipv6,
      .ipProtocol, .tcp, .notTCP:
      break
    }
  }
}

/// RAW links: the version nibble tells.
enum IPVersion {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(1) else { return .cut("IP header") }
    switch cursor.uint8(0) >> 4 {
    case 4: return .ipv4
    case 6: return .ipv6
    default: return .malformed("IP version")
    }
  }
}
