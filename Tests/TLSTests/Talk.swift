import Crypto
import CryptoExtras
import TLS
import Timeline
import Wire

@testable import TLS

/// A connection in TLS, written by hand: secrets are chosen, not agreed on, because a key log says
/// them anyway.
final class Talk {
  let collected = CollectingSink()
  let sink: TLSDecryptingSink
  let connection = ConnectionID(0)
  let description = ConnectionDescription(
    client: Endpoint(address: [10, 0, 0, 1], port: 40_000),
    server: Endpoint(address: [10, 0, 0, 2], port: 8883), clientRule: .synSender)
  private(set) var offsets: [Direction: UInt64] = [.toServer: 0, .toClient: 0]
  private(set) var frame: UInt32 = 0

  init(_ secrets: TLSSecrets = Talk.secrets) {
    sink = TLSDecryptingSink(secrets, to: collected)
    collected.tls = sink
    tell(.began(handshake: true))
  }

  func tell(_ event: ConnectionEvent, _ bytes: [UInt8] = []) {
    frame += 1
    let moment = Moment(time: Instant(nanoseconds: UInt64(frame) * 1_000_000), frame: frame)
    unsafe bytes.withUnsafeBytes {
      unsafe sink.receive(event, of: connection, description, bytes: $0, at: moment)
    }
  }

  func client(_ records: [UInt8]...) { send(.toServer, records.flatMap { $0 }) }
  func server(_ records: [UInt8]...) { send(.toClient, records.flatMap { $0 }) }

  func send(_ direction: Direction, _ bytes: [UInt8]) {
    let offset = offsets[direction, default: 0]
    offsets[direction] = offset + UInt64(bytes.count)
    tell(.bytes(direction, offset: offset), bytes)
  }

  /// The capture misses these bytes.
  func miss(_ direction: Direction, _ bytes: [UInt8]) {
    let offset = offsets[direction, default: 0]
    offsets[direction] = offset + UInt64(bytes.count)
    tell(.gap(direction, offset: offset, length: UInt64(bytes.count), .notCaptured))
  }

  func acknowledge(_ direction: Direction) {
    tell(.acknowledged(direction, upTo: offsets[direction, default: 0]))
  }

  func end() { tell(.ended(.closed)) }

  /// What the sink behind was told, without the frame numbers.
  var lines: [String] {
    collected.connections.first?.lines.map { $0.drop { $0 != " " }.dropFirst().description } ?? []
  }

  var toServer: String { String(decoding: collected.connections[0].toServer, as: UTF8.self) }
  var toClient: String { String(decoding: collected.connections[0].toClient, as: UTF8.self) }
  var facts: TLSFacts? { collected.connections[0].facts ?? sink.facts(of: connection) }
}

// MARK: Secrets

extension Talk {
  static let clientRandom = [UInt8](repeating: 0xc1, count: 32)
  static let serverRandom = [UInt8](repeating: 0x5e, count: 32)
  static let master = [UInt8](repeating: 0x3a, count: 48)

  static func secret(_ kind: SecretKind) -> [UInt8] {
    switch kind {
    case .master: master
    case .clientEarly: [UInt8](repeating: 1, count: 32)
    case .clientHandshake: [UInt8](repeating: 2, count: 32)
    case .serverHandshake: [UInt8](repeating: 3, count: 32)
    case .clientTraffic: [UInt8](repeating: 4, count: 32)
    case .serverTraffic: [UInt8](repeating: 5, count: 32)
    }
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  static func keyLog(_ kinds: [SecretKind]) -> String {
    kinds.map {
      "\($0.rawValue) \(hexadecimal(clientRandom)) \(hexadecimal(secret($0)))\n"
    }.joined()
  }

  static let secrets13: [SecretKind] = [
    .clientEarly, .clientHandshake, .serverHandshake, .clientTraffic, .serverTraffic,
  ]

  static func secrets(_ kinds: [SecretKind]) -> TLSSecrets {
    var secrets = TLSSecrets()
    secrets.read(keyLog: keyLog(kinds).utf8)
    return secrets
  }

  static var secrets: TLSSecrets { secrets([.master] + secrets13) }
}

// MARK: Messages

extension Talk {
  static func number(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  static func record(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
    [type, 3, 3] + number(content.count, 2) + content
  }

  static func message(_ type: HandshakeType, _ body: [UInt8] = []) -> [UInt8] {
    [type.rawValue] + number(body.count, 3) + body
  }

  static func element(_ kind: Int, _ content: [UInt8]) -> [UInt8] {
    number(kind, 2) + number(content.count, 2) + content
  }

  static func clientHello(
    _ random: [UInt8] = clientRandom, session: [UInt8] = [], extensions: [UInt8] = []
  ) -> [UInt8] {
    let name = Array("push.example".utf8)
    let all =
      element(0, number(name.count + 3, 2) + [0] + number(name.count, 2) + name)
      + element(16, [0, 5, 4] + Array("mqtt".utf8)) + extensions
    return message(
      .clientHello,
      [3, 3] + random + [UInt8(session.count)] + session + [0, 2, 0x13, 0x01, 1, 0]
        + number(all.count, 2) + all)
  }

  static func serverHello(
    _ suite: Int, random: [UInt8] = serverRandom, session: [UInt8] = [], is13: Bool = true,
    extensions: [UInt8] = []
  ) -> [UInt8] {
    let all = (is13 ? element(43, [3, 4]) : []) + extensions
    return message(
      .serverHello,
      [3, 3] + random + [UInt8(session.count)] + session + number(suite, 2) + [0]
        + number(all.count, 2) + all)
  }

  static let retryRequest = serverHello(
    0x1301,
    random: bytes("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"))

  static let earlyData = element(42, [])

  static func encryptedExtensions(_ elements: [UInt8] = []) -> [UInt8] {
    message(.encryptedExtensions, number(elements.count, 2) + elements)
  }

  static let finished = message(.finished, [UInt8](repeating: 9, count: 32))
  static let changeCipherSpec = record(20, [1])
}

/// Seals records of one direction of TLS 1.3.
struct Sealer13 {
  private var secret: [UInt8]
  private var sequence: UInt64 = 0
  private let suite: CipherSuite

