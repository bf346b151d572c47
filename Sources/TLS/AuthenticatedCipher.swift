import Crypto
import CryptoExtras

/// An AEAD with its key (RFC 5116).
enum AuthenticatedCipher {
  case gcm(SymmetricKey)
  case chaCha20Poly1305(SymmetricKey)
  case ccm(SymmetricKey, tagLength: Int)

  init?(_ protection: CipherSuite.Protection, key: [UInt8]) {
    switch protection {
    case .gcm: self = .gcm(SymmetricKey(data: key))
    case .chaCha20Poly1305: self = .chaCha20Poly1305(SymmetricKey(data: key))
    case .ccm(_, let tagLength): self = .ccm(SymmetricKey(data: key), tagLength: tagLength)
    case .cbc, .rc4, .clear: return nil
    }
  }

  var tagLength: Int {
    switch self {
    case .gcm, .chaCha20Poly1305: 16
    case .ccm(_, let tagLength): tagLength
    }
  }

  /// The plaintext, or `nil` when the tag is not that of these bytes.
  ///
  /// - Parameters:
  ///   - nonce: 12 bytes.
  ///   - sealed: the ciphertext and the tag behind it.
  func open(_ sealed: ArraySlice<UInt8>, nonce: [UInt8], authenticating additional: [UInt8])
    -> [UInt8]?
  {
    guard nonce.count == 12, sealed.count >= tagLength else { return nil }
    let text = sealed.dropLast(tagLength)
    let tag = sealed.suffix(tagLength)
    switch self {
    case .gcm(let key):
      guard let nonce = try? AES.GCM.Nonce(data: nonce),
        let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: text, tag: tag)
      else { return nil }
      return (try? AES.GCM.open(box, using: key, authenticating: additional)).map { Array($0) }
    case .chaCha20Poly1305(let key):
      guard let nonce = try? ChaChaPoly.Nonce(data: nonce),
        let box = try? ChaChaPoly.SealedBox(nonce: nonce, ciphertext: text, tag: tag)
      else { return nil }
      return (try? ChaChaPoly.open(box, using: key, authenticating: additional)).map { Array($0) }
    case .ccm(let key, _):
      return Self.openCCM(Array(text), Array(tag), key, nonce, additional)
    }
  }

  /// Counter with CBC-MAC (RFC 3610) with a length field of 3 bytes, as TLS uses it (RFC 6655 §3).
  private static func openCCM(
    _ text: [UInt8], _ tag: [UInt8], _ key: SymmetricKey, _ nonce: [UInt8], _ additional: [UInt8]
  ) -> [UInt8]? {
    func number(_ count: Int, _ bytes: Int) -> [UInt8] {
      (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
    }
    func padded(_ bytes: [UInt8]) -> [UInt8] {
      bytes + [UInt8](repeating: 0, count: (16 - bytes.count % 16) % 16)
    }
    let counter = { (value: Int) in [2] + nonce + number(value, 3) }
    guard let start = try? AES._CTR.Nonce(nonceBytes: counter(1)),
      let plain = try? Array(AES._CTR.decrypt(text, using: key, nonce: start))
    else { return nil }
    let flags = UInt8(0x40 | ((tag.count - 2) / 2) << 3 | 2)
    let authenticated =
      [flags] + nonce + number(plain.count, 3)
      + padded(number(additional.count, 2) + additional) + padded(plain)
    let zero = [UInt8](repeating: 0, count: 16)
    var mask = counter(0)
    guard let iv = try? AES._CBC.IV(ivBytes: zero),
      let chained = try? AES._CBC.encrypt(authenticated, using: key, iv: iv, noPadding: true),
      (try? AES.permute(&mask, key: key)) != nil
    else { return nil }
    let expected = zip(chained.suffix(16), mask).map { $0 ^ $1 }
    return Array(expected.prefix(tag.count)) == tag ? plain : nil
  }
}
