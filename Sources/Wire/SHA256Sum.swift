/// SHA-256 (FIPS 180-4), for naming captures and the files that are taken out of them: nothing
/// depends on its secrecy, and layers without a cryptographic library need it.
public struct SHA256Sum: Sendable {
  private var state = SIMD8<UInt32>(
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab,
    0x5be0_cd19)
  /// Fewer bytes than a block has.
  private var rest: [UInt8] = []
  private var length: UInt64 = 0

  public init() {}

  public mutating func update(_ bytes: some Sequence<UInt8>) {
    let array = Array(bytes)
    unsafe array.withUnsafeBytes { unsafe update($0.bytes) }
  }

  public mutating func update(_ bytes: RawSpan) {
    length &+= UInt64(bytes.byteCount)
    var at = 0
    if !rest.isEmpty {
      at = min(64 - rest.count, bytes.byteCount)
      for index in 0..<at {
        rest.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
      }
      if rest.count < 64 { return }
      let block = rest
      rest.removeAll(keepingCapacity: true)
      unsafe compress(block.span.bytes, 0)
    }
    while bytes.byteCount - at >= 64 {
      compress(bytes, at)
      at += 64
    }
    for index in at..<bytes.byteCount {
      rest.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self))
    }
  }

  /// Lower-case hexadecimal digits.
  public mutating func finish() -> String {
    let bits = length &* 8
    let zeros = (119 - rest.count) % 64
    update([0x80] + [UInt8](repeating: 0, count: zeros))
    update((0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) })
    return state.indices.map { index in
      let digits = String(state[index], radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
  }

  /// One block of 64 bytes, which are there.
  private mutating func compress(_ bytes: RawSpan, _ start: Int) {
    var words = InlineArray<64, UInt32>(repeating: 0)
    for index in 0..<16 {
      words[index] = unsafe UInt32(
        bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start + index * 4, as: UInt32.self))
    }
    for index in 16..<64 {
      let (a, b) = (words[index - 15], words[index - 2])
      let s0 = a.rotated(7) ^ a.rotated(18) ^ a >> 3
      let s1 = b.rotated(17) ^ b.rotated(19) ^ b >> 10
      words[index] = words[index - 16] &+ s0 &+ words[index - 7] &+ s1
    }
    let constants = Self.constants
    var (a, b, c, d) = (state[0], state[1], state[2], state[3])
    var (e, f, g, h) = (state[4], state[5], state[6], state[7])
    for index in 0..<64 {
      let s1 = e.rotated(6) ^ e.rotated(11) ^ e.rotated(25)
      let first = h &+ s1 &+ (e & f ^ ~e & g) &+ constants[index] &+ words[index]
      let s0 = a.rotated(2) ^ a.rotated(13) ^ a.rotated(22)
      let second = s0 &+ (a & b ^ a & c ^ b & c)
      (h, g, f, e) = (g, f, e, d &+ first)
      (d, c, b, a) = (c, b, a, first &+ second)
    }
    state = state &+ SIMD8(a, b, c, d, e, f, g, h)
  }

  /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = {
    var primes: [UInt64] = []
    var candidate: UInt64 = 2
    while primes.count < 64 {
      if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
      candidate += 1
    }
    return primes.map { prime in
      // The cube root of prime × 2^96, in whole numbers: its low 32 bits are the fraction.
      var low: UInt64 = 0
      var high: UInt64 = 1 << 36
      while low + 1 < high {
        let middle = (low + high) / 2
        let square = middle.multipliedFullWidth(by: middle)
        let isTooLarge = exceeds(square, middle, prime)
        if isTooLarge { high = middle } else { low = middle }
      }
      return UInt32(truncatingIfNeeded: low)
    }
  }()

  /// Whether square × factor > prime × 2^96.
  private static func exceeds(
    _ square: (high: UInt64, low: UInt64), _ factor: UInt64, _ prime: UInt64
  ) -> Bool {
    let low = square.low.multipliedFullWidth(by: factor)
    let high = square.high.multipliedFullWidth(by: factor)
    let (middle, carry) = low.high.addingReportingOverflow(high.low)
    let top = high.high + (carry ? 1 : 0)
    let bound = prime << 32
    return top > 0 || middle > bound || (middle == bound && low.low > 0)
  }
}

extension UInt32 {
  fileprivate func rotated(_ count: UInt32) -> UInt32 { self >> count | self << (32 - count) }
}
