public import Wire

/// A Decryption Secrets Block of a pcapng file (draft-ietf-opsawg-pcapng §4.7).
public enum DecryptionSecretsBlock {
  public static let blockType: UInt32 = 0x0000_000a

  /// `TLSK`: the secrets are a key log.
  private static let tlsKeyLog: UInt32 = 0x544c_534b

  /// The key log inside of a block, or `nil` when its secrets are not those of TLS.
  ///
  /// - Parameters:
  ///   - block: the whole block, from its type to its second total length.
  ///   - littleEndian: byte order of the section (its header's magic 1A2B3C4D says which).
  public static func keyLog(in block: [UInt8], littleEndian: Bool) throws(DecodeError) -> [UInt8]? {
    var reader = unsafe ByteReader(block.span.bytes)
    let type = try reader.number("block type", littleEndian)
    guard type == blockType else {
      throw DecodeError(offset: 0, expected: "a Decryption Secrets Block (type 10), not \(type)")
    }
    let total = try reader.number("block total length", littleEndian)
    guard total == UInt32(block.count) else {
      throw DecodeError(offset: 4, expected: "block total length \(block.count), not \(total)")
    }
    let kind = try reader.number("secrets type", littleEndian)
    let length = try reader.number("secrets length", littleEndian)
    guard Int(length) <= reader.remaining - 4 else {
      throw DecodeError(offset: 12, expected: "secrets inside of the block, not \(length) bytes")
    }
    let secrets = try reader.readBytes(Int(length), "secrets")
    return kind == tlsKeyLog ? secrets : nil
  }

  /// The key logs of all such blocks at the top of a pcapng file, or anywhere in it.
  ///
  /// Stops where the file is no pcapng, ends, or is damaged. Blocks of other types are passed over
  /// without reading them.
  /// - Parameter read: returns up to so many bytes at an offset of the file; fewer at its end.
  public static func keyLogs(
    inFile read: (_ offset: UInt64, _ count: Int) -> [UInt8]
  ) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var offset: UInt64 = 0
    var isLittleEndian = true
    while true {
      let head = read(offset, 12)
      guard head.count == 12 else { return found }
      func number(_ at: Int) -> UInt32 {
        let bytes = head[at..<at + 4]
        return (isLittleEndian ? Array(bytes.reversed()) : Array(bytes)).reduce(0) {
          $0 << 8 | UInt32($1)
        }
      }
      if head[0..<4] == [0x0a, 0x0d, 0x0d, 0x0a] {
        if head[8..<12] == [0x4d, 0x3c, 0x2b, 0x1a] {
          isLittleEndian = true
        } else if head[8..<12] == [0x1a, 0x2b, 0x3c, 0x4d] {
          isLittleEndian = false
        } else {
          return found
        }
      } else if offset == 0 {
        return found
      }
      let length = number(4)
      guard length >= 12, length % 4 == 0 else { return found }
      if number(0) == blockType, length <= largestBlock {
        let block = read(offset, Int(length))
        if let log = try? keyLog(in: block, littleEndian: isLittleEndian) { found.append(log) }
      }
      offset += UInt64(length)
    }
  }

  /// 64 MiB of secrets are those of some 100,000 connections.
  private static let largestBlock: UInt32 = 64 << 20
}

extension ByteReader {
  fileprivate mutating func number(
    _ what: StaticString, _ isLittleEndian: Bool
  ) throws(DecodeError) -> UInt32 {
    let value = try readUInt32(what)
    return isLittleEndian ? value.byteSwapped : value
  }
}
