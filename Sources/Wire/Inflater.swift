/// Inflates a DEFLATE stream (RFC 1951) that comes in pieces, each flushed to a byte border.
///
/// TLS compression (RFC 3749) and WebSocket's permessage-deflate (RFC 7692) both send such pieces
/// and keep the window from one to the next. Output is bounded, because a few bytes can say a lot.
public struct Inflater: Sendable {
  public enum Failure: Error, Hashable, Sendable {
    /// Not DEFLATE.
    case malformed
    /// More than the limit would come out.
    case tooLong
  }

  private static let windowSize = 32 << 10

  /// What came out last, as far as it may be copied from.
  private var window: [UInt8] = []
  private var isOver = false

  public init() {}

  /// Forgets what came before (permessage-deflate without context takeover).
  public mutating func reset() { self = Inflater() }

  /// What comes next belongs to it though a last block was seen: WebSocket allows it (RFC 7692
  /// §7.2.3.5).
  public mutating func goOn() { isOver = false }

  /// - Parameters:
  ///   - piece: whole blocks, up to a border of bytes.
  ///   - limit: the most bytes that may come out.
  public mutating func inflate(
    _ piece: some Sequence<UInt8>, limit: Int
  ) throws(Failure) -> [UInt8] {
    var bits = BitReader(bytes: Array(piece))
    var output = window
    let start = output.count
    // A piece ends with an empty stored block, which leaves nothing, or with the last block.
    while !isOver, bits.bytesLeft > 0 {
      let isLast = try bits.read(1) == 1
      switch try bits.read(2) {
      case 0: try Self.copyStored(&bits, &output, start + limit)
      case 1: try Self.inflateBlock(&bits, .fixed, .fixedDistances, &output, start + limit)
      case 2:
        let (codes, distances) = try Self.readCodes(&bits)
        try Self.inflateBlock(&bits, codes, distances, &output, start + limit)
      default: throw .malformed
      }
      isOver = isLast
    }
    window = Array(output.suffix(Self.windowSize))
    return Array(output[start...])
  }

  private static func copyStored(
    _ bits: inout BitReader, _ output: inout [UInt8], _ end: Int
  ) throws(Failure) {
    bits.alignToByte()
    let length = try bits.read(16)
    guard try bits.read(16) == ~length & 0xffff else { throw .malformed }
    guard output.count + length <= end else { throw .tooLong }
    output += try bits.take(length)
  }

  /// RFC 1951 §3.2.5: what lengths and distances start at, and how many bits more they have.
  private static let lengths: [(base: Int, extra: Int)] =
    steps(from: 3, extras: [0, 0, 0, 0] + (4..<28).map { $0 / 4 - 1 }) + [(258, 0)]
  private static let distances: [(base: Int, extra: Int)] =
    steps(from: 1, extras: [0, 0, 0, 0] + (2..<28).map { $0 / 2 })

  private static func steps(from first: Int, extras: [Int]) -> [(base: Int, extra: Int)] {
    var base = first
    return extras.map { extra in
      defer { base += 1 << extra }
      return (base, extra)
    }
  }

  private static func inflateBlock(
    _ bits: inout BitReader, _ codes: PrefixCode, _ distanceCodes: PrefixCode,
    _ output: inout [UInt8], _ end: Int
  ) throws(Failure) {
    while true {
      let symbol = try codes.read(&bits)
      if symbol == 256 { return }
      if symbol < 256 {
        guard output.count < end else { throw .tooLong }
        output.append(UInt8(symbol))
        continue
      }
      guard symbol - 257 < lengths.count else { throw .malformed }
      let step = lengths[symbol - 257]
      let length = step.base + (try bits.read(step.extra))
      let distanceSymbol = try distanceCodes.read(&bits)
      guard distanceSymbol < distances.count else { throw .malformed }
      let far = distances[distanceSymbol]
      let distance = far.base + (try bits.read(far.extra))
      guard distance <= output.count else { throw .malformed }
      guard output.count + length <= end else { throw .tooLong }
      for _ in 0..<length { output.append(output[output.count - distance]) }
    }
  }

