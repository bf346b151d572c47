/// The only generator: xoshiro256**, seeded through splitmix64 (Blackman, Vigna 2018).
///
/// Its own bounded draw is used everywhere, since the standard library does not promise that
/// `random(in:using:)` gives the same numbers in another toolchain.
@frozen
public struct SeededRandom: RandomNumberGenerator, Sendable {
  @usableFromInline var state: (UInt64, UInt64, UInt64, UInt64)

  @inlinable public init(seed: UInt64) {
    var mixer = seed
    func splitmix(_ mixer: inout UInt64) -> UInt64 {
      mixer &+= 0x9e37_79b9_7f4a_7c15
      var z = mixer
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
    state = (splitmix(&mixer), splitmix(&mixer), splitmix(&mixer), splitmix(&mixer))
  }

  @inlinable public mutating func next() -> UInt64 {
    let (s0, s1, s2, s3) = state
    let product = s1 &* 5
    let result = ((product << 7) | (product >> 57)) &* 9
    let t2 = s2 ^ s0
    let t3 = s3 ^ s1
    state = (s0 ^ t3, s1 ^ t2, t2 ^ (s1 << 17), (t3 << 45) | (t3 >> 19))
    return result
  }

  /// A generator of its own for one purpose, so that draws for one don't disturb another.
  @inlinable public mutating func split() -> SeededRandom { SeededRandom(seed: next()) }

  /// Uniform in `0..<bound` (Lemire 2019, without the rejection: the bias is below 2^-32 here).
  @inlinable public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "below(\(bound))")
    return Int((next() >> 32).multipliedFullWidth(by: UInt64(bound) << 32).high)
  }

  /// `true` in `numerator` of `denominator` draws.
  @inlinable public mutating func chance(_ numerator: Int, in denominator: Int) -> Bool {
    below(denominator) < numerator
  }
}
