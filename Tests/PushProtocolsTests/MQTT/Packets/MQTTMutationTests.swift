import PushProtocols
import Testing
import Wire

/// A small generator of known sequence; the bench's own lives in a layer above.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

@Suite struct MQTTMutationTests {
  private static let versions: [MQTTVersion] = [.unknown, .v3_1, .v3_1_1, .v5]

  /// Changes, inserts, removes or cuts a few bytes, mostly behind the fixed header.
  private func mutate(_ bytes: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let at = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
      let byte = UInt8.random(in: 0...255, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0 where !bytes.isEmpty: bytes[at] = byte
      case 1 where !bytes.isEmpty: bytes[at] ^= 1 << (byte & 7)
      case 2 where !bytes.isEmpty: bytes.remove(at: at)
      case 3: bytes.insert(byte, at: at)
      case 4: bytes.removeLast(min(bytes.count, Int(byte & 3)))
      default: break
      }
    }
    // Most mutants get their length put right, or nothing behind it would ever be reached.
    if bytes.count > 2, bytes.count < 130, Bool.random(using: &random) {
      bytes[1] = UInt8(bytes.count - 2)
    }
    return bytes
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func `no packet makes the decoder trap, and what it accepts it can write`(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var read = 0
    for round in 0..<4_000 {
      let original = packetVectors[round % packetVectors.count]
      let bytes = mutate(original.bytes, &random)
      for version in Self.versions {
        let direction: Direction? = [nil, .toServer, .toClient][round % 3]
        guard
          let decoded = try? MQTTPacket.decode(bytes, version: version, direction: direction)
        else { continue }
        read += 1
        guard decoded.violations.isEmpty, decoded.version != .unknown else { continue }
        // What breaks no rule survives being written and read again.
        let written = decoded.packet.encode(version: decoded.version)
        let again = try? MQTTPacket.decode(
          written, version: decoded.version, direction: direction)
        #expect(again?.packet == decoded.packet, "\(bytes)")
        #expect(written.count <= bytes.count, "canonical is shortest: \(bytes)")
      }
    }
    #expect(read > 1_000)
  }

  @Test(arguments: 0..<4 as Range<UInt64>)
  func `no stream makes the framer trap or lose count`(seed: UInt64) {
    var random = SplitMix(seed: 100 + seed)
    for _ in 0..<300 {
      let picks = (0..<6).map { _ in packetVectors.randomElement(using: &random)!.bytes }
      let bytes = mutate(Array(picks.joined()), &random)
      var framer = MQTTFramer(maximumPacketSize: 64)
      var index = 0
      var lastEnd: UInt64 = 0
      while index < bytes.count {
        let count = Int.random(in: 1...min(9, bytes.count - index), using: &random)
        let chunk = Array(bytes[index..<index + count])
        index += count
        do {
          try framer.read(chunk) { frame, span in
            #expect(frame.start >= lastEnd && span.byteCount == frame.length)
            #expect(span.byteCount > 1)
            lastEnd = frame.end
          }
        } catch {
          if Bool.random(using: &random) {
            _ = framer.skipOversizedPacket()
          } else {
            _ = framer.resynchronise(version: .unknown, direction: nil)
          }
        }
        #expect(framer.offset == UInt64(index))
        #expect(framer.pendingStart <= framer.offset)
      }
    }
  }

  @Test func `random bytes don't trap the detection`() {
    var random = SplitMix(seed: 42)
    for _ in 0..<5_000 {
      let count = Int.random(in: 0..<40, using: &random)
      var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      if count > 8, Bool.random(using: &random) { bytes.replaceSubrange(0..<2, with: [0x10, 12]) }
      let verdict = unsafe MQTTDetection.judge(bytes.span.bytes, direction: nil)
      #expect(count > 0 || verdict == .undecided)
    }
  }
}
