/// The packet that nearly all packets are: Ethernet, IPv4 without options or fragments, TCP without
/// SYN, all of it captured.
///
/// One look at the length instead of one for each field. Whatever is different in any way is left
/// to the layers, which read these packets the same.
enum PlainFrame {
  private static let ethernet = 14
  private static let ip = 20

  /// Bytes that tell whose packet it is.
  static let opening = ethernet + ip + 4

  /// Whose packet it seems to be, by its first `opening` bytes.
  @inline(__always)
  static func key(_ bytes: UnsafeRawBufferPointer) -> FlowKey? {
    func number<Word: FixedWidthInteger & BitwiseCopyable>(_ at: Int, _ type: Word.Type) -> Word {
      unsafe Word(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: type))
    }
    guard bytes.count >= opening, number(12, UInt16.self) == 0x0800,
      number(14, UInt8.self) == 0x45
    else { return nil }
    return FlowKey.of(
      IPAddress(high: 0, low: UInt64(number(26, UInt32.self)), isIPv6: false),
      IPAddress(high: 0, low: UInt64(number(30, UInt32.self)), isIPv6: false),
      number(34, UInt16.self), number(36, UInt16.self)
    ).key
  }

  /// The segment, and where its payload begins; the payload has all of its `wireLength`.
  @inline(__always)
  static func decode(_ bytes: RawSpan) -> (segment: TCPSegment, payload: Int)? {
    guard bytes.byteCount >= ethernet + ip + 20 else { return nil }
    // All offsets below are less than 54.
    func uint8(_ at: Int) -> UInt8 { unsafe bytes.unsafeLoad(fromByteOffset: at, as: UInt8.self) }
    func uint16(_ at: Int) -> UInt16 {
      unsafe UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt16.self))
    }
    func uint32(_ at: Int) -> UInt32 {
      unsafe UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
    }
    // EtherType IPv4; version 4 with a header of five words; no fragment; protocol TCP; no SYN.
    guard uint16(12) == 0x0800, uint8(14) == 0x45, uint16(20) & 0x3FFF == 0, uint8(23) == 6,
      uint8(47) & TCPFlags.syn.rawValue == 0
    else { return nil }
    let length = Int(uint16(16))
    let headers = ip + Int(uint8(46) >> 4) * 4
    guard headers >= ip + 20, headers <= length, ethernet + length <= bytes.byteCount else {
      return nil
    }
    let segment = TCPSegment(
      source: IPAddress(high: 0, low: UInt64(uint32(26)), isIPv6: false),
      destination: IPAddress(high: 0, low: UInt64(uint32(30)), isIPv6: false),
      sourcePort: uint16(34), destinationPort: uint16(36), sequence: uint32(38),
      acknowledgement: uint32(42), flags: TCPFlags(rawValue: uint8(47)), window: uint16(48),
      windowScale: TCPSegment.noScale, wireLength: length - headers)
    return (segment, ethernet + headers)
  }
}
