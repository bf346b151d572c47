import Simulation
import Testing

@testable import PushProtocols

@Suite struct APNsPackedFramingTests {
  private func decodeAll(
    _ bytes: [UInt8], limit: Int = 4096, pieces: Int = .max
  ) throws -> [APNsDecodedFrame] {
    var framer = APNsFramer(.usualPacked, tableLimit: limit, startingAt: 0)
    var frames: [APNsDecodedFrame] = []
    var start = 0
    while start < bytes.count {
      let end = min(start + min(pieces, bytes.count), bytes.count)
      try framer.read(Array(bytes[start..<end]), at: UInt64(start)) { frame, _ in
        frames.append(frame)
      }
      start = end
    }
    return frames
  }

  @Test func `frames are written as computed by hand, one after the other`() {
    var encoder = APNsPackedEncoder()
    for vector in APNsVectors.packed {
      #expect(encoder.encode(vector.frame) == vector.bytes, "\(vector.testDescription)")
    }
  }

  @Test func `what is written is read again`() throws {
    let bytes = APNsVectors.packed.flatMap(\.bytes)
    for pieces in [1, 5, Int.max] {
      let decoded = try decodeAll(bytes, pieces: pieces)
      #expect(decoded.map(\.frame) == APNsVectors.packed.map(\.frame))
      #expect(decoded.allSatisfy { $0.violations.isEmpty && !$0.isUnreadable })
    }
  }

  @Test(arguments: [
    (6, 62, "3e"), (6, 63, "3f 00"), (6, 64, "3f 01"), (6, 190, "3f 7f"), (6, 191, "3f 80 01"),
    (8, 254, "fe"), (8, 255, "ff 00"), (8, 256, "ff 01"), (8, 382, "ff 7f"),
    (8, 383, "ff 80 01"),
  ])
  func `prefix integers`(_ bits: Int, _ value: UInt64, _ text: String) throws {
    let bytes = APNsVectors.bytes(text)
    #expect(APNsPrefixInteger.encode(value, bits: bits) == bytes)
    let decoded = try #require(try APNsPrefixInteger.decode(bytes[...], bits: bits))
    #expect(decoded == (value, bytes.count))
    #expect(try APNsPrefixInteger.decode(bytes.dropLast(), bits: bits) == nil)
  }

  @Test(arguments: [
    (APNsValue.integer(31), "9f"), (.integer(32), "a0 20"), (.integer(255), "a0 ff"),
    (.integer(65_536), "a2 01 00 00"), (.integer(-1), "a8 01"),
    (.integer(Int128(Int64.max)), "a7 7f ff ff ff ff ff ff ff"), (.flag(true), "e1"),
    (.flag(false), "e0"), (.array([]), "d0"),
  ])
  func `values`(_ value: APNsValue, _ text: String) throws {
    var encoder = APNsPackedEncoder()
    let bytes = encoder.encode(APNsFrame(.ack, [APNsItem(1, value)]))
    let encoded = APNsVectors.bytes(text)
    #expect(bytes == [0x0B, UInt8(encoded.count + 1), 0x01] + encoded)
    #expect(try decodeAll(bytes).map(\.frame.items) == [[APNsItem(1, value)]])
  }

  @Test func `long dictionaries, strings and keys`() throws {
    let items = (0..<15).map { APNsItem(.tag($0), .integer(0)) }
    let text = [UInt8](repeating: 0x61, count: 31)
    let key = APNsKey([UInt8](repeating: 0x62, count: 16))
    var encoder = APNsPackedEncoder()
    let frame = APNsFrame(
      .notification,
      [APNsItem(1, .dictionary(items)), APNsItem(2, .text(text)), APNsItem(key, .integer(1))])
    let bytes = encoder.encode(frame)
    #expect(bytes[3...].starts(with: [0xCF, 0x00]))
    #expect(bytes.contains([0x02, 0x5F, 0x00, 0x61]))
    #expect(bytes.contains([0x1F, 0x00, 0x62]))
    #expect(try decodeAll(bytes).map(\.frame) == [frame])
  }

