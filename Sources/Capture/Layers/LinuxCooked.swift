/// Linux "any" device captures: LINKTYPE_LINUX_SLL (16 bytes), LINKTYPE_LINUX_SLL2 (20 bytes).
enum LinuxCooked {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(16) else { return .cut("Linux cooked header") }
    let type = cursor.uint16(14)
    cursor.skip(16)
    return .etherType(type)
  }

  static func decode2(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(20) else { return .cut("Linux cooked v2 header") }
    let type = cursor.uint16(0)
    cursor.skip(20)
    return .etherType(type)
  }
}
