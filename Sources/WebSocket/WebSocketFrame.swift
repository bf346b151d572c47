/// The head of a frame (RFC 6455 §5.2).
struct WebSocketFrame: Equatable {
  enum Kind: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10
  }

  /// The most bytes that a head has.
  static let longestHead = 14

  var isFinal: Bool
  /// RSV1 to RSV3, RSV1 being the highest bit.
  var reserved: UInt8
  var opcode: UInt8
  /// `nil` when nothing masks it.
  var mask: UInt32?
  /// Bytes of payload.
  var length: UInt64
  /// Bytes of the head itself.
  var headLength: Int
  /// The length is written with more bytes than it needs.
  var isLengthPadded: Bool

  /// `nil` for an opcode that nobody has defined.
  var kind: Kind? { Kind(rawValue: opcode) }
  var isControl: Bool { opcode >= 8 }

  enum Reading: Equatable {
    case frame(WebSocketFrame)
    /// So many bytes are needed to say more.
    case needs(Int)
    /// A length of more than 63 bits: nothing behind it can be found.
    case impossible
  }

  static func read(_ bytes: some RandomAccessCollection<UInt8>) -> Reading {
    var position = bytes.startIndex
    func number(_ count: Int) -> UInt64 {
      var value: UInt64 = 0
      for _ in 0..<count {
        value = value << 8 | UInt64(bytes[position])
        position = bytes.index(after: position)
      }
      return value
    }
    guard bytes.count >= 2 else { return .needs(2) }
    let first = UInt8(number(1))
    let second = UInt8(number(1))
    let extra = second & 0x7f == 126 ? 2 : second & 0x7f == 127 ? 8 : 0
    let isMasked = second & 0x80 != 0
    let size = 2 + extra + (isMasked ? 4 : 0)
    guard bytes.count >= size else { return .needs(size) }
    let length = extra == 0 ? UInt64(second & 0x7f) : number(extra)
    guard length >> 63 == 0 else { return .impossible }
    return .frame(
      WebSocketFrame(
        isFinal: first & 0x80 != 0, reserved: first >> 4 & 7, opcode: first & 0xf,
        mask: isMasked ? UInt32(number(4)) : nil, length: length, headLength: size,
        isLengthPadded: extra == 2 && length < 126 || extra == 8 && length < 1 << 16))
  }

  /// Takes the mask off payload that begins `position` bytes into the frame.
  func unmask(_ payload: inout [UInt8], at position: UInt64) {
    guard let mask else { return }
    for index in payload.indices {
      let turn = (position &+ UInt64(index)) & 3
      payload[index] ^= UInt8(truncatingIfNeeded: mask >> UInt32(24 - 8 * turn))
    }
  }

  /// Whether bytes are whole frames that could come this way, one behind the other, to their end.
  static func isChain(_ bytes: [UInt8], isToServer: Bool) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard case .frame(let frame) = read(rest), frame.kind != nil, frame.reserved & 3 == 0,
        !frame.isLengthPadded, (frame.mask != nil) == isToServer,
        !frame.isControl || frame.isFinal && frame.length <= 125,
        frame.length <= UInt64(rest.count - frame.headLength)
      else { return false }
      rest = rest.dropFirst(frame.headLength + Int(frame.length))
    }
    return true
  }
}
