import Wire

/// What a ClientHello says (RFC 8446 §4.1.2).
struct ClientHello: Equatable {
  var random: [UInt8]
  var sessionID: [UInt8] = []
  var ticket: [UInt8] = []
  var serverName: String?
  var offeredProtocols: [String] = []
  var offersEarlyData = false

  /// - Parameter body: the message without its four bytes of type and length.
  init(_ body: [UInt8]) throws(DecodeError) {
    var reader = unsafe ByteReader(body.span.bytes)
    try reader.skip(2, "client version")
    random = try reader.readBytes(32, "client random")
    sessionID = try reader.readVector8("session identifier")
    _ = try reader.readVector16("cipher suites")
    _ = try reader.readVector8("compression methods")
    for (kind, content) in try reader.readExtensions() {
      switch kind {
      case ExtensionKind.serverName: serverName = try? Self.serverName(content)
      case ExtensionKind.protocols: offeredProtocols = (try? protocolNames(content)) ?? []
      case ExtensionKind.sessionTicket: ticket = content
      case ExtensionKind.earlyData: offersEarlyData = true
      default: break
      }
    }
  }

  /// A ClientHello in the clothes of SSL 2.0 (RFC 5246 appendix E.2).
  ///
  /// - Parameter message: from the message type on.
  init(old message: [UInt8]) throws(DecodeError) {
    var reader = unsafe ByteReader(message.span.bytes)
    try reader.skip(3, "message type and version")
    let suites = try reader.readUInt16("length of the cipher specs")
    let identifier = try reader.readUInt16("length of the session identifier")
    let challenge = Int(try reader.readUInt16("length of the challenge"))
    guard (16...32).contains(challenge) else {
      throw DecodeError(offset: 7, expected: "a challenge of 16 to 32 bytes, not \(challenge)")
    }
    try reader.skip(Int(suites), "cipher specs")
    sessionID = try reader.readBytes(Int(identifier), "session identifier")
    // A shorter challenge is aligned right, with zeros in front.
    random =
      [UInt8](repeating: 0, count: 32 - challenge)
      + (try reader.readBytes(challenge, "challenge"))
  }

  /// RFC 6066 §3: a list of which only the entry of type 0 has ever been in use.
  private static func serverName(_ content: [UInt8]) throws(DecodeError) -> String? {
    var reader = unsafe ByteReader(content.span.bytes)
    try reader.skip(2, "length of the server name list")
    guard try reader.readUInt8("name type") == 0 else { return nil }
    return String(decoding: try reader.readVector16("host name"), as: UTF8.self)
  }
}

/// What a ServerHello says (RFC 8446 §4.1.3), or a HelloRetryRequest.
struct ServerHello: Equatable {
  /// Of `supported_versions` where it is, else of the message itself.
  var version: UInt16
  var random: [UInt8]
  var sessionID: [UInt8]
  var suite: UInt16
  var compression: UInt8
  var chosenProtocol: String?
  var encryptThenMAC = false
  var usesPreSharedKey = false

  /// SHA-256 of `HelloRetryRequest` (RFC 8446 §4.1.3).
  private static let retryRandom: [UInt8] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
  ]

  var isRetryRequest: Bool { random == Self.retryRandom }

  init(_ body: [UInt8]) throws(DecodeError) {
    var reader = unsafe ByteReader(body.span.bytes)
    version = try reader.readUInt16("server version")
    random = try reader.readBytes(32, "server random")
    // The drafts of TLS 1.3 before 22 left out what stands between random and suite.
    let isEarlyDraft = ProtocolVersion.isDraft13(version)
    sessionID = isEarlyDraft ? [] : try reader.readVector8("session identifier")
    suite = try reader.readUInt16("cipher suite")
    compression = isEarlyDraft ? 0 : try reader.readUInt8("compression method")
    for (kind, content) in try reader.readExtensions() {
      switch kind {
      case ExtensionKind.supportedVersions where content.count == 2:
        version = UInt16(content[0]) << 8 | UInt16(content[1])
      case ExtensionKind.protocols: chosenProtocol = (try? protocolNames(content))?.first
      case ExtensionKind.encryptThenMAC: encryptThenMAC = true
      case ExtensionKind.preSharedKey: usesPreSharedKey = true
      default: break
      }
    }
  }
}

/// What EncryptedExtensions say (RFC 8446 §4.3.1).
struct EncryptedExtensions: Equatable {
  var chosenProtocol: String?
  var acceptsEarlyData = false

  init(_ body: [UInt8]) throws(DecodeError) {
    var reader = unsafe ByteReader(body.span.bytes)
    for (kind, content) in try reader.readExtensions() {
      switch kind {
      case ExtensionKind.protocols: chosenProtocol = (try? protocolNames(content))?.first
      case ExtensionKind.earlyData: acceptsEarlyData = true
      default: break
      }
    }
  }
}

/// Numbers of extensions (IANA, TLS ExtensionType Values).
private enum ExtensionKind {
  static let serverName: UInt16 = 0
  static let protocols: UInt16 = 16
  static let encryptThenMAC: UInt16 = 22
  static let sessionTicket: UInt16 = 35
  static let preSharedKey: UInt16 = 41
  static let earlyData: UInt16 = 42
  static let supportedVersions: UInt16 = 43
}

/// The names in an ALPN extension (RFC 7301 §3.1).
private func protocolNames(_ content: [UInt8]) throws(DecodeError) -> [String] {
  var reader = unsafe ByteReader(content.span.bytes)
  try reader.skip(2, "length of the protocol name list")
  var names: [String] = []
  while !reader.isAtEnd {
    names.append(String(decoding: try reader.readVector8("protocol name"), as: UTF8.self))
  }
  return names
}

extension ByteReader {
  /// A vector with a length of one byte (RFC 8446 §3.4).
  mutating func readVector8(_ what: StaticString) throws(DecodeError) -> [UInt8] {
    try readBytes(Int(try readUInt8(what)), what)
  }

  /// A vector with a length of two bytes.
  mutating func readVector16(_ what: StaticString) throws(DecodeError) -> [UInt8] {
    try readBytes(Int(try readUInt16(what)), what)
  }

  /// The extensions at the end of a hello, in their order; none when nothing is left.
  mutating func readExtensions() throws(DecodeError) -> [(kind: UInt16, content: [UInt8])] {
    guard remaining >= 2 else { return [] }
    try skip(2, "length of the extensions")
    var extensions: [(kind: UInt16, content: [UInt8])] = []
    while remaining >= 4 {
      extensions.append(
        (try readUInt16("extension type"), try readVector16("extension")))
    }
    return extensions
  }
}
