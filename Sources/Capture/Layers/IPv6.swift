/// RFC 8200, with its extension headers; jumbograms by RFC 2675.
enum IPv6 {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(40) else { return .cut(.ipv6Header) }
    guard cursor.uint8(0) >> 4 == 6 else { return .malformed(.ipv6Version) }
    let payloadLength = Int(cursor.uint16(4))
    let next = cursor.uint8(6)
    cursor.source = IPAddress(high: cursor.uint64(8), low: cursor.uint64(16), isIPv6: true)
    cursor.destination = IPAddress(high: cursor.uint64(24), low: cursor.uint64(32), isIPv6: true)
    cursor.skip(40)
    // 0 announces a jumbogram, or is what segmentation offload leaves: the frame knows the length.
    if payloadLength > 0 { cursor.limit(to: payloadLength) }
    return .ipProtocol(next)
  }

  /// Hop-by-hop, routing, destination and other options of the common form: next header, length
  /// in units of 8 bytes without the first.
  static func decodeOptions(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(2) else { return .cut(.ipv6ExtensionHeader) }
    let next = cursor.uint8(0)
    cursor.skip(8 + Int(cursor.uint8(1)) * 8)
    return .ipProtocol(next)
  }

  /// RFC 4302: the length counts units of 4 bytes, without the first two.
  static func decodeAuthentication(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(2) else { return .cut(.authenticationHeader) }
    let next = cursor.uint8(0)
    cursor.skip(8 + Int(cursor.uint8(1)) * 4)
    return .ipProtocol(next)
  }

  static func decodeFragment(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8) else { return .cut(.ipv6FragmentHeader) }
    let next = cursor.uint8(0)
    let field = cursor.uint16(2)
    let identification = cursor.uint32(4)
    cursor.skip(8)
    // A packet in one fragment (RFC 6946) is whole.
    if field & 0xFFF9 == 0 { return .ipProtocol(next) }
    cursor.fragment = IPFragment(
      identification: identification, ipProtocol: next, offset: Int(field & 0xFFF8),
      isLast: field & 1 == 0)
    return .fragment
  }
}

/// IP protocol numbers that lead to TCP, through tunnels too.
enum IPProtocol {
  static func decode(_ number: UInt8, _ cursor: inout PacketCursor) -> Layer {
    switch number {
    case 6: .tcp
    case 17: .udp
    case 4: .ipv4
    case 41: .ipv6
    case 47: .gre
    case 137: .mpls
    case 97: etherIP(&cursor)
    case 0, 43, 60, 135, 139, 140: IPv6.decodeOptions(&cursor)
    case 44: IPv6.decodeFragment(&cursor)
    case 51: IPv6.decodeAuthentication(&cursor)
    default: .notTCP
    }
  }

  /// RFC 3378: version 3, 12 reserved bits, an Ethernet frame.
  private static func etherIP(_ cursor: inout PacketCursor) -> Layer {
    cursor.skip(2)
    return .ethernet
  }
}
