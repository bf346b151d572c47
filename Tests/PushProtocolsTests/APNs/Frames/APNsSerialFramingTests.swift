import Testing

@testable import PushProtocols

@Suite struct APNsSerialFramingTests {
  @Test(arguments: APNsVectors.serial)
  func `a frame is written as computed by hand`(_ vector: APNsVectors.Vector) {
    #expect(APNsSerialFraming.encode(vector.frame) == vector.bytes)
  }

  @Test(arguments: APNsVectors.serial)
  func `what is written is read again`(_ vector: APNsVectors.Vector) {
    let decoded = APNsSerialFraming.decode(vector.bytes[...])
    #expect(decoded.violations.isEmpty)
    #expect(decoded.length == vector.bytes.count)
    #expect(decoded.frame.command == vector.frame.command)
    for item in vector.frame.items {
      guard case .tag(let tag) = item.key else { continue }
      if case .integer(let number) = item.value {
        #expect(decoded.frame.number(tag) == UInt64(number))
      } else {
        #expect(decoded.frame.bytes(tag) == item.value.content)
      }
    }
    #expect(APNsSerialFraming.encode(decoded.frame) == vector.bytes)
  }

  @Test func `unknown commands and tags are kept, and tags may repeat`() {
    let frame = APNsFrame(
      APNsCommand(0x1F),
      [
        APNsItem(200, .bytes([1, 2])), APNsItem(200, .bytes([])), APNsItem(7, .bytes([3])),
      ])
    let bytes = APNsSerialFraming.encode(frame)!
    let decoded = APNsSerialFraming.decode(bytes[...])
    #expect(decoded.frame == frame)
    #expect(decoded.violations.isEmpty)
    #expect(decoded.frame.all(200).count == 2)
  }

  @Test func `an item that reaches behind the end of its frame ends it, and nothing is lost`() {
    let bytes: [UInt8] = [0x0B, 0, 0, 0, 8, 8, 0, 1, 0, 4, 0, 9, 1]
    let decoded = APNsSerialFraming.decode(bytes[...])
    #expect(
      decoded.violations == [.itemOverrun(.ack, tag: 4, length: 9, left: 1)])
    #expect(decoded.frame.items == [APNsItem(8, .bytes([0]))])
    #expect(decoded.frame.rest == [4, 0, 9, 1])
    #expect(APNsSerialFraming.encode(decoded.frame) == bytes)
  }

  @Test(arguments: [[UInt8(9)], [9, 9]])
  func `bytes behind the last item are told and kept`(_ rest: [UInt8]) {
    let bytes: [UInt8] = [0x0B, 0, 0, 0, UInt8(4 + rest.count), 8, 0, 1, 0] + rest
    let decoded = APNsSerialFraming.decode(bytes[...])
    #expect(decoded.violations == [.trailingBytes(.ack, rest.count)])
    #expect(APNsSerialFraming.encode(decoded.frame) == bytes)
  }

  @Test func `a message identifier of two bytes is told`() {
    let decoded = APNsSerialFraming.decode([0x0B, 0, 0, 0, 5, 4, 0, 2, 0, 7])
    #expect(decoded.violations == [.wrongWidth(.ack, tag: 4, length: 2, expected: 4)])
    #expect(decoded.frame.number(4) == 7)
  }

  @Test func `what serial framing can't say is refused`() {
    #expect(APNsSerialFraming.encode(APNsFrame(.ack, [APNsItem(4, .integer(-2))])) == nil)
    #expect(APNsSerialFraming.encode(APNsFrame(.ack, [APNsItem(8, .integer(256))])) == nil)
    #expect(APNsSerialFraming.encode(APNsFrame(.ack, [APNsItem(8, .array([]))])) == nil)
    let long = APNsItem(3, .bytes([UInt8](repeating: 0, count: 65_536)))
    #expect(APNsSerialFraming.encode(APNsFrame(.notification, [long])) == nil)
  }

  @Test func `a frame of four gigabytes is not waited for`() throws {
    var framer = APNsFramer(.serial, tableLimit: 0, startingAt: 0)
    #expect(throws: APNsViolation.frameTooLong(.ack, 0xFFFF_FFFF)) {
      try framer.read([0x0B, 0xFF, 0xFF, 0xFF, 0xFF], at: 0) { _, _ in }
    }
    #expect(framer.pendingBytes == 0)
  }

  @Test func `frames come out whole however their bytes were cut`() throws {
    let bytes = APNsVectors.serial.flatMap(\.bytes)
    for size in [1, 2, 3, 7, bytes.count] {
      var framer = APNsFramer(.serial, tableLimit: 0, startingAt: 0)
      var frames: [APNsFrame] = []
      var ends: [UInt64] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        let piece = Array(bytes[start..<min(start + size, bytes.count)])
        try framer.read(piece, at: UInt64(start)) {
          frames.append($0.frame)
          ends.append($1)
        }
      }
      #expect(frames == APNsVectors.serial.map(\.frame.withoutTypes))
      #expect(ends.last == UInt64(bytes.count))
      #expect(framer.pendingBytes == 0)
    }
  }

  @Test func `behind a hole the next segment of whole frames is read`() throws {
    var framer = APNsFramer(.serial, tableLimit: 0, startingAt: 0)
    var frames: [APNsFrame] = []
    try framer.read([0x0B, 0, 0], at: 0) { frame, _ in frames.append(frame.frame) }
    framer.miss(upTo: 100)
    // The middle of a frame, and then whole ones.
    try framer.read([4, 4, 4, 4, 4, 4], at: 100) { frame, _ in frames.append(frame.frame) }
    #expect(frames.isEmpty)
    try framer.read([0x0D, 0, 0, 0, 0, 0x0C, 0, 0, 0, 0], at: 106) { decoded, end in
      frames.append(decoded.frame)
      #expect(end == (frames.count == 1 ? 111 : 116))
    }
    #expect(frames.map(\.command) == [.keepAliveResponse, .keepAlive])
  }
}

@Suite struct APNsTopicTests {
  @Test func `topics are the SHA-1 of their names`() {
    #expect(
      APNsTopic(named: "com.apple.madrid").description
        == "e4e6d952954168d0a5db02dbaf27cc35fc18d159")
    #expect(
      APNsTopic(named: "com.example.app").description
        == "a003f1da17993ee51f2b3ceef6c6153afa8f3ec2")
    // FIPS 180-4's own examples: of 3 and of 56 bytes, where the length needs a block of its own.
    #expect(
      APNsTopic(named: "abc").description == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(
      APNsTopic(named: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").description
        == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
  }

  @Test func `topics whose names somebody said are called by them`() {
    let names = APNsTopicNames(["com.example.app"])
    #expect(names.text(APNsTopic(named: "com.example.app")) == "com.example.app")
    #expect(names.text(APNsTopic(named: "com.apple.madrid")) == "com.apple.madrid")
    #expect(
      names.text(APNsTopic(named: "abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d")
  }

  @Test func `the name of the protocol says how frames are written`() {
    #expect(APNsFraming(applicationProtocol: "apns-security-v3") == .serial)
    #expect(APNsFraming(applicationProtocol: "apns-pack-v1") == .usualPacked)
    #expect(
      APNsFraming(applicationProtocol: "apns-pack-v1:2048:8192")
        == .packed(toServer: 2048, toClient: 8192))
    #expect(APNsFraming(applicationProtocol: "apns-pack-v1:x:1") == .usualPacked)
    #expect(APNsFraming(applicationProtocol: "h2") == nil)
  }
}
