/// Ethernet II with any number of VLAN tags (IEEE 802.1Q, 802.1ad); 802.3 length frames are no IP.
enum Ethernet {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(14) else { return .cut("Ethernet header") }
    let type = cursor.uint16(12)
    cursor.skip(14)
    return .etherType(type)
  }
}

/// EtherTypes, and the tags between an EtherType and what it announces.
enum EtherType {
  static func decode(_ type: UInt16, _ cursor: inout PacketCursor) -> Layer {
    switch type {
    case 0x0800: return .ipv4
    case 0x86DD: return .ipv6
    case 0x8100, 0x88A8, 0x9100, 0x9200:
      guard cursor.has(4) else { return .cut("VLAN tag") }
      let inner = cursor.uint16(2)
      cursor.skip(4)
      return .etherType(inner)
    default: return .notTCP
    }
  }
}