  @Test func `random conversations come back as they were`() throws {
    for seed in 0..<200 as Range<UInt64> {
      var random = SeededRandom(seed: seed)
      let limit = [64, 200, 4096][Int(seed % 3)]
      var encoder = APNsPackedEncoder(limit: limit)
      let frames = (0..<40).map { _ in RandomFrames.frame(&random) }
      let bytes = frames.flatMap { encoder.encode($0) }
      #expect(try decodeAll(bytes, limit: limit, pieces: 11).map(\.frame) == frames)
    }
  }

  @Test func `the oldest entries make room`() throws {
    // Each entry costs 4 + 1 + 32: three of them fit into 111 bytes.
    func ack(_ byte: UInt8) -> APNsFrame {
      APNsFrame(.ack, [.stored(1, [byte, byte, byte, byte])])
    }
    var encoder = APNsPackedEncoder(limit: 111)
    var sizes: [Int] = []
    for byte in [1, 2, 3, 1, 4, 2, 1] as [UInt8] { sizes.append(encoder.encode(ack(byte)).count) }
    // 1 is referred to once; 4 throws it out, 2 is still there, and 1 has to be said again.
    #expect(sizes == [8, 8, 8, 4, 8, 4, 8])
  }

  @Test func `keys beyond the thirty-second make room too`() throws {
    var encoder = APNsPackedEncoder()
    let frames = (0..<40).map { APNsFrame(.ack, [APNsItem(.tag(100 + $0), .integer(0))]) }
    var bytes = frames.flatMap { encoder.encode($0) }
    let again = encoder.encode(frames[0])
    #expect(again.count == 5)
    let newest = encoder.encode(frames[39])
    #expect(newest == [0x0B, 2, 0x21, 0x80])
    bytes += again + newest
    #expect(try decodeAll(bytes).map(\.frame) == frames + [frames[0], frames[39]])
  }

  // MARK: Tables that differ

  @Test func `a reference to nothing is told, and nothing behind it is believed`() throws {
    let decoded = try decodeAll([0x0B, 2, 0x81, 0x00, 0x0C, 0x00])
    #expect(
      decoded[0].violations == [.missingEntry(.ack, .values, index: 0, count: 0)])
    #expect(decoded[0].isUnreadable)
    #expect(decoded[1].frame.command == .keepAlive)
    #expect(decoded[1].isUnreadable)
    #expect(decoded[1].violations.isEmpty)
  }

  @Test func `a lost frame leaves the tables one behind`() throws {
    var encoder = APNsPackedEncoder()
    let lost = encoder.encode(APNsFrame(.ack, [.stored(1, APNsVectors.token)]))
    let kept = encoder.encode(APNsFrame(.ack, [.stored(1, APNsVectors.token)]))
    #expect(lost.count > kept.count)
    let decoded = try decodeAll(kept)
    #expect(decoded[0].violations.map(\.rule) == ["apns-pack-tables"])
    #expect(decoded[0].violations[0].losesTables)
  }

  @Test func `an unknown key is told`() throws {
    let decoded = try decodeAll([0x0B, 2, 0x25, 0x80])
    #expect(decoded[0].violations == [.missingEntry(.ack, .keys, index: 5, count: 0)])
  }

  @Test(arguments: [
    ([0x0B, 1, 0x01], APNsViolation.attributeOverrun(.ack)),
    ([0x0B, 2, 0x01, 0x05], .attributeOverrun(.ack)),
    ([0x0B, 2, 0x01, 0xF0], .unknownValueType(.ack, 0xF0)),
    ([0x0B, 2, 0x01, 0x60], .unknownValueType(.ack, 0x60)),
    ([0x0B, 2, 0x01, 0xE2], .unknownValueType(.ack, 0xE2)),
    ([0x0B, 2, 0xC1, 0x00], .contradictoryKey(.ack, 0xC1)),
    ([0x0B, 7, 0x01, 0x3F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .prefixIntegerTooLong),
    ([0x0B, 41, 0x01] + [UInt8](repeating: 0xD1, count: 40), .nestedTooDeeply(.ack)),
  ])
  func `bytes that mean nothing`(_ bytes: [UInt8], _ violation: APNsViolation) throws {
    let decoded = try decodeAll(bytes)
    #expect(decoded.map(\.violations) == [[violation]])
    #expect(decoded[0].isUnreadable)
  }

  @Test func `a long frame is not waited for`() {
    var framer = APNsFramer(.usualPacked, tableLimit: 4096, startingAt: 0)
    #expect(throws: APNsViolation.frameTooLong(.ack, 0x800_00FE)) {
      try framer.read([0x0B, 0xFF, 0xFF, 0xFF, 0xFF, 0x3F], at: 0) { _, _ in }
    }
  }

  @Test func `an array of references to an array of references stays small`() throws {
    // Each stored dictionary has two references to the one before it: 2^n values after n of them.
    var bytes: [UInt8] = [0x0A, 3, 0x41, 0x01, 0x00]
    for _ in 0..<24 { bytes += [0x0A, 6, 0x41, 0xC2, 0x81, 0x00, 0x82, 0x00] }
    let decoded = try decodeAll(bytes)
    #expect(decoded.contains { $0.violations == [.tooManyValues(.notification)] })
    #expect(decoded.allSatisfy { $0.frame.items.reduce(0) { $0 + $1.value.weight } <= 1024 })
  }

  @Test func `an entry larger than the table is told and kept`() throws {
    var encoder = APNsPackedEncoder(limit: 64)
    let frame = APNsFrame(.ack, [.stored(1, [UInt8](repeating: 7, count: 100))])
    let bytes = encoder.encode(frame) + encoder.encode(frame)
    let decoded = try decodeAll(bytes, limit: 64)
    #expect(decoded.map(\.frame) == [frame, frame])
    #expect(
      decoded[0].violations == [.entryLargerThanTable(.ack, length: 102, limit: 64)])
    #expect(decoded[1].violations.isEmpty)
  }
}

