import Wire

/// The part of reading a PUBLISH that needs nothing but its bytes and takes longest: to hash its
/// payload.
enum MQTTPreparation {
  /// The hash of the message in a segment that is one PUBLISH of the usual kind of 3.1.1; 0 for any
  /// other. Whoever uses it knows whether the connection speaks 3.1.1, and that the segment begins
  /// with a packet.
  static func hash(of bytes: RawSpan, _ direction: Direction) -> UInt64 {
    guard direction == .toClient, bytes.byteCount > 4,
      case let first = byte(bytes, 0), first == 0x32 || first == 0x34
    else { return 0 }
    var length = 0
    var at = 1
    while true {
      let byte = Int(byte(bytes, at))
      length |= (byte & 0x7F) << (7 * (at - 1))
      at += 1
      if byte < 0x80 { break }
      if at == 4 { return 0 }
    }
    guard length >= 2, at + length == bytes.byteCount else { return 0 }
    let topic = Int(byte(bytes, at)) << 8 | Int(byte(bytes, at + 1))
    // Behind the topic and the packet identifier.
    let payload = at + 2 + topic + 2
    if payload > bytes.byteCount { return 0 }
    return MQTTContentHash.hash(bytes.extracting(payload..<bytes.byteCount))
  }

  @inline(__always)
  private static func byte(_ bytes: RawSpan, _ at: Int) -> UInt8 {
    precondition(at < bytes.byteCount, "bytes that are there")
    return unsafe bytes.unsafeLoad(fromByteOffset: at, as: UInt8.self)
  }
}
