import Wire

/// The part of reading a PUBLISH that needs nothing but its bytes and takes longest: to hash its
/// payload.
enum MQTTPreparation {
  /// The hash of the message in a segment that is one PUBLISH of the usual kind of 3.1.1; 0 for any
  /// other. Whoever uses it knows whether the connection speaks 3.1.1, and that the segment begins
  /// with a packet.
  static func hash(of bytes: UnsafeRawBufferPointer, _ direction: Direction) -> UInt64 {
    guard direction == .toClient, bytes.count > 4, case let first = unsafe bytes[0],
      first == 0x32 || first == 0x34
    else { return 0 }
    var length = Int(unsafe bytes[1])
    var at = 2
    if length >= 0x80 {
      let second = Int(unsafe bytes[2])
      length = length & 0x7F | (second & 0x7F) << 7
      at = 3
      if second >= 0x80 {
        let third = Int(unsafe bytes[3])
        if third >= 0x80 { return 0 }
        length |= third << 14
        at = 4
      }
    }
    guard length >= 2, at &+ length == bytes.count else { return 0 }
    let topic = Int(unsafe bytes[at]) << 8 | Int(unsafe bytes[at &+ 1])
    // Behind the topic and the packet identifier.
    let payload = at &+ 2 &+ topic &+ 2
    if payload > bytes.count { return 0 }
    return unsafe MQTTContentHash.hash(UnsafeRawBufferPointer(rebasing: bytes[payload...]))
  }
}
