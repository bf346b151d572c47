import Wire

/// The packet that nearly all packets are: Ethernet, IPv4 without options or fragments, TCP without
/// SYN, all of it captured.
///
/// One look at the length instead of one for each field. Whatever is different in any way is left
/// to the layers, which read these packets the same.
enum PlainFrame {
  private static let ethernet = 14
  private static let ip = 20

  @inline(__always)
  static func decode(_ bytes: RawSpan) -> PlainHeader? {
    guard bytes.byteCount >= ethernet + ip + 20 else { return nil }
    // All offsets below are less than 54. EtherType IPv4, version 4 with a header of five words; no
    // fragment, protocol TCP; no SYN.
    guard uint32(bytes, 12) & 0xFFFF_FF00 == 0x0800_4500,
      uint32(bytes, 20) & 0x3FFF_00FF == 0x0000_0006
    else { return nil }
    let control = uint32(bytes, 46)
    let flags = TCPFlags(rawValue: UInt8(truncatingIfNeeded: control >> 16))
    let length = Int(uint16(bytes, 16))
    let headers = ip + Int(control >> 28) * 4
    guard !flags.contains(.syn), headers >= ip + 20, headers <= length,
      ethernet + length <= bytes.byteCount
    else { return nil }
    return PlainHeader(
      source: uint32(bytes, 26), destination: uint32(bytes, 30), ports: uint32(bytes, 34),
      sequence: uint32(bytes, 38), acknowledgement: uint32(bytes, 42),
      window: UInt16(truncatingIfNeeded: control), flags: flags,
      payload: UInt8(truncatingIfNeeded: ethernet + headers),
      wireLength: UInt16(truncatingIfNeeded: length - headers))
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

/// What a plain frame says of its segment. Small: several are kept at a time.
struct PlainHeader: BitwiseCopyable {
  var source: UInt32 = 0
  var destination: UInt32 = 0
  /// The source's above the destination's.
  var ports: UInt32 = 0
  var sequence: UInt32 = 0
  var acknowledgement: UInt32 = 0
  /// As sent: not scaled.
  var window: UInt16 = 0
  var flags = TCPFlags()
  /// Where the payload begins in the frame. All `wireLength` bytes of it are there.
  var payload: UInt8 = 0
  var wireLength: UInt16 = 0

  /// An acknowledgement, maybe with bytes, and nothing that changes the connection.
  @inline(__always)
  var isPlain: Bool { flags.intersection([.fin, .syn, .rst, .ack]) == .ack && window > 0 }
}

extension TCPSegment {
  init(_ header: PlainHeader) {
    self.init(
      source: IPAddress(high: 0, low: UInt64(header.source), isIPv6: false),
      destination: IPAddress(high: 0, low: UInt64(header.destination), isIPv6: false),
      sourcePort: UInt16(truncatingIfNeeded: header.ports >> 16),
      destinationPort: UInt16(truncatingIfNeeded: header.ports), sequence: header.sequence,
      acknowledgement: header.acknowledgement, flags: header.flags, window: header.window,
      windowScale: TCPSegment.noScale, wireLength: Int(header.wireLength))
  }
}
