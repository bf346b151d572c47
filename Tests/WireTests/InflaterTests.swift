import Testing
import Wire

/// Pieces made with zlib: raw DEFLATE, each flushed with `Z_SYNC_FLUSH`.
@Suite struct InflaterTests {
  private let fixedPieces = [
    "2a282dce5028801349a979c9193a486c3013000000ffff",
    "42b0d065741412d31333f31412f352d05900000000ffff",
  ]

  private func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = hexadecimal.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map {
      UInt8(digits[$0] << 4 | digits[$0 + 1])
    }
  }

  @Test func `A piece may copy from the pieces before it`() throws {
    var inflater = Inflater()
    let first = try inflater.inflate(bytes(fixedPieces[0]), limit: 100)
    let second = try inflater.inflate(bytes(fixedPieces[1]), limit: 100)
    #expect(String(decoding: first, as: UTF8.self) == "push push push bench, push bench push")
    #expect(
      String(decoding: second, as: UTF8.self)
        == "bench push push bench push, again and again and again")
  }

  @Test func `Without what came before a copy is malformed`() throws {
    var inflater = Inflater()
    _ = try inflater.inflate(bytes(fixedPieces[0]), limit: 100)
    inflater.reset()
    #expect(throws: Inflater.Failure.malformed) {
      try inflater.inflate(bytes(fixedPieces[1]), limit: 100)
    }
  }

  @Test func `Blocks with codes of their own are read`() throws {
    let piece = bytes(
      """
      1490890dc030080357f108e187fd17eb556a85121c7f4fa6d4c95a5e8a569e3ab5267b4fe6cc4cb6
      200e08182fe69ec2133cafc1653237557eaa6935b8660ee7e17ed91fb8fbf1233397cdc9731506d5
      b9b24785547b685ef26cb4e3ba820217ed28e3b07eb51f8a0a73382ff7c7fe52fe80d82a2354ac1a
      e373085b086ddb5f706058151987d85b212b3e62ddb122c6b14a8899d8727705762b560d64d182db
      218a6d74b01168a06dfc4ee06c0a4064f191210f02fa6f013d333c7045106607f504a553c7609c66
      e7910572833868b18e2a9c308bc3a264da21323c4e0bb9f1010000ffff
      """)
    var inflater = Inflater()
    let text = (0..<120).map { String($0 * $0 % 977) }.joined(separator: " ")
    #expect(try inflater.inflate(piece, limit: 1000) == Array(text.utf8))
  }

  @Test func `Stored blocks are copied`() throws {
    var inflater = Inflater()
    let piece = bytes("000800f7ff6173206974206973000000ffff")
    #expect(try inflater.inflate(piece, limit: 8) == Array("as it is".utf8))
  }

  @Test func `No more comes out than the limit allows`() {
    var inflater = Inflater()
    #expect(throws: Inflater.Failure.tooLong) {
      try inflater.inflate(bytes(fixedPieces[0]), limit: 36)
    }
  }

  @Test func `Any damage ends in an answer`() {
    let good = bytes(fixedPieces[0])
    var answers = 0
    for index in good.indices {
      for bit in 0..<8 {
        var piece = good
        piece[index] ^= 1 << UInt8(bit)
        var inflater = Inflater()
        if (try? inflater.inflate(piece, limit: 1000))?.count ?? 0 <= 1000 { answers += 1 }
      }
    }
    #expect(answers == good.count * 8)
  }
}
