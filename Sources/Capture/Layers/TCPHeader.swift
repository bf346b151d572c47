/// The flags of a TCP header that matter here.
struct TCPFlags: OptionSet, BitwiseCopyable {
  let rawValue: UInt8
  static let fin = TCPFlags(rawValue: 0x01)
  static let syn = TCPFlags(rawValue: 0x02)
  static let rst = TCPFlags(rawValue: 0x04)
  static let ack = TCPFlags(rawValue: 0x10)
}

/// A TCP segment without its payload (RFC 9293 §3.1).
struct TCPSegment: BitwiseCopyable {
  var source: IPAddress
  var destination: IPAddress
  var sourcePort: UInt16
  var destinationPort: UInt16
  var sequence: UInt32
  var acknowledgement: UInt32
  var flags: TCPFlags
  /// As sent: not scaled.
  var window: UInt16
  /// The scale that a SYN offers (RFC 7323 §2.2); `noScale` when it offers none.
  var windowScale: UInt8
  /// Payload bytes on the wire; the captured payload may be shorter.
  var wireLength: Int

  static let noScale: UInt8 = 255
}

enum TCPHeader {
  /// Reads the header and leaves the cursor at the payload; `nil` with a reason otherwise.
  static func decode(_ cursor: inout PacketCursor, _ problem: inout Layer) -> TCPSegment? {
    guard cursor.has(20) else {
      problem = cursor.wireRemaining < 20 ? .malformed(.tcpHeader) : .cut(.tcpHeader)
      return nil
    }
    let headerLength = Int(cursor.uint8(12) >> 4) * 4
    guard headerLength >= 20, headerLength <= cursor.wireRemaining else {
      problem = .malformed(.tcpDataOffset)
      return nil
    }
    var segment = TCPSegment(
      source: cursor.source, destination: cursor.destination, sourcePort: cursor.uint16(0),
      destinationPort: cursor.uint16(2), sequence: cursor.uint32(4),
      acknowledgement: cursor.uint32(8), flags: TCPFlags(rawValue: cursor.uint8(13)),
      window: cursor.uint16(14), windowScale: TCPSegment.noScale,
      wireLength: cursor.wireRemaining - headerLength)
    if segment.flags.contains(.syn) {
      segment.windowScale = windowScale(cursor, headerLength)
    }
    cursor.skip(headerLength)
    return segment
  }

  /// Walks the options of a SYN: kind, length, value; 0 ends them, 1 fills up.
  private static func windowScale(_ cursor: borrowing PacketCursor, _ headerLength: Int) -> UInt8 {
    var at = 20
    while at < headerLength, cursor.has(at + 1) {
      let kind = cursor.uint8(at)
      if kind == 0 { break }
      if kind == 1 {
        at += 1
        continue
      }
      guard cursor.has(at + 2) else { break }
      let length = Int(cursor.uint8(at + 1))
      guard length >= 2 else { break }
      if kind == 3, length == 3, cursor.has(at + 3) { return min(14, cursor.uint8(at + 2)) }
      at += length
    }
    return TCPSegment.noScale
  }
}
