/// A piece of an IP packet (RFC 791 §3.2, RFC 8200 §4.5).
struct IPFragment: BitwiseCopyable {
  var identification: UInt32 = 0
  var ipProtocol: UInt8 = 0
  /// Bytes before this piece in the whole payload.
  var offset = 0
  var isLast = false
}

/// RFC 791.
enum IPv4 {
  static func decode(_ cursor: inout PacketCursor) -> Layer {
    guard cursor.has(20) else { return .cut(.ipv4Header) }
    let first = cursor.uint8(0)
    guard first >> 4 == 4 else { return .malformed(.ipv4Version) }
    let headerLength = Int(first & 0xF) * 4
    guard headerLength >= 20 else { return .malformed(.ipv4HeaderLength) }
    let totalLength = Int(cursor.uint16(2))
    // 0 is what segmentation offload leaves in the packets of the recording host: then only the
    // frame knows the length.
    if totalLength > 0 {
      guard totalLength >= headerLength else { return .malformed(.ipv4TotalLength) }
      cursor.limit(to: totalLength)
    }
    cursor.source = IPAddress(high: 0, low: UInt64(cursor.uint32(12)), isIPv6: false)
    cursor.destination = IPAddress(high: 0, low: UInt64(cursor.uint32(16)), isIPv6: false)
    let next = cursor.uint8(9)
    let fragmentation = cursor.uint16(6)
    let identification = UInt32(cursor.uint16(4))
    cursor.skip(headerLength)
    if fragmentation & 0x3FFF != 0 {
      cursor.fragment = IPFragment(
        identification: identification, ipProtocol: next, offset: Int(fragmentation & 0x1FFF) * 8,
        isLast: fragmentation & 0x2000 == 0)
      return .fragment
    }
    return .ipProtocol(next)
  }
}