  /// The codes of a block with dynamic ones (RFC 1951 §3.2.7).
  private static func readCodes(
    _ bits: inout BitReader
  ) throws(Failure) -> (PrefixCode, PrefixCode) {
    let literals = try bits.read(5) + 257
    let distances = try bits.read(5) + 1
    let count = try bits.read(4) + 4
    let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
    var lengths = [UInt8](repeating: 0, count: 19)
    for index in order.prefix(count) { lengths[index] = UInt8(try bits.read(3)) }
    let lengthCode = try PrefixCode(lengths)
    var all: [UInt8] = []
    while all.count < literals + distances {
      let symbol = try lengthCode.read(&bits)
      switch symbol {
      case 0...15: all.append(UInt8(symbol))
      case 16:
        guard let last = all.last else { throw .malformed }
        all += [UInt8](repeating: last, count: 3 + (try bits.read(2)))
      case 17: all += [UInt8](repeating: 0, count: 3 + (try bits.read(3)))
      default: all += [UInt8](repeating: 0, count: 11 + (try bits.read(7)))
      }
    }
    guard all.count == literals + distances else { throw .malformed }
    return (try PrefixCode(Array(all[..<literals])), try PrefixCode(Array(all[literals...])))
  }
}

/// Bits, lowest first (RFC 1951 §3.1.1).
private struct BitReader {
  private let bytes: [UInt8]
  private var next = 0
  private var held = 0
  private var heldBits = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Whole bytes that nobody has read from.
  var bytesLeft: Int { bytes.count - next }

  mutating func read(_ count: Int) throws(Inflater.Failure) -> Int {
    while heldBits < count {
      guard next < bytes.count else { throw .malformed }
      held |= Int(bytes[next]) << heldBits
      next += 1
      heldBits += 8
    }
    defer {
      held >>= count
      heldBits -= count
    }
    return held & ((1 << count) - 1)
  }

  mutating func alignToByte() {
    held = 0
    heldBits = 0
  }

  mutating func take(_ count: Int) throws(Inflater.Failure) -> ArraySlice<UInt8> {
    guard count <= bytes.count - next else { throw .malformed }
    defer { next += count }
    return bytes[next..<next + count]
  }
}

/// A prefix code given by the lengths of its words (RFC 1951 §3.2.2).
private struct PrefixCode {
  static let fixed = PrefixCode(
    counted: [UInt8](repeating: 8, count: 144) + [UInt8](repeating: 9, count: 112)
      + [UInt8](repeating: 7, count: 24) + [UInt8](repeating: 8, count: 8))
  static let fixedDistances = PrefixCode(counted: [UInt8](repeating: 5, count: 30))

  private var counts = [Int](repeating: 0, count: 16)
  private var symbols: [Int] = []

  /// Lengths that leave words over are allowed; more words than bits can tell apart are not.
  init(_ lengths: [UInt8]) throws(Inflater.Failure) {
    self.init(counted: lengths)
    var left = 1
    for count in counts.dropFirst() {
      left = left * 2 - count
      guard left >= 0 else { throw .malformed }
    }
  }

  private init(counted lengths: [UInt8]) {
    for length in lengths { counts[Int(length)] += 1 }
    counts[0] = 0
    for length in 1...15 {
      symbols += lengths.indices.filter { lengths[$0] == UInt8(length) }
    }
  }

  func read(_ bits: inout BitReader) throws(Inflater.Failure) -> Int {
    var code = 0
    var first = 0
    var index = 0
    for count in counts.dropFirst() {
      code |= try bits.read(1)
      if code - count < first { return symbols[index + (code - first)] }
      index += count
      first = (first + count) << 1
      code <<= 1
    }
    throw .malformed
  }
}
