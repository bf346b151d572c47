/// Generic routing encapsulation (RFC 2784, 2890), PPTP's variant of it (RFC 2637), and the
/// mirrored frames (ERSPAN) that travel in it.
enum GenericRouting {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(4) else { return .cut(.greHeader) }
    let flags = cursor.uint16(0)
    let type = cursor.uint16(2)
    let version = flags & 7
    guard version <= 1 else { return .notTCP }
    var length = 4
    // A source route (RFC 1701) follows by more lists than anybody sends.
    guard flags & 0x4000 == 0 else { return .notTCP }
    if flags & 0x8000 != 0 { length += 4 }
    if flags & 0x2000 != 0 { length += 4 }
    let isNumbered = flags & 0x1000 != 0
    if isNumbered { length += 4 }
    if version == 1, flags & 0x0080 != 0 { length += 4 }
    cursor.skip(length)
    cursor.isNumbered = isNumbered
    return .etherType(type)
  }

  /// ERSPAN I has no header, II (with a GRE sequence number) has 8 bytes, III 12, and 8 more when
  /// its last bit says so.
  static func decodeMirrored(_ type: UInt16, _ cursor: inout PacketCursor) -> Layer {
    if type == 0x88BE {
      if cursor.isNumbered { cursor.skip(8) }
      return .ethernet
    }
    guard cursor.has(12) else { return .cut(.greHeader) }
    cursor.skip(cursor.uint8(11) & 1 == 1 ? 20 : 12)
    return .ethernet
  }
}

/// UDP, for the tunnels in it: told by their registered ports, and given up for other traffic as
/// soon as a header does not look like theirs.
enum UserDatagram {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8) else { return .notTCP }
    let source = cursor.uint16(0)
    let destination = cursor.uint16(2)
    let length = Int(cursor.uint16(4))
    cursor.skip(8)
    if length >= 8, length - 8 <= cursor.wireRemaining { cursor.limit(to: length - 8) }
    switch destination {
    case 4789, 8472: return vxlan(&cursor)
    case 6081: return geneve(&cursor)
    case 2152: return gtpUser(&cursor)
    case 4754: return .gre  // RFC 8086.
    case 6635: return .mpls  // RFC 7510.
    case 3544: return teredo(&cursor)
    case 5072: return ayiya(&cursor)
    default: break
    }
    switch source {
    case 2152: return gtpUser(&cursor)
    case 3544: return teredo(&cursor)
    case 5072: return ayiya(&cursor)
    default: return .notTCP
    }
  }

  /// RFC 7348 §5: the flag that the network number is valid, 3 bytes of it, then Ethernet.
  private static func vxlan(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8), cursor.uint8(0) & 0x08 != 0, cursor.uint8(7) == 0 else { return .notTCP }
    cursor.skip(8)
    return .ethernet
  }

  /// RFC 8926 §3.4: version, length of the options in units of 4 bytes, EtherType.
  private static func geneve(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8), cursor.uint8(0) >> 6 == 0 else { return .notTCP }
    let type = cursor.uint16(2)
    cursor.skip(8 + Int(cursor.uint8(0) & 0x3F) * 4)
    return .etherType(type)
  }

  /// 3GPP TS 29.281 §5.1: a G-PDU (255), with optional fields and extension headers.
  private static func gtpUser(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8), cursor.uint8(0) & 0xF0 == 0x30, cursor.uint8(1) == 255 else {
      return .notTCP
    }
    let flags = cursor.uint8(0)
    let length = Int(cursor.uint16(2))
    cursor.skip(8)
    if length <= cursor.wireRemaining { cursor.limit(to: length) }
    guard flags & 0x07 != 0 else { return .ip }
    guard cursor.has(4) else { return .notTCP }
    var next = flags & 0x04 != 0 ? cursor.uint8(3) : 0
    cursor.skip(4)
    while next != 0 {
      guard cursor.has(1) else { return .notTCP }
      let size = Int(cursor.uint8(0)) * 4
      guard size > 0, cursor.has(size) else { return .notTCP }
      next = cursor.uint8(size - 1)
      cursor.skip(size)
    }
    return .ip
  }

  /// RFC 4380 §5.1.1: IPv6, with an authentication or an origin before it, or both.
  private static func teredo(_ cursor: inout PacketCursor) -> Layer {
    if cursor.has(4), cursor.uint16(0) == 1 {
      cursor.skip(13 + Int(cursor.uint8(2)) + Int(cursor.uint8(3)))
    }
    if cursor.has(8), cursor.uint16(0) == 0 { cursor.skip(8) }
    guard cursor.has(40), cursor.uint8(0) >> 4 == 6 else { return .notTCP }
    return .ipv6
  }

  /// draft-massar-v6ops-ayiya: lengths of identity and signature, then the inner protocol.
  private static func ayiya(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8) else { return .notTCP }
    let identity = 1 << Int(cursor.uint8(0) >> 4)
    let signature = Int(cursor.uint8(1) >> 4) * 4
    let next = cursor.uint8(3)
    guard cursor.uint8(2) & 0x0F == 1 else { return .notTCP }  // "Forward".
    cursor.skip(8 + identity + signature)
    return .ipProtocol(next)
  }
}
