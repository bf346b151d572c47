import PushProtocols

/// The two framings of the courier protocol.
enum APNsTargets {
  /// One direction in serial framing: what is read and written again is what was there.
  static func readSerial(_ input: [UInt8]) throws(FuzzFinding) {
    let whole = read(input, .serial, chunk: .max)
    try compare(whole, read(input, .serial, chunk: 1))
    var written: [UInt8] = []
    for decoded in whole.frames {
      guard let bytes = APNsSerialFraming.encode(decoded.frame) else {
        throw FuzzFinding("\(decoded.frame) can't be written again")
      }
      if bytes.count != decoded.length {
        throw FuzzFinding("\(decoded.length) bytes become \(bytes.count)")
      }
      written += bytes
    }
    if !input.starts(with: written) { throw FuzzFinding("other bytes are written again") }
    if !whole.isBroken, input.count != written.count + whole.waiting {
      throw FuzzFinding("\(input.count) bytes: \(written.count) read, \(whole.waiting) wait")
    }
  }

  /// One direction in packed framing: what is read, written and read again is the same, and then
  /// the bytes are too. The first byte says how large the tables are.
  static func readPacked(_ input: [UInt8]) throws(FuzzFinding) {
    let limit = Int(input.first ?? 0) << 5
    let framing = APNsFraming.packed(toServer: limit, toClient: limit)
    let bytes = Array(input.dropFirst())
    let whole = read(bytes, framing, limit, chunk: .max)
    try compare(whole, read(bytes, framing, limit, chunk: 1))
    let frames = whole.frames.filter { !$0.isUnreadable }.map(\.frame)
    let (once, size) = write(frames, limit)
    // Written by us, a frame may be longer than any that we read.
    if size > bytes.count * 64 { return }
    let again = read(once, framing, limit, chunk: .max)
    if again.frames.map(\.frame) != frames { throw FuzzFinding("other frames are read again") }
    if write(again.frames.map(\.frame), limit).bytes != once {
      throw FuzzFinding("written once more, the bytes differ")
    }
  }

  private static func write(_ frames: [APNsFrame], _ limit: Int) -> (bytes: [UInt8], size: Int) {
    var encoder = APNsPackedEncoder(limit: limit)
    var bytes: [UInt8] = []
    for frame in frames { bytes += encoder.encode(frame) }
    return (bytes, bytes.count)
  }

  private struct Reading: Equatable {
    var frames: [APNsDecodedFrame] = []
    var ends: [UInt64] = []
    var violation: APNsViolation?
    var waiting = 0
    var isBroken: Bool { violation != nil }
  }

  private static func read(
    _ bytes: [UInt8], _ framing: APNsFraming, _ limit: Int = 0, chunk: Int
  ) -> Reading {
    var framer = APNsFramer(framing, tableLimit: limit, startingAt: 0)
    var reading = Reading()
    var at = 0
    while at < bytes.count, reading.violation == nil {
      let end = at + min(chunk, bytes.count - at)
      do {
        try framer.read(Array(bytes[at..<end]), at: UInt64(at)) {
          reading.frames.append($0)
          reading.ends.append($1)
        }
      } catch {
        reading.violation = error
      }
      at = end
    }
    reading.waiting = framer.pendingBytes
    return reading
  }

  private static func compare(_ whole: Reading, _ pieces: Reading) throws(FuzzFinding) {
    if whole != pieces { throw FuzzFinding("one by one, bytes mean \(pieces), else \(whole)") }
    if whole.ends != whole.ends.sorted() { throw FuzzFinding("frames end before they begin") }
    for decoded in whole.frames where decoded.violations.count > decoded.length {
      throw FuzzFinding("\(decoded.violations.count) violations in \(decoded.length) bytes")
    }
  }

  // MARK: Seeds

  /// A device's frames and a courier's, of every kind.
  private static let frames: [APNsFrame] = {
    let token = [UInt8](repeating: 0x11, count: 32)
    let topic = APNsTopic(named: "com.example.app").hash
    let payload = APNsValue.dictionary([
      APNsItem(APNsKey(Array("aps".utf8)), .dictionary([APNsItem(0x61, .flag(true))])),
      APNsItem(APNsKey(Array("list".utf8)), .array([.integer(-2), .text([0x68, 0x69])])),
      .stored(APNsKey(Array("sT".utf8)), [1, 2, 3]),
    ])
    let ack = APNsFrame(
      .ack, [.stored(1, token), APNsItem(4, .integer(5)), APNsItem(8, .integer(0))])
    return [
      APNsFrame(.connect, [APNsItem(2, .integer(1)), APNsItem(16, .integer(9))]),
      APNsFrame(.connectResponse, [APNsItem(1, .integer(0)), .stored(3, token)]),
      APNsFrame(.filter, [.stored(1, token), .stored(2, topic), .stored(2, token)]),
      APNsFrame(
        .notification,
        [
          .stored(1, token), .stored(2, topic), APNsItem(3, payload),
          APNsItem(4, .integer(0x7FFF_FFFF)), APNsItem(28, .integer(2)),
        ]),
      ack, APNsFrame(.keepAlive, [APNsItem(5, .text(Array("15".utf8)))]), ack,
      APNsFrame(APNsCommand(0x1F), [APNsItem(200, .bytes([UInt8](repeating: 7, count: 300)))]),
    ]
  }()

  static let serialSeeds: [[UInt8]] = {
    let written = frames.compactMap { APNsSerialFraming.encode($0) }
    return written + [written.flatMap { $0 }]
  }()

  static let packedSeeds: [[UInt8]] = [0x80, 0x03, 0].map { size in
    [size] + write(frames, Int(size) << 5).bytes
  }
}
