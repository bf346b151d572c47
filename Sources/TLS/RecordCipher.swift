/// Undoes the protection of the records of one direction under one set of keys.
enum RecordCipher {
  /// TLS 1.2 with an AEAD (RFC 5246 §6.2.3.3).
  case authenticated12(AuthenticatedCipher, iv: [UInt8], explicitNonceLength: Int)
  /// TLS 1.3 (RFC 8446 §5.2).
  case authenticated13(AuthenticatedCipher, iv: [UInt8])
  case blocks(BlockRecordCipher)
  case stream(StreamRecordCipher)

  /// The cipher of a suite for one side of TLS 1.0 to 1.2.
  static func before13(
    _ suite: CipherSuite, _ keys: KeySchedule12.KeyBlock.Side, version: UInt16,
    encryptThenMAC: Bool
  ) -> RecordCipher? {
    guard let protection = suite.protection else { return nil }
    switch protection {
    case .gcm, .ccm:
      guard let cipher = AuthenticatedCipher(protection, key: keys.key) else { return nil }
      return .authenticated12(cipher, iv: keys.iv, explicitNonceLength: 8)
    case .chaCha20Poly1305:
      guard let cipher = AuthenticatedCipher(protection, key: keys.key) else { return nil }
      return .authenticated12(cipher, iv: keys.iv, explicitNonceLength: 0)
    case .cbc(_, let mac):
      return .blocks(
        BlockRecordCipher(
          key: keys.key, mac: RecordMAC(mac, key: keys.macKey),
          chainedIV: version == ProtocolVersion.tls10 ? keys.iv : nil,
          encryptThenMAC: encryptThenMAC))
    case .rc4(let mac):
      return .stream(
        StreamRecordCipher(mac: RecordMAC(mac, key: keys.macKey), keyStream: RC4(key: keys.key)))
    case .clear(let mac):
      return .stream(StreamRecordCipher(mac: RecordMAC(mac, key: keys.macKey), keyStream: nil))
    }
  }

  static func tls13(_ suite: CipherSuite, secret: [UInt8]) -> RecordCipher? {
    guard let protection = suite.protection, suite.isTLS13, secret.count == suite.hash.length
    else { return nil }
    let keys = KeySchedule13.trafficKey(
      secret: secret, hash: suite.hash, keyLength: protection.lengths(ProtocolVersion.tls13).key)
    return AuthenticatedCipher(protection, key: keys.key).map { .authenticated13($0, iv: keys.iv) }
  }

  /// The plaintext of a record; of TLS 1.3 with the content type and padding behind it. `nil` when
  /// it doesn't authenticate, and then nothing has changed.
  mutating func open(_ header: RecordHeader, _ payload: [UInt8], sequence: UInt64) -> [UInt8]? {
    switch self {
    case .authenticated12(let cipher, let iv, let explicitLength):
      let plainLength = payload.count - explicitLength - cipher.tagLength
      guard plainLength >= 0 else { return nil }
      let nonce =
        explicitLength == 0
        ? Self.nonce(iv, sequence) : iv + Array(payload.prefix(explicitLength))
      return cipher.open(
        payload.dropFirst(explicitLength), nonce: nonce,
        authenticating: header.authenticated(sequence, length: plainLength))
    case .authenticated13(let cipher, let iv):
      return cipher.open(
        payload[...], nonce: Self.nonce(iv, sequence), authenticating: header.bytes)
    case .blocks(var cipher):
      defer { self = .blocks(cipher) }
      return cipher.open(header, payload, sequence: sequence)
    case .stream(var cipher):
      defer { self = .stream(cipher) }
      return cipher.open(header, payload, sequence: sequence)
    }
  }

  /// Whether a record can be opened without having opened the one before it.
  var survivesLoss: Bool {
    switch self {
    case .authenticated12, .authenticated13: true
    case .blocks(let cipher): !cipher.isChained
    case .stream(let cipher): !cipher.hasKeyStream
    }
  }

  /// How many bytes a record of application data has inside, at most.
  func plaintextLength(of payload: Int) -> Int {
    let overhead =
      switch self {
      case .authenticated12(let cipher, _, let explicitLength): cipher.tagLength + explicitLength
      case .authenticated13(let cipher, _): cipher.tagLength + 1
      case .blocks(let cipher): cipher.overhead
      case .stream(let cipher): cipher.mac.length
      }
    return max(0, payload - overhead)
  }

  /// The IV with the sequence number xored into its end (RFC 8446 §5.3, RFC 7905 §2).
  private static func nonce(_ iv: [UInt8], _ sequence: UInt64) -> [UInt8] {
    var nonce = iv
    for index in 0..<min(8, nonce.count) {
      nonce[nonce.count - 1 - index] ^= UInt8(truncatingIfNeeded: sequence >> (8 * UInt64(index)))
    }
    return nonce
  }
}

extension CipherSuite.Protection {
  /// Bytes of MAC key, cipher key and IV in the key block.
  func lengths(_ version: UInt16) -> (mac: Int, key: Int, iv: Int) {
    switch self {
    case .gcm(let keyLength), .ccm(let keyLength, _): (0, keyLength, 4)
    case .chaCha20Poly1305: (0, 32, 12)
    case .cbc(let keyLength, let mac):
      (mac.length, keyLength, version == ProtocolVersion.tls10 ? 16 : 0)
    case .rc4(let mac): (mac.length, 16, 0)
    case .clear(let mac): (mac.length, 0, 0)
    }
  }
}

extension RecordHeader {
  /// As on the wire.
  var bytes: [UInt8] {
    [
      type, UInt8(version >> 8), UInt8(version & 0xff), UInt8(truncatingIfNeeded: length >> 8),
      UInt8(truncatingIfNeeded: length),
    ]
  }

  /// What TLS 1.2 authenticates in front of the bytes (RFC 5246 §6.2.3.1 and §6.2.3.3).
  func authenticated(_ sequence: UInt64, length: Int) -> [UInt8] {
    var inner = self
    inner.length = length
    return (0..<8).reversed().map { UInt8(truncatingIfNeeded: sequence >> (8 * UInt64($0))) }
      + inner.bytes
  }
}

/// The MAC of records before AEADs (RFC 5246 §6.2.3.1).
struct RecordMAC {
  private let code: MessageAuthentication
  let length: Int

  init(_ hash: HashFunctionName, key: [UInt8]) {
    code = MessageAuthentication(hash, key: key)
    length = hash.length
  }

  func isValid(
    _ tag: ArraySlice<UInt8>, of text: ArraySlice<UInt8>, _ header: RecordHeader, sequence: UInt64
  ) -> Bool {
    code.tag(header.authenticated(sequence, length: text.count) + text).elementsEqual(tag)
  }
}
