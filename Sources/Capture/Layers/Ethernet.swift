/// Ethernet II, and 802.3 frames whose type field is a length.
enum Ethernet {
  /// Up to here the type field is a length (IEEE 802.3 §3.2.6).
  private static let longestLength: UInt16 = 1500

  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(14) else { return .cut(.ethernetHeader) }
    let type = cursor.uint16(12)
    cursor.skip(14)
    return type <= longestLength ? .llc : .etherType(type)
  }
}

/// EtherTypes, and the tags between an EtherType and what it announces.
enum EtherType {
  static func decode(_ type: UInt16, _ cursor: inout PacketCursor) -> Layer {
    switch type {
    case 0x0800: return .ipv4
    case 0x86DD: return .ipv6
    case 0x8100, 0x88A8, 0x9100, 0x9200: return tag(&cursor, length: 4)  // 802.1Q, 802.1ad.
    case 0x8926: return tag(&cursor, length: 6)  // VN-Tag (802.1BR).
    case 0x8909: return tag(&cursor, length: 8)  // Cisco metadata: a security group tag.
    case 0x8847, 0x8848: return .mpls
    case 0x8864: return .pppoe
    case 0x880B: return .ppp
    case 0x6558: return .ethernet  // Transparent bridging, inside of GRE and Geneve.
    case 0x88E7: return bridge(&cursor, tagLength: 4)  // Provider backbone bridge (802.1ah).
    case 0x8903: return bridge(&cursor, tagLength: 2)  // FabricPath.
    case 0x88BE, 0x22EB: return .mirrored(type)
    default: return .notTCP
    }
  }

  /// A tag that ends with the EtherType of what follows.
  private static func tag(_ cursor: inout PacketCursor, length: Int) -> Layer {
    guard cursor.has(length) else { return .cut(.vlanTag) }
    let inner = cursor.uint16(length - 2)
    cursor.skip(length)
    return inner <= 1500 ? .llc : .etherType(inner)
  }

  /// A tag in front of a whole Ethernet frame.
  private static func bridge(_ cursor: inout PacketCursor, tagLength: Int) -> Layer {
    cursor.skip(tagLength)
    return .ethernet
  }
}

/// IEEE 802.2 with SNAP (RFC 1042): the rest of 802.2 carries no IP.
enum LogicalLink {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8) else { return .notTCP }
    guard cursor.uint16(0) == 0xAAAA, cursor.uint8(2) == 3 else { return .notTCP }
    let type = cursor.uint16(6)
    cursor.skip(8)
    return .etherType(type)
  }
}

/// Multiprotocol label switching (RFC 3032). Nothing says what a label stack carries: IP shows by
/// its version, a pseudowire by its control word (RFC 4385) or by being neither.
enum LabelStack {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    while true {
      guard cursor.has(4) else { return .cut(.mplsLabel) }
      let isLast = cursor.uint8(2) & 1 == 1
      cursor.skip(4)
      if isLast { break }
    }
    guard cursor.has(1) else { return .cut(.mplsLabel) }
    switch cursor.uint8(0) >> 4 {
    case 4: return .ipv4
    case 6: return .ipv6
    case 0:
      cursor.skip(4)
      return .ethernet
    case 1: return .notTCP
    default: return .ethernet
    }
  }
}
