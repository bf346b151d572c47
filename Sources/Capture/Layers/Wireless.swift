/// IEEE 802.11 data frames that are not encrypted, and the headers that captures put in front.
enum Wireless {
  /// Radiotap: version, padding, length (little endian), which fields are present.
  static func decodeRadiotap(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8) else { return .cut(.radiotapHeader) }
    let length = Int(cursor.uint16(2).byteSwapped)
    guard cursor.uint8(0) == 0, length >= 8 else { return .malformed(.radiotapHeader) }
    cursor.isPadded = hasPadding(cursor, length)
    cursor.skip(length)
    return .wireless
  }

  /// Some drivers fill the 802.11 header up to 4 bytes, and say so in radiotap's flags.
  private static func hasPadding(_ cursor: borrowing PacketCursor, _ length: Int) -> Bool {
    var at = 4
    let present = cursor.uint32(at).byteSwapped
    while at + 4 <= length, cursor.has(at + 4), cursor.uint32(at).byteSwapped & 1 << 31 != 0 {
      at += 4
    }
    at += 4
    if present & 1 != 0 { at = (at + 7) & ~7 + 8 }  // A time stamp of 8 bytes goes first.
    return present & 2 != 0 && at < length && cursor.has(at + 1) && cursor.uint8(at) & 0x20 != 0
  }

  /// PPI: version, flags, length and link type (little endian).
  static func decodePerPacketInformation(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(8) else { return .cut(.ppiHeader) }
    let length = Int(cursor.uint16(2).byteSwapped)
    guard length >= 8 else { return .malformed(.ppiHeader) }
    let type = cursor.uint32(4).byteSwapped
    cursor.skip(length)
    if type == 192 { return .malformed(.ppiHeader) }
    return LinkType.firstLayer(Int32(bitPattern: type)) ?? .notTCP
  }

  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(24) else {
      // Control frames are shorter.
      guard cursor.has(1), cursor.uint8(0) & 0x0C == 0x08 else { return .notTCP }
      return .cut(.wirelessHeader)
    }
    let control = cursor.uint8(0)
    let flags = cursor.uint8(1)
    let isData = control & 0x0C == 0x08 && control & 0x40 == 0
    let isEncrypted = flags & 0x40 != 0
    guard isData, !isEncrypted else { return .notTCP }
    var length = 24
    if flags & 0x03 == 0x03 { length += 6 }  // Between access points: a fourth address.
    var isAggregate = false
    if control & 0x80 != 0 {
      guard cursor.has(length + 2) else { return .cut(.wirelessHeader) }
      isAggregate = cursor.uint8(length) & 0x80 != 0
      length += 2
      if flags & 0x80 != 0 { length += 4 }
    }
    if cursor.isPadded { length = (length + 3) & ~3 }
    cursor.skip(length)
    // The first frame of an aggregate: two addresses and a length before it.
    if isAggregate { cursor.skip(14) }
    return .llc
  }
}
