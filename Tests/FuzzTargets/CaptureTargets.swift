import Capture
import TLS
import Timeline
import Wire

/// What stands below connections: files, packets, the layers in them.
enum CaptureTargets {
  static func readFile(_ input: [UInt8]) throws(FuzzFinding) {
    try read(input, CaptureLimits(), into: ContractSink())
    // Finds the same blocks by its own way.
    _ = DecryptionSecretsBlock.keyLogs { offset, count in
      offset < UInt64(input.count) ? Array(input[Int(offset)...].prefix(count)) : []
    }
  }

  /// The first byte chooses the link type; then packets, with two bytes of length and one of what
  /// the snap length cut off before each.
  static func readPackets(_ input: [UInt8]) throws(FuzzFinding) {
    var cursor = InputCursor(input)
    let linkType = linkTypes[Int(cursor.uint8()) % linkTypes.count]
    var file = PcapWriter(linkType: linkType)
    var time: UInt64 = 0
    while !cursor.isAtEnd {
      let length = Int(cursor.uint16() & 0x7FF)
      let missing = Int(cursor.uint8())
      let bytes = cursor.take(length)
      time += 1000
      file.add(bytes, wireLength: bytes.count + missing * missing, nanoseconds: time)
    }
    try read(file.bytes, CaptureLimits(), into: ContractSink())
  }

  /// Those that can be read, and one that can't.
  static let linkTypes: [UInt32] = [
    1, 0, 9, 12, 50, 51, 101, 104, 105, 108, 113, 127, 129, 149, 192, 228, 229, 239, 258, 276, 147,
  ]

  /// - Parameter sink: told of all connections in the file.
  static func read(
    _ bytes: [UInt8], _ limits: CaptureLimits, into sink: ContractSink
  ) throws(FuzzFinding) {
    let scratch = ScratchFile(bytes)
    let summary: CaptureSummary
    do throws(CaptureError) {
      summary = try CaptureFile(path: scratch.path, limits: limits).read(into: sink)
    } catch {
      if error.description.isEmpty || error.remedy.isEmpty {
        throw FuzzFinding("an error without words")
      }
      return
    }
    withExtendedLifetime(scratch) {}
    try sink.conclude(budget: 64 + 16 * Int(summary.packets))
    let kept = summary.comments.reduce(0) { $0 + 32 + $1.text.utf8.count }
    // Bytes that are no UTF-8 become three each. A compressed file says what it likes.
    let isPlain = ![0x1F, 0x28].contains(bytes.first)
    if isPlain, summary.warnings.count > 1000 || kept > 64 + 32 * bytes.count {
      throw FuzzFinding("\(summary.warnings.count) warnings, \(kept) bytes of comments")
    }
  }
}

/// A pcap file with nanoseconds.
struct PcapWriter {
  private(set) var bytes: [UInt8]

  init(linkType: UInt32) {
    bytes = []
    for word in [0xA1B2_3C4D, 0x0004_0002, 0, 0, 262_144, linkType] { append(word) }
  }

  private mutating func append(_ word: UInt32) {
    for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(shift))) }
  }

  mutating func add(_ packet: [UInt8], wireLength: Int, nanoseconds: UInt64) {
    append(UInt32(truncatingIfNeeded: nanoseconds / 1_000_000_000))
    append(UInt32(nanoseconds % 1_000_000_000))
    append(UInt32(packet.count))
    append(UInt32(wireLength))
    bytes += packet
  }
}
