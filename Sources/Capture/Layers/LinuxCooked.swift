/// Linux "any" device captures: LINKTYPE_LINUX_SLL (16 bytes), LINKTYPE_LINUX_SLL2 (20 bytes).
enum LinuxCooked {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(16) else { return .cut(.linuxCookedHeader) }
    let type = cursor.uint16(14)
    cursor.skip(16)
    return next(type)
  }

  static func decode2(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(20) else { return .cut(.linuxCookedV2Header) }
    let type = cursor.uint16(0)
    cursor.skip(20)
    return next(type)
  }

  /// Small numbers are Linux's own: 4 is a frame with 802.2 inside.
  private static func next(_ type: UInt16) -> Layer { type == 4 ? .llc : .etherType(type) }
}
