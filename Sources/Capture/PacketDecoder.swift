import Wire

/// Peels the layers of a packet until TCP, and hands the segment on.
struct PacketDecoder {
  private(set) var tcpPackets: UInt64 = 0
  private(set) var packetsNotTCP: UInt64 = 0

  /// Layers a packet may have: enough for tunnels in tunnels, too few for a packet that is nothing
  /// but headers to cost much.
  private static let layerLimit = 64

  /// Reassembled packets may be fragments again, but not without end.
  private static let nestingLimit = 4

  private var fragments = FragmentReassembly()
  /// The packets that the last reassembled one came in; taken by who wants to know.
  var framesOfFragments: [UInt32] = []

  /// Packets needed no decoding.
  mutating func countPlain(_ count: Int) { tcpPackets += UInt64(count) }

  mutating func decode(
    _ bytes: RawSpan, wireLength: Int, from first: Layer, at moment: Moment,
    _ reassembler: inout TCPReassembler, _ books: inout Bookkeeping
  ) {
    if case .ethernet = first,
      unsafe bytes.withUnsafeBytes({ unsafe decodePlain($0, at: moment, &reassembler, &books) })
    {
      tcpPackets += 1
      return
    }
    var cursor = PacketCursor(bytes, wireLength: wireLength)
    decode(&cursor, from: first, nesting: 0, at: moment, &reassembler, &books)
  }

  private func decodePlain(
    _ bytes: UnsafeRawBufferPointer, at moment: Moment, _ reassembler: inout TCPReassembler,
    _ books: inout Bookkeeping
  ) -> Bool {
    guard let packet = unsafe PlainFrame.decode(bytes) else { return false }
    reassembler.receive(packet, at: moment, &books)
    return true
  }

  private mutating func decode(
    _ cursor: inout PacketCursor, from first: Layer, nesting: Int, at moment: Moment,
    _ reassembler: inout TCPReassembler, _ books: inout Bookkeeping
  ) {
    var layer = first
    for _ in 0..<Self.layerLimit {
      switch layer {
      case .tcp:
        guard let segment = TCPHeader.decode(&cursor, &layer) else { continue }
        tcpPackets += 1
        reassembler.receive(segment, cursor.rest, at: moment, &books)
        return
      case .fragment:
        guard let whole = fragments.add(cursor, at: moment, &books), nesting < Self.nestingLimit
        else {
          packetsNotTCP += 1
          return
        }
        framesOfFragments = whole.frames
        var inner = unsafe PacketCursor(whole.bytes.span.bytes, wireLength: whole.bytes.count)
        inner.source = cursor.source
        inner.destination = cursor.destination
        decode(
          &inner, from: .ipProtocol(whole.ipProtocol), nesting: nesting + 1, at: moment,
          &reassembler, &books)
        return
      case .notTCP, .malformed, .cut:
        packetsNotTCP += 1
        explain(layer, cursor.offset, moment.frame, &books.warnings)
        return
      case .ethernet, .etherType, .linuxCooked, .linuxCooked2, .bsdLoopback, .llc, .mpls, .ppp,
        .pppoe, .ciscoHDLC, .wireless, .radiotap, .perPacketInformation, .netfilterLog, .packetTap,
        .arcnet, .ip, .ipv4, .ipv6, .ipProtocol, .udp, .gre, .mirrored:
        layer = Self.peel(layer, &cursor)
      }
    }
    packetsNotTCP += 1
    explain(.malformed(.nestingOfLayers), cursor.offset, moment.frame, &books.warnings)
  }

  /// One line for each layer that leads to another one.
  private static func peel(_ layer: Layer, _ cursor: inout PacketCursor) -> Layer {
    switch layer {
    case .ethernet: Ethernet.decode(&cursor)
    case .etherType(let type): EtherType.decode(type, &cursor)
    case .ipv4: IPv4.decode(&cursor)
    case .ipv6: IPv6.decode(&cursor)
    case .ipProtocol(let number): IPProtocol.decode(number, &cursor)
    case .ip: IPVersion.decode(&cursor)
    case .linuxCooked: LinuxCooked.decode(&cursor)
    case .linuxCooked2: LinuxCooked.decode2(&cursor)
    case .bsdLoopback: Loopback.decode(&cursor)
    case .llc: LogicalLink.decode(&cursor)
    case .mpls: LabelStack.decode(&cursor)
    case .ppp: PointToPoint.decode(&cursor)
    case .pppoe: PointToPoint.decodeEthernetSession(&cursor)
    case .ciscoHDLC: PointToPoint.decodeCiscoHDLC(&cursor)
    case .wireless: Wireless.decode(&cursor)
    case .radiotap: Wireless.decodeRadiotap(&cursor)
    case .perPacketInformation: Wireless.decodePerPacketInformation(&cursor)
    case .netfilterLog: HostLinks.decodeNetfilterLog(&cursor)
    case .packetTap: HostLinks.decodePacketTap(&cursor)
    case .arcnet: HostLinks.decodeARCnet(&cursor)
    case .udp: UserDatagram.decode(&cursor)
    case .gre: GenericRouting.decode(&cursor)
    case .mirrored(let type): GenericRouting.decodeMirrored(type, &cursor)
    case .tcp, .fragment, .notTCP, .malformed, .cut:
      preconditionFailure("\(layer) ends the peeling")
    }
  }

  /// The capture is over.
  mutating func conclude(_ books: inout Bookkeeping) { fragments.conclude(&books) }

  private func explain(
    _ layer: Layer, _ offset: Int, _ frame: UInt32, _ warnings: inout WarningLog
  ) {
    switch layer {
    case .malformed(let field):
      warnings.add(
        .malformedHeader, frame: frame, offset: UInt64(offset),
        "\(field.rawValue) at byte \(offset) of the packet can't be; the packet is left out")
    case .cut(let field):
      warnings.add(
        .shortHeader, frame: frame, offset: UInt64(offset),
        "the packet ends inside of the \(field.rawValue) at byte \(offset); it is left out")
    default:
      break  // Nothing is wrong with a packet that carries no TCP.
    }
  }
}

/// RAW links: the version nibble tells.
enum IPVersion {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(1) else { return .cut(.ipHeader) }
    switch cursor.uint8(0) >> 4 {
    case 4: return .ipv4
    case 6: return .ipv6
    default: return .malformed(.ipVersion)
    }
  }
}
