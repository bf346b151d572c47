import Simulation

/// Changes an input as a careless or a malicious writer would.
enum Mutation {
  /// Lengths and counts that readers stumble over.
  private static let numbers: [UInt8] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF]

  static func mutate(_ input: [UInt8], _ other: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = input
    for _ in 0...random.below(4) where !bytes.isEmpty {
      let at = random.below(bytes.count)
      let length = min(1 + random.below(16), bytes.count - at)
      switch random.below(7) {
      case 0: bytes[at] ^= 1 << UInt8(random.below(8))
      case 1: bytes[at] = numbers[random.below(numbers.count)]
      case 2: bytes[at] = UInt8(random.below(256))
      case 3: bytes.removeSubrange(at..<at + length)
      case 4: bytes.insert(contentsOf: Array(bytes[at..<at + length]), at: at)
      case 5: bytes.removeLast(bytes.count - at)
      default:
        // Goes on as another one from about here.
        bytes.removeLast(bytes.count - at)
        bytes += other.dropFirst(min(at, other.count))
      }
    }
    return bytes
  }
}
