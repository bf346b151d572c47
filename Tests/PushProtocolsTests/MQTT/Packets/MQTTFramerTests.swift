import PushProtocols
import Testing
import Wire

/// A packet as a framer handed it out.
private struct Piece: Hashable {
  var start: UInt64
  var end: UInt64
  var bytes: [UInt8]
}

/// How a test feeds a framer.
enum Feed: CaseIterable { case appending, reading, mixed }

private func copy(_ span: RawSpan) -> [UInt8] {
  unsafe span.withUnsafeBytes { unsafe Array($0) }
}

private func drain(_ framer: inout MQTTFramer, into pieces: inout [Piece]) throws {
  while let frame = try framer.next() {
    let bytes = framer.withBytes(of: frame) { copy($0) }
    pieces.append(.init(start: frame.start, end: frame.end, bytes: bytes))
  }
}

private func frames(
  _ chunks: [[UInt8]], by feed: Feed, _ framer: inout MQTTFramer
) throws -> [Piece] {
  var pieces: [Piece] = []
  for (index, chunk) in chunks.enumerated() {
    if feed == .appending || (feed == .mixed && index.isMultiple(of: 2)) {
      framer.append(chunk)
      // A mixed caller leaves packets lying for the next `read`.
      if feed == .appending { try drain(&framer, into: &pieces) }
    } else {
      try framer.read(chunk) { frame, span in
        pieces.append(.init(start: frame.start, end: frame.end, bytes: copy(span)))
      }
    }
  }
  try drain(&framer, into: &pieces)
  return pieces
}

