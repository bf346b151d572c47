/// BSD loopback: an address family of 4 bytes, in either byte order (NULL: the recording host's,
/// LOOP: network order), then the IP packet.
enum Loopback {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(4) else { return .cut(.loopbackHeader) }
    let raw = cursor.uint32(0)
    // Families are small numbers: whichever order makes it small is the order it was written in.
    let family = raw > 0xFFFF ? raw.byteSwapped : raw
    cursor.skip(4)
    switch family {
    case 2: return .ipv4
    case 10, 24, 28, 30: return .ipv6  // Linux, NetBSD and OpenBSD, FreeBSD, macOS.
    default: return .notTCP
    }
  }
}
