/// The packet that nearly all packets are: Ethernet, IPv4 without options or fragments, TCP without
/// SYN, all of it captured.
///
/// One look at the length instead of one for each field. Whatever is different in any way is left
/// to the layers, which read these packets the same.
enum PlainFrame {
  private static let ethernet = 14
  private static let ip = 20

  /// The segment, and where its payload begins; the payload has all of its `wireLength`.
  @inline(__always)
  static func decode(_ bytes: RawSpan) -> (segment: TCPSegment, payload: Int)? {
    guard bytes.byteCount >= ethernet + ip + 20 else { return nil }
    // All offsets below are less than 54. No fragment; protocol TCP; no SYN.
    guard isPlainIPv4(bytes), uint16(bytes, 20) & 0x3FFF == 0, uint8(bytes, 23) == 6,
      uint8(bytes, 47) & TCPFlags.syn.rawValue == 0
    else { return nil }
    let length = Int(uint16(bytes, 16))
    let headers = ip + Int(uint8(bytes, 46) >> 4) * 4
    guard headers >= ip + 20, headers <= length, ethernet + length <= bytes.byteCount else {
      return nil
    }
    let segment = TCPSegment(
      source: source(bytes), destination: destination(bytes),
      sourcePort: uint16(bytes, sourcePort), destinationPort: uint16(bytes, destinationPort),
      sequence: uint32(bytes, 38), acknowledgement: uint32(bytes, 42),
      flags: TCPFlags(rawValue: uint8(bytes, 47)), window: uint16(bytes, 48),
      windowScale: TCPSegment.noScale, wireLength: length - headers)
    return (segment, ethernet + headers)
  }

  // MARK: Fields, whose bytes the caller has made sure of

  private static let sourcePort = 34
  private static let destinationPort = 36

  /// EtherType IPv4; version 4 with a header of five words.
  @inline(__always)
  private static func isPlainIPv4(_ bytes: RawSpan) -> Bool {
    uint16(bytes, 12) == 0x0800 && uint8(bytes, 14) == 0x45
  }

  @inline(__always)
  private static func source(_ bytes: RawSpan) -> IPAddress {
    IPAddress(high: 0, low: UInt64(uint32(bytes, 26)), isIPv6: false)
  }

  @inline(__always)
  private static func destination(_ bytes: RawSpan) -> IPAddress {
    IPAddress(high: 0, low: UInt64(uint32(bytes, 30)), isIPv6: false)
  }

  @inline(__always)
  private static func uint8(_ bytes: RawSpan, _ at: Int) -> UInt8 {
    unsafe bytes.unsafeLoad(fromByteOffset: at, as: UInt8.self)
  }

  @inline(__always)
  private static func uint16(_ bytes: RawSpan, _ at: Int) -> UInt16 {
    unsafe UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt16.self))
  }

  @inline(__always)
  private static func uint32(_ bytes: RawSpan, _ at: Int) -> UInt32 {
    unsafe UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
  }
}
