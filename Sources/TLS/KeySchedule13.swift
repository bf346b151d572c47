/// Key derivation of TLS 1.3 from a traffic secret (RFC 8446 §7.1 to §7.3).
enum KeySchedule13 {
  struct TrafficKey: Equatable {
    var key: [UInt8]
    var iv: [UInt8]
  }

  static func trafficKey(
    secret: [UInt8], hash: HashFunctionName, keyLength: Int
  ) -> TrafficKey {
    TrafficKey(
      key: expandLabel(secret, "key", count: keyLength, hash: hash),
      iv: expandLabel(secret, "iv", count: 12, hash: hash))
  }

  /// The secret after a KeyUpdate (§7.2).
  static func nextSecret(_ secret: [UInt8], hash: HashFunctionName) -> [UInt8] {
    expandLabel(secret, "traffic upd", count: hash.length, hash: hash)
  }

  /// HKDF-Expand-Label with an empty context (§7.1).
  static func expandLabel(
    _ secret: [UInt8], _ label: String, count: Int, hash: HashFunctionName
  ) -> [UInt8] {
    let label = Array("tls13 ".utf8) + Array(label.utf8)
    let described =
      [UInt8(truncatingIfNeeded: count >> 8), UInt8(truncatingIfNeeded: count)]
      + [UInt8(truncatingIfNeeded: label.count)] + label + [0]
    let code = MessageAuthentication(hash, key: secret)
    var output: [UInt8] = []
    var block: [UInt8] = []
    var counter: UInt8 = 1
    while output.count < count {
      block = code.tag(block + described + [counter])
      output += block
      counter &+= 1
    }
    return Array(output.prefix(count))
  }
}
