/// Version numbers as they stand on the wire.
enum ProtocolVersion {
  static let ssl30: UInt16 = 0x0300
  static let tls10: UInt16 = 0x0301
  static let tls11: UInt16 = 0x0302
  static let tls12: UInt16 = 0x0303
  static let tls13: UInt16 = 0x0304

  /// The drafts that browsers and servers shipped differ from TLS 1.3 in nothing that matters here.
  static func isDraft13(_ version: UInt16) -> Bool { (0x7f17...0x7f1c).contains(version) }

  static func name(_ version: UInt16) -> String {
    switch version {
    case ssl30: "SSL 3.0"
    case tls10: "TLS 1.0"
    case tls11: "TLS 1.1"
    case tls12: "TLS 1.2"
    case tls13: "TLS 1.3"
    default:
      isDraft13(version)
        ? "TLS 1.3 draft \(version & 0xff)" : "version 0x" + String(version, radix: 16)
    }
  }
}

/// A cipher suite: its number, its name, and what the name says about its records.
struct CipherSuite: Equatable {
  /// How records are protected, as far as we can undo it.
  enum Protection: Equatable {
    case gcm(keyLength: Int)
    case ccm(keyLength: Int, tagLength: Int)
    case chaCha20Poly1305
    case cbc(keyLength: Int, mac: HashFunctionName)
    case rc4(mac: HashFunctionName)
    /// A MAC and no encryption.
    case clear(mac: HashFunctionName)
  }

  let number: UInt16
  /// As IANA names it, or the number where it isn't known.
  let name: String
  /// `nil`: can't be decrypted.
  let protection: Protection?
  /// Of the PRF of TLS 1.2, or of HKDF of TLS 1.3.
  let hash: HashFunctionName
  let isTLS13: Bool

  init(_ number: UInt16) {
    self.number = number
    isTLS13 = number >> 8 == 0x13
    guard let short = Self.shortName(number) else {
      name = "0x" + String(number, radix: 16)
      protection = nil
      hash = .sha256
      return
    }
    name = "TLS_" + short
    let words = short.split(separator: "_")
    let cipher = words.firstIndex(of: "WITH").map { words[($0 + 1)...] } ?? words[...]
    protection = Self.protection(cipher.map(String.init))
    // RFC 5246 §5: SHA-256, unless the suite names a stronger hash.
    hash = words.last == "SHA384" ? .sha384 : .sha256
  }

  private static func shortName(_ number: UInt16) -> String? {
    var range = 0..<cipherSuiteNames.count
    while let low = range.first {
      let middle = low + range.count / 2
      let entry = cipherSuiteNames[middle]
      if entry.number == number { return "\(entry.name)" }
      range = entry.number < number ? middle + 1..<range.upperBound : low..<middle
    }
    return nil
  }

  private static func protection(_ words: [String]) -> Protection? {
    func keyLength(_ word: String) -> Int { word == "256" ? 32 : 16 }
    func mac(_ word: String) -> HashFunctionName? {
      switch word {
      case "MD5": .md5
      case "SHA": .sha1
      case "SHA256": .sha256
      case "SHA384": .sha384
      default: nil
      }
    }
    if words == ["CHACHA20", "POLY1305", "SHA256"] { return .chaCha20Poly1305 }
    if words.count == 2, words[0] == "NULL" { return mac(words[1]).map { .clear(mac: $0) } }
    guard words.count >= 3 else { return nil }
    if words[0] == "RC4", words[1] == "128" { return mac(words[2]).map { .rc4(mac: $0) } }
    guard words[0] == "AES" else { return nil }
    switch words[2] {
    case "GCM": return .gcm(keyLength: keyLength(words[1]))
    case "CCM":
      let tagLength = words.count > 3 && words[3] == "8" ? 8 : 16
      return .ccm(keyLength: keyLength(words[1]), tagLength: tagLength)
    case "CBC":
      guard words.count == 4 else { return nil }
      return mac(words[3]).map { .cbc(keyLength: keyLength(words[1]), mac: $0) }
    default: return nil
    }
  }
}
