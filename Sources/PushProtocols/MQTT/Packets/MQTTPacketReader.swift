import Wire

/// The fields of one packet, and what they broke on the way.
///
/// What can't be read throws; what can be read although it is forbidden is reported and read.
struct MQTTPacketReader: ~Escapable {
  /// The whole packet, for fields whose place was noted and whose bytes are wanted later.
  let packet: RawSpan
  var reader: ByteReader
  var version: MQTTVersion
  let direction: Direction?
  /// Empty for a good packet, and then no allocation.
  var violations: [MQTTViolation] = []

  @_lifetime(copy packet)
  init(_ packet: RawSpan, version: MQTTVersion, direction: Direction?) {
    self.packet = packet
    reader = ByteReader(packet)
    self.version = version
    self.direction = direction
  }

  mutating func report(_ rule: MQTTRule, at offset: Int, _ detail: String? = nil) {
    violations.append(MQTTViolation(rule, version: version, offset: offset, detail: detail))
  }

  func failure(_ rule: MQTTRule, at offset: Int, _ detail: String? = nil) -> DecodeError {
    rule.error(at: offset, in: version, detail)
  }

  // MARK: Fields

  /// 1 to 4 bytes, seven bits each, least significant first (MQTT 5.0 §1.5.5).
  mutating func variableByteInteger(_ what: StaticString) throws(DecodeError) -> Int {
    let start = reader.offset
    var value = 0
    var shift = 0
    while true {
      let byte = try reader.readUInt8(what)
      value |= Int(byte & 0x7F) << shift
      if byte < 0x80 {
        if byte == 0, shift > 0, version == .v5 { report(.lengthNotMinimal, at: start) }
        return value
      }
      shift += 7
      guard shift < 28 else { throw failure(.remainingLength, at: start) }
    }
  }

  /// The bytes of a text field, checked.
  @_lifetime(copy self)
  mutating func textBytes(_ what: StaticString) throws(DecodeError) -> RawSpan {
    let start = reader.offset
    let count = Int(try reader.readUInt16(what))
    let bytes = try reader.readSpan(count, what)
    if let problem = MQTTText.problem(in: bytes) { report(problem, at: start, "\(what)") }
    return bytes
  }

  mutating func text(_ what: StaticString) throws(DecodeError) -> String {
    MQTTText.string(try textBytes(what))
  }

  mutating func binary(_ what: StaticString) throws(DecodeError) -> [UInt8] {
    let count = Int(try reader.readUInt16(what))
    return try reader.readBytes(count, what)
  }

  /// The identifier of a packet that begins an exchange.
  mutating func packetID() throws(DecodeError) -> UInt16 {
    let start = reader.offset
    let id = try reader.readUInt16("packet identifier")
    if id == 0 {
      report(direction == .toClient ? .packetIDZeroFromServer : .packetIDZeroFromClient, at: start)
    }
    return id
  }

  /// The identifier of a packet that answers one.
  mutating func answeredPacketID(_ rule: MQTTRule) throws(DecodeError) -> UInt16 {
    let start = reader.offset
    let id = try reader.readUInt16("packet identifier")
    if id == 0 { report(rule, at: start, "packet identifier 0") }
    return id
  }

  mutating func end() throws(DecodeError) {
    guard reader.isAtEnd else {
      throw failure(.trailingBytes, at: reader.offset, "\(reader.remaining) bytes are left over")
    }
  }

  // MARK: Fixed header

  /// Reads type, flags and Remaining Length, which must be that of the bytes.
  mutating func fixedHeader() throws(DecodeError) -> (type: MQTTPacketType, flags: UInt8) {
    let first = try reader.readUInt8("fixed header")
    guard let type = MQTTPacketType(rawValue: first >> 4) else {
      throw failure(.reservedPacketType, at: 0)
    }
    // AUTH came with 5.0; before, its number was reserved.
    if type == .auth, version == .v3_1 || version == .v3_1_1 {
      throw failure(.reservedPacketType, at: 0)
    }
    let length = try variableByteInteger("Remaining Length")
    guard reader.remaining == length else {
      throw DecodeError(
        offset: reader.offset,
        expected: "\(type.name): \(length) bytes by its Remaining Length, not \(reader.remaining)")
    }
    return (type, first & 0x0F)
  }

  /// Checks what needs the version: CONNECT tells it only after its header.
  mutating func checkHeader(_ type: MQTTPacketType, flags: UInt8) {
    if let required = type.requiredFlags, flags != required {
      // 3.1 gives these three a DUP flag, and calls the flags of others unused (3.1 §2.1).
      if version != .v3_1 { report(Self.flagRule(type), at: 0, "not \(flags)") }
    }
    if let sender = direction, sender != (Self.onlySender(of: type, version) ?? sender) {
      let end = sender == .toClient ? "server" : "client"
      report(.wrongDirection, at: 0, "\(type.name) from the \(end)")
    }
  }

  private static func flagRule(_ type: MQTTPacketType) -> MQTTRule {
    switch type {
    case .pubrel: .pubrelFlags
    case .subscribe: .subscribeFlags
    case .unsubscribe: .unsubscribeFlags
    case .disconnect: .disconnectFlags
    case .auth: .authFlags
    case .connect, .connack, .publish, .puback, .pubrec, .pubcomp, .suback, .unsuback, .pingreq,
      .pingresp:
      .reservedFlags
    }
  }

  private static func onlySender(of type: MQTTPacketType, _ version: MQTTVersion) -> Direction? {
    switch type {
    case .connect, .subscribe, .unsubscribe, .pingreq: .toServer
    case .connack, .suback, .unsuback, .pingresp: .toClient
    case .disconnect: version == .v3_1 || version == .v3_1_1 ? .toServer : nil
    case .publish, .puback, .pubrec, .pubrel, .pubcomp, .auth: nil
    }
  }
}
