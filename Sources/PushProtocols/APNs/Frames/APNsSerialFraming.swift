/// Serial framing: `command:u8 length:u32be item*`, and `item := tag:u8 length:u16be value`.
public enum APNsSerialFraming {
  public static let headerLength = 5
  /// Longer frames are of no use to anybody: the largest payload is 15360 bytes, and a chain of
  /// certificates is not much longer.
  public static let longestFrame: UInt32 = 1 << 20

  /// The whole length of the frame that begins the bytes; `nil` when its header is not complete.
  ///
  /// - Throws: when no reader would wait for so much.
  static func length(_ bytes: ArraySlice<UInt8>) throws(APNsViolation) -> Int? {
    guard bytes.count >= headerLength else { return nil }
    let length = bytes.dropFirst().prefix(4).reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    if length > longestFrame {
      throw .frameTooLong(APNsCommand(bytes[bytes.startIndex]), UInt64(length))
    }
    return headerLength + Int(length)
  }

  /// - Parameter bytes: one whole frame, with its header.
  public static func decode(_ bytes: ArraySlice<UInt8>) -> APNsDecodedFrame {
    precondition(bytes.count >= headerLength, "no header")
    var decoded = APNsDecodedFrame(
      APNsFrame(APNsCommand(bytes[bytes.startIndex])), length: bytes.count)
    let command = decoded.frame.command
    var at = bytes.startIndex + headerLength
    while at < bytes.endIndex {
      let left = bytes.endIndex - at - 3
      if left < 0 {
        decoded.violations.append(.trailingBytes(command, bytes.endIndex - at))
        break
      }
      let tag = bytes[at]
      let length = Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
      if length > left {
        decoded.violations.append(.itemOverrun(command, tag: tag, length: length, left: left))
        break
      }
      if let expected = command.width(of: tag), expected != length {
        decoded.violations.append(
          .wrongWidth(command, tag: tag, length: length, expected: expected))
      }
      decoded.frame.items.append(
        APNsItem(.tag(tag), .bytes(Array(bytes[(at + 3)..<(at + 3 + length)]))))
      at += 3 + length
    }
    decoded.frame.rest = Array(bytes[at...])
    return decoded
  }

  /// Numbers get the width that their item has; those without one as few bytes as they need.
  ///
  /// - Returns: `nil` for what this framing can't say: keys of several bytes, numbers below zero or
  ///   too wide for their item, arrays, dictionaries, items of more than 65,535 bytes.
  public static func encode(_ frame: APNsFrame) -> [UInt8]? {
    var body: [UInt8] = []
    for item in frame.items {
      guard case .tag(let tag) = item.key,
        let value = bytes(item.value, width: frame.command.width(of: tag)),
        let length = UInt16(exactly: value.count)
      else { return nil }
      body.append(tag)
      body += [UInt8(length >> 8), UInt8(truncatingIfNeeded: length)]
      body += value
    }
    body += frame.rest
    guard body.count <= Int(longestFrame) else { return nil }
    let length = UInt32(body.count)
    return [frame.command.rawValue] + bigEndian(UInt64(length), width: 4) + body
  }

  private static func bytes(_ value: APNsValue, width: Int?) -> [UInt8]? {
    switch value {
    case .bytes(let bytes), .text(let bytes): return bytes
    case .flag(let flag): return [flag ? 1 : 0]
    case .integer(let number):
      guard let number = UInt64(exactly: number) else { return nil }
      let needed = max(1, (64 - number.leadingZeroBitCount + 7) / 8)
      if let width, width < needed { return nil }
      return bigEndian(number, width: width ?? needed)
    case .array, .dictionary: return nil
    }
  }

  static func bigEndian(_ number: UInt64, width: Int) -> [UInt8] {
    (0..<width).reversed().map { $0 < 8 ? UInt8(truncatingIfNeeded: number >> (8 * $0)) : 0 }
  }

  /// Whether the bytes are frames and nothing else, each as good as any real one: how a reader
  /// that came late finds its place.
  static func isChain(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard APNsCommand(rest[rest.startIndex]).isKnown, let length = try? length(rest),
        length <= rest.count, decode(rest.prefix(length)).violations.isEmpty
      else { return false }
      rest = rest.dropFirst(length)
    }
    return !bytes.isEmpty
  }
}
