import Timeline
import Wire

/// The packet that nearly all packets are: Ethernet, IPv4 without options or fragments, TCP without
/// SYN, all of it captured.
///
/// One look at the length instead of one for each field. Whatever is different in any way is left
/// to the layers, which read these packets the same.
enum PlainFrame {
  private static let ethernet = 14
  private static let ip = 20

  /// - Returns: what the frame says; its time is the caller's to fill in.
  @inline(__always)
  static func decode(_ bytes: UnsafeRawBufferPointer) -> PlainPacket? {
    guard bytes.count >= ethernet + ip + 20, let start = bytes.baseAddress else {
      return nil
    }
    // All offsets below are less than 54. EtherType IPv4, version 4 with a header of five words; no
    // fragment, protocol TCP; no SYN.
    guard unsafe uint32(start, 12) & 0xFFFF_FF00 == 0x0800_4500,
      unsafe uint32(start, 20) & 0x3FFF_00FF == 0x0000_0006
    else { return nil }
    let control = unsafe uint32(start, 46)
    let flags = TCPFlags(rawValue: UInt8(truncatingIfNeeded: control >> 16))
    let length = Int(unsafe uint16(start, 16))
    let headers = ip + Int(control >> 28) * 4
    guard !flags.contains(.syn), headers >= ip + 20, headers <= length,
      ethernet + length <= bytes.count
    else { return nil }
    let (flow, fromFirst) = unsafe PlainFlow.of(
      source: uint32(start, 26), destination: uint32(start, 30), ports: uint32(start, 34))
    return unsafe PlainPacket(
      flow: flow, payload: start + (ethernet &+ headers), sequence: uint32(start, 38),
      acknowledgement: uint32(start, 42),
      wireLength: UInt16(truncatingIfNeeded: length &- headers),
      window: UInt16(truncatingIfNeeded: control), flags: flags, fromFirst: fromFirst)
  }

  @inline(__always)
  private static func uint16(_ bytes: UnsafeRawPointer, _ at: Int) -> UInt16 {
    unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt16.self))
  }

  @inline(__always)
  private static func uint32(_ bytes: UnsafeRawPointer, _ at: Int) -> UInt32 {
    unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
  }
}

/// A plain frame's segment. Small: several are looked at before the first of them is taken.
@safe struct PlainPacket: BitwiseCopyable {
  var flow = PlainFlow.none
  private var start: UnsafeRawPointer?
  var sequence: UInt32 = 0
  var acknowledgement: UInt32 = 0
  var wireLength: UInt16 = 0
  /// As sent: not scaled.
  var window: UInt16 = 0
  var flags = TCPFlags()
  /// The sender is the flow's first end.
  var fromFirst = false
  var time = Instant.start
  /// Of the flow, in the table that is asked for it.
  var hash: UInt32 = 0

  init() { unsafe start = nil }

  /// - Parameter payload: all `wireLength` bytes of it are there.
  @inline(__always)
  init(
    flow: PlainFlow, payload: UnsafeRawPointer?, sequence: UInt32, acknowledgement: UInt32,
    wireLength: UInt16, window: UInt16, flags: TCPFlags, fromFirst: Bool
  ) {
    self.flow = flow
    unsafe start = payload
    self.sequence = sequence
    self.acknowledgement = acknowledgement
    self.wireLength = wireLength
    self.window = window
    self.flags = flags
    self.fromFirst = fromFirst
  }

  /// Borrowed from the container.
  @inline(__always)
  var payload: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: start, count: Int(wireLength))
  }

  /// An acknowledgement, maybe with bytes, and nothing that changes the connection.
  @inline(__always)
  var isPlain: Bool { flags.intersection([.fin, .syn, .rst, .ack]) == .ack && window > 0 }
}

extension TCPSegment {
  init(_ packet: PlainPacket) {
    let (source, destination) = packet.flow.ends(fromFirst: packet.fromFirst)
    self.init(
      source: IPAddress(high: 0, low: source.address, isIPv6: false),
      destination: IPAddress(high: 0, low: destination.address, isIPv6: false),
      sourcePort: source.port, destinationPort: destination.port, sequence: packet.sequence,
      acknowledgement: packet.acknowledgement, flags: packet.flags, window: packet.window,
      windowScale: TCPSegment.noScale, wireLength: Int(packet.wireLength))
  }
}