  init(_ kind: SecretKind, suite: UInt16 = 0x1301) {
    secret = Talk.secret(kind)
    self.suite = CipherSuite(suite)
  }

  mutating func seal(_ type: UInt8, _ content: [UInt8], padding: Int = 0) -> [UInt8] {
    let keys = KeySchedule13.trafficKey(
      secret: secret, hash: suite.hash, keyLength: suite.number == 0x1303 ? 32 : 16)
    var nonce = keys.iv
    for index in 0..<8 {
      nonce[11 - index] ^= UInt8(truncatingIfNeeded: sequence >> (8 * UInt64(index)))
    }
    sequence += 1
    let inner = content + [type] + [UInt8](repeating: 0, count: padding)
    let header = [23, 3, 3] + Talk.number(inner.count + 16, 2)
    return header + Self.seal(inner, keys.key, nonce, header, isChaCha: suite.number == 0x1303)
  }

  mutating func data(_ text: String, padding: Int = 0) -> [UInt8] {
    seal(23, Array(text.utf8), padding: padding)
  }

  /// A KeyUpdate, and the keys after it.
  mutating func update() -> [UInt8] {
    defer {
      secret = KeySchedule13.nextSecret(secret, hash: suite.hash)
      sequence = 0
    }
    return seal(22, Talk.message(.keyUpdate, [0]))
  }

  static func seal(
    _ text: [UInt8], _ key: [UInt8], _ nonce: [UInt8], _ additional: [UInt8], isChaCha: Bool
  ) -> [UInt8] {
    let key = SymmetricKey(data: key)
    guard isChaCha else {
      let box = try? AES.GCM.seal(
        text, using: key, nonce: AES.GCM.Nonce(data: nonce), authenticating: additional)
      return box.map { Array($0.ciphertext) + Array($0.tag) } ?? []
    }
    let box = try? ChaChaPoly.seal(
      text, using: key, nonce: ChaChaPoly.Nonce(data: nonce), authenticating: additional)
    return box.map { Array($0.ciphertext) + Array($0.tag) } ?? []
  }
}

/// Seals records of one direction of TLS 1.2 (or 1.0) with AES-128-GCM or AES-128-CBC-SHA.
struct Sealer12 {
  private let side: KeySchedule12.KeyBlock.Side
  private let protection: CipherSuite.Protection
  private let encryptThenMAC: Bool
  private var chainedIV: [UInt8]?
  private var sequence: UInt64 = 0
  private var explicit: UInt64

  init(
    _ suite: UInt16, _ direction: Direction, clientRandom: [UInt8] = Talk.clientRandom,
    version: UInt16 = 0x0303, encryptThenMAC: Bool = false, nonceFrom explicit: UInt64 = 1 << 40
  ) {
    let suite = CipherSuite(suite)
    protection = suite.protection ?? .clear(mac: .sha1)
    let lengths = protection.lengths(version)
    let keys = KeySchedule12.keyBlock(
      master: Talk.master, clientRandom: clientRandom, serverRandom: Talk.serverRandom,
      hash: suite.hash, version: version, macLength: lengths.mac, keyLength: lengths.key,
      ivLength: lengths.iv)
    side = direction == .toServer ? keys.client : keys.server
    self.encryptThenMAC = encryptThenMAC
    self.explicit = explicit
    chainedIV = version == 0x0301 ? side.iv : nil
  }

  mutating func data(_ text: String) -> [UInt8] { seal(23, Array(text.utf8)) }

  mutating func seal(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
    defer {
      sequence += 1
      explicit += 1
    }
    let header = RecordHeader([type, 3, chainedIV == nil ? 3 : 1, 0, 0])
    guard let header else { return [] }
    let payload: [UInt8]
    switch protection {
    case .gcm:
      let nonce = Talk.number(Int(explicit), 8)
      payload =
        nonce
        + Sealer13.seal(
          content, side.key, side.iv + nonce,
          header.authenticated(sequence, length: content.count), isChaCha: false)
    case .cbc(_, let hash):
      payload = sealBlocks(content, header, hash)
    case .ccm, .chaCha20Poly1305, .rc4, .clear:
      payload = content
    }
    return header.bytes.prefix(3) + Talk.number(payload.count, 2) + payload
  }

  private mutating func sealBlocks(
    _ content: [UInt8], _ header: RecordHeader, _ hash: HashFunctionName
  ) -> [UInt8] {
    let code = MessageAuthentication(hash, key: side.macKey)
    let tag = code.tag(header.authenticated(sequence, length: content.count) + content)
    var text = encryptThenMAC ? content : content + tag
    let padding = 15 - text.count % 16
    text += [UInt8](repeating: UInt8(padding), count: padding + 1)
    let iv = chainedIV ?? [UInt8](repeating: UInt8(truncatingIfNeeded: sequence), count: 16)
    guard let start = try? AES._CBC.IV(ivBytes: iv),
      let blocks = try? Array(
        AES._CBC.encrypt(text, using: SymmetricKey(data: side.key), iv: start, noPadding: true))
    else { return [] }
    let wire = chainedIV == nil ? iv + blocks : blocks
    if chainedIV != nil { chainedIV = Array(blocks.suffix(16)) }
    guard encryptThenMAC else { return wire }
    return wire + code.tag(header.authenticated(sequence, length: wire.count) + wire)
  }
}
