internal import Timeline
internal import Wire

/// Writes packets as a pcapng file (draft-ietf-opsawg-pcapng), with comments and secrets.
///
/// Times are written in nanoseconds, which is what they are read as. Interfaces come as the first
/// of their packets does.
public final class PcapngWriter {
  private var output: FileOutput
  private var interfaces: [CapturedPacket.Interface] = []
  public private(set) var packets: UInt64 = 0

  /// - Parameter path: of a file that is not there yet.
  public init(creating path: String) throws(OutputError) {
    output = try FileOutput(creating: path)
    var section = Block(0x0A0D_0D0A)
    section.append(UInt32(0x1A2B_3C4D))
    section.append(UInt16(1))
    section.append(UInt16(0))
    section.append(UInt64.max)  // The section's length is not told.
    section.appendOption(4, Array("PushBench".utf8))  // shb_userappl
    section.endOptions()
    try output.write(section.finished())
  }

  /// To be written before the packets that need it.
  ///
  /// - Parameter keyLog: lines of a TLS key log.
  public func write(keyLog: String) throws(OutputError) {
    let bytes = Array(keyLog.utf8)
    var secrets = Block(10)
    secrets.append(UInt32(0x544C_534B))  // TLSK
    secrets.append(UInt32(bytes.count))
    secrets.appendPadded(bytes)
    try output.write(secrets.finished())
  }

  /// - Parameter comments: in front of those that the packet has already.
  public func write(
    _ packet: CapturedPacket, comments: [String] = []
  ) throws(OutputError) {
    let number = try number(of: packet.interface)
    var block = Block(6)
    let time = packet.moment.time.nanoseconds
    block.append(UInt32(number))
    block.append(UInt32(time >> 32))
    block.append(UInt32(truncatingIfNeeded: time))
    unsafe block.append(UInt32(packet.bytes.count))
    block.append(UInt32(clamping: packet.wireLength))
    unsafe block.appendPadded(packet.bytes)
    let all = comments + packet.comments
    for comment in all { block.appendOption(1, Array(comment.utf8.prefix(65_535))) }
    if !all.isEmpty { block.endOptions() }
    try output.write(block.finished())
    packets += 1
  }

  private func number(
    of interface: CapturedPacket.Interface
  ) throws(OutputError) -> Int {
    if let known = interfaces.lastIndex(of: interface) { return known }
    interfaces.append(interface)
    var block = Block(1)
    block.append(UInt16(truncatingIfNeeded: interface.linkType))
    block.append(UInt16(0))
    // 0: no limit.
    block.append(UInt32(interface.snapLength >= 1 << 26 ? 0 : interface.snapLength))
    if !interface.name.isEmpty { block.appendOption(2, Array(interface.name.utf8)) }
    block.appendOption(9, [9])  // if_tsresol: nanoseconds
    block.endOptions()
    try output.write(block.finished())
    return interfaces.count - 1
  }

  /// What was written is in the file afterwards.
  public func flush() throws(OutputError) { try output.flush() }

  /// A block that is being put together, little endian.
  private struct Block {
    private var bytes: [UInt8] = []

    init(_ type: UInt32) {
      append(type)
      append(UInt32(0))  // The length, which is not known yet.
    }

    mutating func append(_ value: some FixedWidthInteger & UnsignedInteger) {
      for shift in stride(from: 0, to: value.bitWidth, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value >> shift))
      }
    }

    mutating func appendPadded(_ more: UnsafeRawBufferPointer) {
      unsafe bytes.append(contentsOf: more)
      pad()
    }

    mutating func appendPadded(_ more: [UInt8]) {
      bytes += more
      pad()
    }

    private mutating func pad() {
      while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func appendOption(_ code: UInt16, _ value: [UInt8]) {
      append(code)
      append(UInt16(value.count))
      appendPadded(value)
    }

    mutating func endOptions() { append(UInt32(0)) }

    /// With its length at both ends.
    consuming func finished() -> [UInt8] {
      let length = UInt32(bytes.count + 4)
      for index in 0..<4 {
        bytes[4 + index] = UInt8(truncatingIfNeeded: length >> UInt32(8 * index))
      }
      append(length)
      return bytes
    }
  }
}
