/// What hosts put in front of packets that never were on a wire like this: netfilter's log,
/// macOS's packet tap, ARCnet.
enum HostLinks {
  /// NFLOG: family, version, resource, then attributes in the recording host's byte order.
  static func decodeNetfilterLog(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(4) else { return .cut(.nflogHeader) }
    guard cursor.uint8(1) == 0 else { return .malformed(.nflogHeader) }
    cursor.skip(4)
    while true {
      guard cursor.has(4) else { return .cut(.nflogHeader) }
      // Attribute types are small: whichever order makes this one small is the right one.
      let rawType = cursor.uint16(2)
      let isLittle = rawType.byteSwapped < rawType
      let length = Int(isLittle ? cursor.uint16(0).byteSwapped : cursor.uint16(0))
      let type = (isLittle ? rawType.byteSwapped : rawType) & 0x7FFF
      guard length >= 4 else { return .malformed(.nflogHeader) }
      if type == 9 {
        cursor.skip(4)
        cursor.limit(to: length - 4)
        return .ip
      }
      cursor.skip((length + 3) & ~3)
    }
  }

  /// PKTAP: length and link type, little endian.
  static func decodePacketTap(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(12) else { return .cut(.pktapHeader) }
    let length = Int(cursor.uint32(0).byteSwapped)
    guard (12...1 << 16).contains(length) else { return .malformed(.pktapHeader) }
    let type = Int32(bitPattern: cursor.uint32(8).byteSwapped)
    cursor.skip(length)
    if type == 258 || type == 149 { return .malformed(.pktapHeader) }
    return LinkType.firstLayer(type) ?? .notTCP
  }

  /// ARCnet as Linux captures it: source, destination, 2 bytes of offset, protocol; RFC 1051 has
  /// the packet right behind, RFC 1201 a fragment header before it.
  static func decodeARCnet(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8) else { return .cut(.arcnetHeader) }
    switch cursor.uint8(4) {
    case 240:
      cursor.skip(5)
      return .ipv4
    case 212 where cursor.uint8(5) == 0:
      cursor.skip(8)
      return .ipv4
    default: return .notTCP
    }
  }
}
