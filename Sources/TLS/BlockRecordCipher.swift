import Crypto
import CryptoExtras

/// AES-CBC with HMAC (RFC 5246 §6.2.3.2), in either order (RFC 7366).
struct BlockRecordCipher {
  private static let blockSize = 16

  private let key: SymmetricKey
  private let mac: RecordMAC
  private let encryptThenMAC: Bool
  /// TLS 1.0 takes the last block of the record before as IV (RFC 2246 §6.2.3.2); later versions
  /// put the IV in front of the ciphertext.
  private var chainedIV: [UInt8]?

  init(key: [UInt8], mac: RecordMAC, chainedIV: [UInt8]?, encryptThenMAC: Bool) {
    self.key = SymmetricKey(data: key)
    self.mac = mac
    self.chainedIV = chainedIV
    self.encryptThenMAC = encryptThenMAC
  }

  var isChained: Bool { chainedIV != nil }

  /// Bytes of a record that are surely no plaintext.
  var overhead: Int { (isChained ? 0 : Self.blockSize) + mac.length + 1 }

  mutating func open(_ header: RecordHeader, _ payload: [UInt8], sequence: UInt64) -> [UInt8]? {
    guard let plain = decrypt(header, payload, sequence: sequence) else { return nil }
    if chainedIV != nil {
      let blocks = encryptThenMAC ? payload.dropLast(mac.length) : payload[...]
      chainedIV = Array(blocks.suffix(Self.blockSize))
    }
    return plain
  }

  private func decrypt(_ header: RecordHeader, _ payload: [UInt8], sequence: UInt64) -> [UInt8]? {
    var sealed = payload[...]
    if encryptThenMAC {
      guard sealed.count >= mac.length else { return nil }
      let tag = sealed.suffix(mac.length)
      sealed = sealed.dropLast(mac.length)
      guard mac.isValid(tag, of: sealed, header, sequence: sequence) else { return nil }
    }
    let iv: [UInt8]
    if let chainedIV {
      iv = chainedIV
    } else {
      iv = Array(sealed.prefix(Self.blockSize))
      sealed = sealed.dropFirst(Self.blockSize)
    }
    guard !sealed.isEmpty, sealed.count % Self.blockSize == 0,
      let start = try? AES._CBC.IV(ivBytes: iv),
      let blocks = try? AES._CBC.decrypt(sealed, using: key, iv: start, noPadding: true)
    else { return nil }
    let padded = Array(blocks)
    guard let last = padded.last else { return nil }
    let padding = Int(last) + 1
    guard padding <= padded.count, padded.suffix(padding).allSatisfy({ $0 == last }) else {
      return nil
    }
    let content = padded.dropLast(padding)
    if encryptThenMAC { return Array(content) }
    guard content.count >= mac.length else { return nil }
    let text = content.dropLast(mac.length)
    let tag = content.suffix(mac.length)
    return mac.isValid(tag, of: text, header, sequence: sequence) ? Array(text) : nil
  }
}
