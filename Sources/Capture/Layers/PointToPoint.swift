/// PPP (RFC 1661), with or without HDLC-like framing (RFC 1662), protocol field compressed or not.
enum PointToPoint {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(2) else { return .cut(.pppHeader) }
    if cursor.uint16(0) == 0xFF03 { cursor.skip(2) }
    // Cisco HDLC is stored under PPP's link types at times: its addresses are no PPP protocols.
    if cursor.has(4), cursor.uint16(0) == 0x0F00 || cursor.uint16(0) == 0x8F00 {
      return .ciscoHDLC
    }
    guard cursor.has(1) else { return .cut(.pppHeader) }
    let type: UInt16
    if cursor.uint8(0) & 1 == 1 {
      type = UInt16(cursor.uint8(0))
      cursor.skip(1)
    } else {
      guard cursor.has(2) else { return .cut(.pppHeader) }
      type = cursor.uint16(0)
      cursor.skip(2)
    }
    switch type {
    case 0x0021: return .ipv4
    case 0x0057: return .ipv6
    case 0x0281, 0x0283: return .mpls
    default: return .notTCP
    }
  }

  /// A PPPoE session (RFC 2516 §4): its length leaves out Ethernet's padding.
  static func decodeEthernetSession(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(6) else { return .cut(.pppoeHeader) }
    guard cursor.uint8(0) == 0x11 else { return .malformed(.pppoeHeader) }
    let length = Int(cursor.uint16(4))
    guard cursor.uint8(1) == 0 else { return .notTCP }
    cursor.skip(6)
    cursor.limit(to: length)
    return .ppp
  }

  /// Cisco HDLC: address, control, EtherType.
  static func decodeCiscoHDLC(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(4) else { return .cut(.hdlcHeader) }
    // PPP in HDLC framing begins otherwise, and is stored under the same link type at times.
    if cursor.uint16(0) == 0xFF03 { return .ppp }
    let type = cursor.uint16(2)
    cursor.skip(4)
    return .etherType(type)
  }
}
