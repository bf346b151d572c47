import Crypto

/// Key derivation of TLS 1.0 to 1.2 from a master secret (RFC 5246 §5 and §6.3, RFC 2246 §5).
enum KeySchedule12 {
  /// The keys of both directions.
  struct KeyBlock: Equatable {
    struct Side: Equatable {
      var macKey: [UInt8]
      var key: [UInt8]
      var iv: [UInt8]
    }
    var client: Side
    var server: Side
  }

  static func keyBlock(
    master: [UInt8], clientRandom: [UInt8], serverRandom: [UInt8], hash: HashFunctionName,
    version: UInt16, macLength: Int, keyLength: Int, ivLength: Int
  ) -> KeyBlock {
    let bytes = pseudoRandom(
      master, label: "key expansion", seed: serverRandom + clientRandom,
      count: 2 * (macLength + keyLength + ivLength), hash: hash, version: version)
    var rest = bytes[...]
    func cut(_ count: Int) -> [UInt8] {
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    let macs = (cut(macLength), cut(macLength))
    let keys = (cut(keyLength), cut(keyLength))
    let ivs = (cut(ivLength), cut(ivLength))
    return KeyBlock(
      client: .init(macKey: macs.0, key: keys.0, iv: ivs.0),
      server: .init(macKey: macs.1, key: keys.1, iv: ivs.1))
  }

  /// The PRF of the version: P_hash of TLS 1.2, or P_MD5 xor P_SHA-1 of its predecessors.
  static func pseudoRandom(
    _ secret: [UInt8], label: String, seed: [UInt8], count: Int, hash: HashFunctionName,
    version: UInt16
  ) -> [UInt8] {
    let seed = Array(label.utf8) + seed
    if version >= ProtocolVersion.tls12 { return expand(secret, seed, count, hash) }
    // The halves share the middle byte when the length is odd (RFC 2246 §5).
    let half = (secret.count + 1) / 2
    let left = expand(Array(secret.prefix(half)), seed, count, .md5)
    let right = expand(Array(secret.suffix(half)), seed, count, .sha1)
    return zip(left, right).map { $0 ^ $1 }
  }

  /// P_hash (RFC 5246 §5).
  private static func expand(
    _ secret: [UInt8], _ seed: [UInt8], _ count: Int, _ hash: HashFunctionName
  ) -> [UInt8] {
    let code = MessageAuthentication(hash, key: secret)
    var output: [UInt8] = []
    var a = seed
    while output.count < count {
      a = code.tag(a)
      output += code.tag(a + seed)
    }
    return Array(output.prefix(count))
  }
}

/// The hash functions of cipher suites.
enum HashFunctionName: Hashable, Sendable {
  case md5, sha1, sha256, sha384

  /// Bytes of a digest.
  var length: Int {
    switch self {
    case .md5: 16
    case .sha1: 20
    case .sha256: 32
    case .sha384: 48
    }
  }
}

/// HMAC (RFC 2104) with a hash that is chosen at run time.
struct MessageAuthentication {
  private let hash: HashFunctionName
  private let key: SymmetricKey

  init(_ hash: HashFunctionName, key: [UInt8]) {
    self.hash = hash
    self.key = SymmetricKey(data: key)
  }

  func tag(_ message: [UInt8]) -> [UInt8] {
    switch hash {
    case .md5: Array(HMAC<Insecure.MD5>.authenticationCode(for: message, using: key))
    case .sha1: Array(HMAC<Insecure.SHA1>.authenticationCode(for: message, using: key))
    case .sha256: Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
    case .sha384: Array(HMAC<SHA384>.authenticationCode(for: message, using: key))
    }
  }
}
