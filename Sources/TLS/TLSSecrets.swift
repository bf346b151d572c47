import Wire

/// The secrets of TLS connections, by the random of their ClientHello.
///
/// From key logs (SSLKEYLOGFILE, RFC 9850) and the Decryption Secrets Blocks of pcapng files.
public struct TLSSecrets: Sendable {
  /// What of a key log could not be used.
  public struct Warning: Hashable, Sendable {
    /// One-based line of the key log.
    public var line: Int
    public var problem: String

    public init(line: Int, problem: String) {
      self.line = line
      self.problem = problem
    }
  }

  private var sets: [ClientRandom: SecretSet] = [:]

  public init() {}

  /// Connections that have secrets.
  public var count: Int { sets.count }
  public var isEmpty: Bool { sets.isEmpty }

  func secrets(of random: ClientRandom) -> SecretSet? { sets[random] }

  /// Whether there are secrets for the random of a ClientHello (32 bytes).
  public func has(clientRandom: [UInt8]) -> Bool {
    ClientRandom(clientRandom).map { sets[$0] != nil } ?? false
  }

  /// The lines of a key log that open the connections of these client randoms (32 bytes each), in
  /// their order; empty without any.
  public func keyLog(of clientRandoms: [[UInt8]]) -> String {
    var lines = ""
    var seen: Set<ClientRandom> = []
    for bytes in clientRandoms {
      guard let random = ClientRandom(bytes), let known = sets[random], seen.insert(random).inserted
      else { continue }
      for kind in SecretKind.allCases {
        guard let secret = known[kind] else { continue }
        lines += "\(kind.rawValue) \(Self.digits(bytes)) \(Self.digits(secret))\n"
      }
    }
    return lines
  }

  private static func digits(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Takes in the text of a key log.
  ///
  /// Lines that can't be used are passed over. Comments, empty lines, secrets that records don't
  /// need, and an unfinished last line (somebody is writing it) are no reason for a warning.
  @discardableResult
  public mutating func read(keyLog: some Sequence<UInt8>) -> [Warning] {
    var warnings: [Warning] = []
    var number = 0
    let text = Array(keyLog)
    // CR, LF and CRLF all end lines; the empty line inside of CRLF must not be counted.
    var start = 0
    while start < text.count {
      let end = text[start...].firstIndex { $0 == 0x0a || $0 == 0x0d } ?? text.count
      number += 1
      let isUnfinished = end == text.count
      if let problem = readLine(text[start..<end]), !isUnfinished {
        warnings.append(Warning(line: number, problem: problem))
      }
      let isPair = end + 1 < text.count && text[end] == 0x0d && text[end + 1] == 0x0a
      start = end + (isPair ? 2 : 1)
    }
    return warnings
  }

  /// - Returns: what is wrong with the line, if anything.
  private mutating func readLine(_ line: ArraySlice<UInt8>) -> String? {
    let words = line.split { $0 == 0x20 || $0 == 0x09 }
    guard let first = words.first, first.first != UInt8(ascii: "#") else { return nil }
    let label = String(decoding: first.prefix(40), as: UTF8.self)
    guard let kind = SecretKind(rawValue: label) else {
      return Self.labelsWithoutUse.contains(label) ? nil : "unknown label \(printable(label))"
    }
    guard words.count == 3 else {
      return "\(words.count) words instead of label, client random and secret"
    }
    guard let random = hexadecimal(words[1]).flatMap(ClientRandom.init) else {
      return "the client random is not 64 hexadecimal digits"
    }
    guard let secret = hexadecimal(words[2]), kind.lengths.contains(secret.count) else {
      return "the secret has not the length of a \(label)"
    }
    sets[random, default: SecretSet()][kind] = secret
    return nil
  }

  /// Labels of RFC 9850 that say nothing about records.
  private static let labelsWithoutUse: [String] = [
    "EXPORTER_SECRET", "EARLY_EXPORTER_SECRET", "ECH_SECRET", "ECH_CONFIG",
  ]

  /// Nothing that could be a secret in the wrong column.
  private func printable(_ label: String) -> String {
    let isLabel = label.unicodeScalars.allSatisfy { scalar in
      ("A"..."Z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "_"
    }
    let isHexadecimal = label.allSatisfy(\.isHexDigit)
    return isLabel && !isHexadecimal ? label : "of \(label.utf8.count) bytes"
  }

  private func hexadecimal(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
    guard digits.count % 2 == 0, digits.count <= 256 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    var high: UInt8?
    for digit in digits {
      guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
      if let known = high {
        bytes.append(known << 4 | UInt8(value))
        high = nil
      } else {
        high = UInt8(value)
      }
    }
    return bytes
  }
}

/// The random of a ClientHello as a key for look-ups.
struct ClientRandom: Hashable, Sendable {
  let bytes: [UInt8]

  init?(_ bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }
}

/// The labels of a key log that open records (RFC 9850 §2).
enum SecretKind: String, Sendable, CaseIterable {
  /// The master secret of TLS 1.2 and before.
  case master = "CLIENT_RANDOM"
  case clientEarly = "CLIENT_EARLY_TRAFFIC_SECRET"
  case clientHandshake = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
  case serverHandshake = "SERVER_HANDSHAKE_TRAFFIC_SECRET"
  case clientTraffic = "CLIENT_TRAFFIC_SECRET_0"
  case serverTraffic = "SERVER_TRAFFIC_SECRET_0"

  /// Bytes: a master secret, or a digest of SHA-256 or SHA-384.
  var lengths: [Int] {
    switch self {
    case .master: [48]
    case .clientEarly, .clientHandshake, .serverHandshake, .clientTraffic, .serverTraffic: [32, 48]
    }
  }
}

/// All secrets of one client random.
struct SecretSet: Hashable, Sendable {
  private var byKind: [SecretKind: [UInt8]] = [:]

  init() {}

  subscript(_ kind: SecretKind) -> [UInt8]? {
    get { byKind[kind] }
    set { byKind[kind] = newValue }
  }
}