extension [UInt8] {
  fileprivate func contains(_ other: [UInt8]) -> Bool {
    indices.contains { self[$0...].starts(with: other) }
  }
}

/// Frames that no real program writes, of everything that packed framing can say.
enum RandomFrames {
  static func frame(_ random: inout SeededRandom) -> APNsFrame {
    let items = (0..<Int.random(in: 0...6, using: &random)).map { _ in item(&random, 0) }
    return APNsFrame(APNsCommand(UInt8.random(in: 7...0x22, using: &random)), items)
  }

  static func item(_ random: inout SeededRandom, _ depth: Int) -> APNsItem {
    let key: APNsKey =
      Bool.random(using: &random)
      ? .tag(UInt8.random(in: 0...40, using: &random))
      : APNsKey(bytes(&random, 1...20))
    return APNsItem(
      key, value(&random, depth), isStored: Int.random(in: 0...2, using: &random) == 0)
  }

  private static func value(_ random: inout SeededRandom, _ depth: Int) -> APNsValue {
    switch Int.random(in: 0...(depth > 3 ? 4 : 6), using: &random) {
    case 0: return .bytes(bytes(&random, 0...70))
    case 1: return .text(bytes(&random, 0...40))
    case 2: return .integer(Int128(Int64.random(in: -70...70, using: &random)))
    case 3: return .integer(Int128(Int64.random(in: .min ... .max, using: &random)))
    case 4: return .flag(Bool.random(using: &random))
    case 5:
      return .array(
        (0..<Int.random(in: 0...3, using: &random)).map { _ in value(&random, depth + 1) })
    case _:
      return .dictionary(
        (0..<Int.random(in: 0...3, using: &random)).map { _ in item(&random, depth + 1) })
    }
  }

  /// Of few different bytes, so that values come again.
  private static func bytes(_ random: inout SeededRandom, _ counts: ClosedRange<Int>) -> [UInt8] {
    let count = Int.random(in: counts, using: &random)
    let byte = UInt8.random(in: 0...3, using: &random)
    return [UInt8](repeating: byte, count: count)
  }
}