extension [UInt8] {
  fileprivate func cut(every size: Int) -> [[UInt8]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}

private let publishes: [[UInt8]] = [0, 1, 125, 126, 127, 128, 300, 20_000].map { size in
  MQTTPacket.publish(
    .init(topic: "a", payload: (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
  ).encode(version: .v3_1_1)
}
private let stream: [[UInt8]] = packetVectors.map(\.bytes) + publishes + [[0xc0, 0]]

@Suite struct MQTTFramerTests {
  /// The same bytes whole, in drips of one byte and cut anywhere give the same packets.
  @Test(arguments: [1, 2, 3, 5, 7, 16, 100, 1460, 65_536, 1_000_000])
  func `packets don't depend on how the stream was cut`(size: Int) throws {
    var expected: [Piece] = []
    for packet in stream {
      let start = expected.last?.end ?? 1_000
      expected.append(
        .init(start: start, end: start + UInt64(packet.count), bytes: packet))
    }
    for feed in Feed.allCases {
      var framer = MQTTFramer(startingAt: 1_000)
      let pieces = try frames(Array(stream.joined()).cut(every: size), by: feed, &framer)
      #expect(pieces == expected)
      #expect(framer.pendingBytes == 0)
      #expect(framer.offset == expected.last?.end)
    }
  }

  @Test func `a packet comes with its last byte and not before`() throws {
    var framer = MQTTFramer()
    framer.append([0x40, 2, 0])
    #expect(try framer.next() == nil)
    #expect(framer.pendingBytes == 3)
    framer.append([1])
    let frame = try #require(try framer.next())
    #expect(frame == MQTTFrame(start: 0, end: 4, firstByte: 0x40, headerLength: 2))
    #expect(frame.type == .puback)
    #expect(try framer.next() == nil)
  }

  /// The borders of the Remaining Length (§2.2.3, table 2.4).
  @Test(
    arguments: [
      (0, [0x00]), (127, [0x7f]), (128, [0x80, 0x01]), (16_383, [0xff, 0x7f]),
      (16_384, [0x80, 0x80, 0x01]), (2_097_151, [0xff, 0xff, 0x7f]),
      (2_097_152, [0x80, 0x80, 0x80, 0x01]),
    ] as [(Int, [UInt8])])
  func `lengths have their shortest form at each border`(length: Int, header: [UInt8]) throws {
    let bytes = [0x30] + header + [UInt8](repeating: 0x61, count: length)
    var framer = MQTTFramer()
    var seen: [MQTTFrame] = []
    try framer.read(bytes) { frame, _ in seen.append(frame) }
    #expect(seen.map(\.length) == [bytes.count])
    #expect(seen.first?.headerLength == header.count + 1)
    if length >= 3 {
      let topic = "a"
      let packet = MQTTPacket.publish(
        .init(topic: topic, payload: [UInt8](repeating: 0, count: length - 3)))
      #expect(Array(packet.encode(version: .v3_1_1)[1...header.count]) == header)
    }
  }

  @Test func `the longest packet of all is waited for without reserving memory`() throws {
    var framer = MQTTFramer()
    framer.append([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 0x61])
    #expect(try framer.next() == nil)
    #expect(framer.pendingBytes == 8)
  }

  @Test(arguments: Feed.allCases)
  func `a broken header is told again and again, with its stream offset`(
    feed: Feed
  ) throws {
    for broken in [[0x00, 0x00], [0x30, 0x80, 0x80, 0x80, 0x80, 0x01]] as [[UInt8]] {
      for size in [1, 3, 100] {
        var framer = MQTTFramer()
        var caught: [DecodeError] = []
        for chunk in ([0xc0, 0, 0xc0, 0] + broken).cut(every: size) + [[0xc0, 0]] {
          do {
            _ = try frames([chunk], by: feed, &framer)
          } catch let error as DecodeError {
            caught.append(error)
          }
        }
        let expected = broken[0] == 0 ? 4 : 5
        #expect(caught.count >= 2 && Set(caught).count == 1)
        #expect(caught.first?.offset == expected)
        #expect(caught.first?.rule == (broken[0] == 0 ? "§2.2.1" : "§2.2.3"))
      }
    }
  }

  @Test(arguments: [1, 4, 9, 64])
  func `a packet beyond the limit can be passed over`(size: Int) throws {
    let large = MQTTPacket.publish(.init(topic: "a", payload: .init(repeating: 1, count: 50)))
    let bytes = [0xc0, 0] + large.encode(version: .v3_1_1) + [0xd0, 0]
    var framer = MQTTFramer(maximumPacketSize: 20)
    var types: [MQTTPacketType?] = []
    var errors = 0
    for chunk in bytes.cut(every: size) {
      framer.append(chunk)
      var isDry = false
      while !isDry {
        do {
          let frame = try framer.next()
          isDry = frame == nil
          if let frame { types.append(frame.type) }
        } catch {
          errors += 1
          let isSkipped = framer.skipOversizedPacket()
          #expect(isSkipped)
        }
      }
    }
    #expect(types == [.pingreq, .pingresp])
    #expect(errors == 1)
    let isSkipped = framer.skipOversizedPacket()
    #expect(!isSkipped)
  }

  @Test func `after a gap nothing is handed out before a boundary is found`() throws {
    let tail = packetVectors.filter { $0.version == .v3_1_1 }.map(\.bytes).suffix(8)
    var framer = MQTTFramer()
    framer.append([0x30, 0x40, 0, 1, 0x61])
    #expect(try framer.next() == nil)
    framer.gap(of: 100)
    #expect(!framer.isSynchronised)
    // The rest of a payload that nobody saw begin.
    framer.append([0xff, 0x41, 0x41] + tail.joined())
    #expect(try framer.next() == nil)
    #expect(framer.resynchronise(version: .v3_1_1, direction: nil) == 108)
    var pieces: [Piece] = []
    try drain(&framer, into: &pieces)
    #expect(pieces.map(\.bytes) == Array(tail))
    #expect(pieces.first?.start == 108)
  }

  @Test func `text is no boundary`() {
    var framer = MQTTFramer()
    framer.gap(of: 1)
    framer.append(Array("GET / HTTP/1.1\r\nHost: 0@0@0@0@\r\n\r\n".utf8))
    #expect(framer.resynchronise(version: .unknown, direction: nil) == nil)
    #expect(!framer.isSynchronised)
  }

  @Test func `a caller who knows a boundary says so`() throws {
    var framer = MQTTFramer()
    framer.gap(of: 10)
    framer.append([0xc0, 0])
    framer.assumeBoundary()
    #expect(try framer.next() == MQTTFrame(start: 10, end: 12, firstByte: 0xc0, headerLength: 2))
  }

  @Test func `bytes that can't be used don't pile up`() {
    var framer = MQTTFramer()
    framer.gap(of: 1)
    let chunk = [UInt8](repeating: 0, count: 100_000)
    for _ in 0..<50 { framer.append(chunk) }
    #expect(framer.pendingBytes <= 256 * 1024)
    #expect(framer.offset == 5_000_001)
  }
}
