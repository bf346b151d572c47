import NIOCore
import NIOHPACK

/// Decodes the header blocks of one direction, by NIOHPACK, as long as none is missing.
struct HeaderBlocks {
  /// What a table may hold, whatever SETTINGS allow: a connection must not cost more.
  private static let largestTable = 1 << 16
  /// The length of a list of fields as RFC 9113 §6.5.2 counts it.
  private static let longestList = 1 << 14
  private static let usualTable = 4096

  private var decoder = HPACKDecoder(
    allocator: ByteBufferAllocator(), maxDynamicTableSize: usualTable,
    maxHeaderListSize: longestList)
  /// Why the table is not known any more; `nil` while it is.
  private(set) var obstacle: String?

  /// From now on the table is not known.
  mutating func lose(_ why: String) {
    if obstacle != nil { return }
    obstacle = why
    // It is of no use, and may be large.
    decoder = HPACKDecoder(allocator: ByteBufferAllocator(), maxDynamicTableSize: 0)
  }

  /// The reader of these blocks allows this much. The writer may use more room at once, and must
  /// not use less before it has said so itself, in a block.
  mutating func announce(tableSize: UInt32) {
    if obstacle != nil { return }
    let size = min(Int(tableSize), Self.largestTable)
    // Raising the limit leaves what the writer uses as it is.
    if size > decoder.maxDynamicTableLength { decoder.maxDynamicTableLength = size }
  }

  /// - Returns: the fields, and whether the block itself is at fault when there are none.
  mutating func decode(_ block: [UInt8]) -> (fields: HTTP2Fields, isFaulty: Bool) {
    if let obstacle { return (.unknown(obstacle), false) }
    var buffer = ByteBuffer(bytes: block)
    do {
      let headers = try decoder.decodeHeaders(from: &buffer)
      return (.known(headers.map { HTTP2Field($0.name, $0.value) }), false)
    } catch {
      let isTooLong = error is NIOHPACKErrors.MaxHeaderListSizeViolation
      lose(
        isTooLong
          ? "a header block is longer than \(Self.longestList) bytes"
          : "a header block can't be decoded (HPACK)")
      return (.unknown(obstacle ?? ""), !isTooLong)
    }
  }
}
