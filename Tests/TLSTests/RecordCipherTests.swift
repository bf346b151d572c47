import Testing

@testable import TLS

@Suite struct RecordCipherTests {
  private let hello = Array("hello-from-client".utf8)

  /// Opens a whole record.
  private func open(
    _ cipher: RecordCipher, _ record: [UInt8], sequence: UInt64
  ) throws -> [UInt8]? {
    var cipher = cipher
    let header = try #require(RecordHeader(record.prefix(5)))
    return cipher.open(header, Array(record.dropFirst(5)), sequence: sequence)
  }

  @Test func `AES-GCM of TLS 1.2 takes its nonce from the record`() throws {
    let suite = CipherSuite(0xc02f)
    let side = KeySchedule12.KeyBlock.Side(
      macKey: [], key: bytes("219937a45f034dcd1c9bbc8e82b89dd6"), iv: bytes("8c9000e0"))
    let cipher = try #require(
      RecordCipher.before13(suite, side, version: ProtocolVersion.tls12, encryptThenMAC: false))
    let record = bytes(
      """
      1703030029 f61a721d7354d713
      d11f632e67ba44eed074c9b63426593eab6251a4200142386509b0ff1451349151
      """)
    #expect(try open(cipher, record, sequence: 1) == hello)
    #expect(try open(cipher, record, sequence: 2) == nil)
  }

  @Test func `ChaCha20-Poly1305 of TLS 1.2 takes its nonce from the sequence number`() throws {
    let suite = CipherSuite(0xcca8)
    let block = KeySchedule12.keyBlock(
      master: bytes(
        """
        2b438fbb537899df71dc739ea29d46d9ea10236284a66f109e8e04815c0c8e1d
        c75d386801ed0014e203b9c323c920bb
        """),
      clientRandom: bytes("b695a03016a5ad64be9ae4acee7ededa0818def4801b34f497c6ceac3beb1e36"),
      serverRandom: bytes("ff7fdafb44359d9bfdf4dd78cb6d66ff23382886e5c11a45a7c6cced93d4980e"),
      hash: .sha256, version: ProtocolVersion.tls12, macLength: 0, keyLength: 32, ivLength: 12)
    #expect(
      block.client.key
        == bytes("b7180f2b5002ec819872432b749a1afb08d8f2662ddbd02842e1257f2341d38b"))
    #expect(block.server.iv == bytes("1156e9f6fb3606587bc4ddc5"))
    let cipher = try #require(
      RecordCipher.before13(
        suite, block.client, version: ProtocolVersion.tls12, encryptThenMAC: false))
    let record = bytes(
      "1703030021 e44ea796f3797838f026a258a011d033b6b149b861cb45e7980d0e21e3e5319f4d")
    #expect(try open(cipher, record, sequence: 1) == hello)
    #expect(try open(cipher, record, sequence: 0) == nil)
  }

  @Test func `AES-256-GCM of TLS 1.3 hides the content type`() throws {
    let secret = bytes(
      """
      d41e06c37f607a9c548e6bde683bd1e1a5efadbec44eb5eda3d21db2e5febf91
      ec654c1bd4dd7958fa839b560875abd7
      """)
    let cipher = try #require(RecordCipher.tls13(CipherSuite(0x1302), secret: secret))
    let record = bytes(
      "1703030022 0db4959b4c7c26fb0197926f88bd79d110a23cf3d8625e6c00809515a11e8e7ea576")
    #expect(try open(cipher, record, sequence: 0) == hello + [23])
    var changed = record
    changed[20] ^= 1
    #expect(try open(cipher, changed, sequence: 0) == nil)
  }

  /// RFC 3610 has no vectors for the 12-byte nonce of RFC 6655; these are of OpenSSL.
  @Test func `AES-CCM opens what another implementation sealed`() throws {
    let key = bytes("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf")
    let nonce = bytes("00000003020100a0a1a2a3a4")
    let additional = [UInt8](0...7)
    for (tagLength, sealed) in CCMVectors.sealed {
      let cipher = try #require(
        AuthenticatedCipher(.ccm(keyLength: 16, tagLength: tagLength), key: key))
      let plain = cipher.open(bytes(sealed)[...], nonce: nonce, authenticating: additional)
      #expect(plain == [UInt8](8...30))
      #expect(cipher.open(bytes(sealed)[...], nonce: nonce, authenticating: []) == nil)
    }
  }

  @Test func `RC4 makes the key stream of its known vectors`() {
    var cipher = RC4(key: Array("Key".utf8))
    #expect(cipher.apply(to: Array("Plaintext".utf8)) == bytes("bbf316e8d940af0ad3"))
  }

  @Test func `Short records are refused, not read past their end`() throws {
    let secret = [UInt8](repeating: 7, count: 32)
    let numbers: [UInt16] = [0x1301, 0x1303, 0x1304, 0x1305, 0xc02f, 0xcca8, 0xc013, 0x0005, 0x003b]
    let ciphers = numbers.map { number -> RecordCipher? in
      let suite = CipherSuite(number)
      if suite.isTLS13 { return RecordCipher.tls13(suite, secret: secret) }
      guard let lengths = suite.protection?.lengths(ProtocolVersion.tls10) else { return nil }
      return RecordCipher.before13(
        suite,
        .init(
          macKey: [UInt8](repeating: 1, count: lengths.mac),
          key: [UInt8](repeating: 1, count: lengths.key),
          iv: [UInt8](repeating: 1, count: lengths.iv)),
        version: ProtocolVersion.tls10, encryptThenMAC: false)
    }
    for cipher in ciphers {
      var cipher = try #require(cipher)
      for length in 0...64 {
        let record = [23, 3, 3, 0, UInt8(length)] + [UInt8](repeating: 0, count: length)
        let header = try #require(RecordHeader(record.prefix(5)))
        #expect(cipher.open(header, Array(record.dropFirst(5)), sequence: .max) == nil)
      }
    }
  }
}
