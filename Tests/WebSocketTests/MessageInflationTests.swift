import Testing
import Wire

@testable import WebSocket

@Suite struct MessageInflationTests {
  /// DEFLATE with fixed codes (RFC 1951 §3.2.6): a zero, then copies of the byte before, 258 at a
  /// time.
  private func zeros(_ copies: Int) -> [UInt8] {
    var bits: [UInt8] = [0, 1, 0] + [0, 0, 1, 1, 0, 0, 0, 0]
    for _ in 0..<copies { bits += [1, 1, 0, 0, 0, 1, 0, 1] + [0, 0, 0, 0, 0] }
    // The block's end, and the beginning of an empty stored one.
    bits += [0, 0, 0, 0, 0, 0, 0] + [0, 0, 0]
    while bits.count % 8 != 0 { bits.append(0) }
    return stride(from: 0, to: bits.count, by: 8).map { at in
      (0..<8).reduce(0) { $0 | bits[at + $1] << UInt8($1) }
    }
  }

  @Test func `a message is inflated, and zeros without end are not`() throws {
    var inflation = try #require(MessageInflation("permessage-deflate", .toServer))
    #expect(inflation.inflate(zeros(2)) == [UInt8](repeating: 0, count: 517))
    let large = zeros(16_000)  // 4 MB of 26 KB.
    let results = (0..<8).map { _ in inflation.inflate(large)?.count }
    #expect(results.first == 4_128_001)
    #expect(results.last == .some(nil))
    let sum = results.compactMap(\.self).reduce(0, +)
    #expect(sum < MessageInflation.longestMessage + 8 * 64 * (large.count + 4))
  }
}
