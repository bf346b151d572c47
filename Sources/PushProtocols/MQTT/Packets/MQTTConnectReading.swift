import Wire

/// The bits of the connect flags byte (§3.1.2.3).
private enum ConnectFlag {
  static let reserved: UInt8 = 0x01
  static let cleanStart: UInt8 = 0x02
  static let will: UInt8 = 0x04
  static let willRetain: UInt8 = 0x20
  static let password: UInt8 = 0x40
  static let userName: UInt8 = 0x80
}

extension MQTTPacketReader {
  /// Reads what follows the fixed header of a CONNECT (§3.1); sets `version`.
  mutating func connect(flags: UInt8) throws(DecodeError) -> MQTTConnect {
    let isBridge = try protocolLevel()
    checkHeader(.connect, flags: flags)

    let flagsOffset = reader.offset
    let connectFlags = try reader.readUInt8("connect flags")
    let willQoS = try checkedWillQoS(connectFlags, at: flagsOffset)
    let keepAlive = try reader.readUInt16("keep alive")
    let properties = try properties(in: .packet(.connect))

    var packet = MQTTConnect(
      version: version, clientIdentifier: "",
      cleanStart: connectFlags & ConnectFlag.cleanStart != 0,
      keepAlive: keepAlive, properties: properties, isBridge: isBridge)
    packet.clientIdentifier = try clientIdentifier(cleanStart: packet.cleanStart)
    if connectFlags & ConnectFlag.will != 0 {
      packet.will = try will(qos: willQoS, retain: connectFlags & ConnectFlag.willRetain != 0)
    }
    if connectFlags & ConnectFlag.userName != 0, try isPresent(.userNameMissing) {
      packet.userName = try text("user name")
    }
    if connectFlags & ConnectFlag.password != 0, try isPresent(.passwordMissing) {
      packet.password = try binary("password")
    }
    try end()
    return packet
  }

  /// Reads protocol name and level. Returns whether the level has the mark of a bridge.
  private mutating func protocolLevel() throws(DecodeError) -> Bool {
    let start = reader.offset
    let name = try text("protocol name")
    guard name == "MQTT" || name == "MQIsdp" else {
      throw failure(.protocolName, at: start, "not '\(name)'")
    }
    let levelOffset = reader.offset
    let level = try reader.readUInt8("protocol level")
    guard let version = MQTTVersion(rawValue: level & 0x7F), version != .unknown else {
      throw failure(.protocolLevel, at: levelOffset, "not \(level)")
    }
    self.version = version
    if (name == "MQIsdp") != (version == .v3_1) {
      report(.protocolName, at: start, "'\(name)' with level \(level)")
    }
    return level & 0x80 != 0
  }

  private mutating func checkedWillQoS(
    _ flags: UInt8, at offset: Int
  ) throws(DecodeError) -> MQTTQoS {
    if flags & ConnectFlag.reserved != 0, version != .v3_1 {
      report(.connectReservedFlag, at: offset)
    }
    let qos = MQTTQoS(rawValue: flags >> 3 & 3)
    if flags & ConnectFlag.will != 0 {
      guard qos != nil else { throw failure(.willQoS3, at: offset) }
    } else {
      if qos != .atMostOnce { report(.willQoSWithoutWill, at: offset) }
      if flags & ConnectFlag.willRetain != 0 { report(.willRetainWithoutWill, at: offset) }
    }
    // 5.0 allows a password alone: it may be any credential (§3.1.2.9).
    if flags & (ConnectFlag.userName | ConnectFlag.password) == ConnectFlag.password,
      version != .v5
    {
      report(.passwordWithoutUserName, at: offset)
    }
    return qos ?? .atMostOnce
  }

  private mutating func clientIdentifier(cleanStart: Bool) throws(DecodeError) -> String {
    let start = reader.offset
    _ = try isPresent(.clientIdentifierMissing)
    let identifier = try text("client identifier")
    if version == .v3_1 {
      if !(1...23).contains(identifier.unicodeScalars.count) {
        report(.clientIdentifierLength, at: start, "'\(identifier)'")
      }
    } else if version == .v3_1_1, identifier.isEmpty, !cleanStart {
      report(.emptyClientIdentifier, at: start)
    }
    return identifier
  }

  private mutating func will(qos: MQTTQoS, retain: Bool) throws(DecodeError) -> MQTTWill {
    _ = try isPresent(.willMissing)
    let properties = try properties(in: .will)
    let topicOffset = reader.offset
    _ = try isPresent(.willMissing)
    let bytes = try textBytes("will topic")
    if bytes.byteCount == 0 { report(.topicEmpty, at: topicOffset) }
    if MQTTText.hasWildcard(bytes) { report(.wildcardInWillTopic, at: topicOffset) }
    _ = try isPresent(.willMissing)
    return MQTTWill(
      topic: MQTTText.string(bytes), payload: try binary("will payload"), qos: qos,
      retain: retain, properties: properties)
  }

  /// Whether there is anything left for a field that a flag announces.
  ///
  /// 3.1 (§3.1) lets a server treat a user name or password that isn't there as not sent, whatever
  /// the flags say; all later versions refuse the packet.
  private func isPresent(_ rule: MQTTRule) throws(DecodeError) -> Bool {
    if !reader.isAtEnd { return true }
    if version == .v3_1, rule == .userNameMissing || rule == .passwordMissing { return false }
    throw failure(rule, at: reader.offset)
  }

  /// Reads what follows the fixed header of a CONNACK (§3.2).
  mutating func connack() throws(DecodeError) -> MQTTConnack {
    let start = reader.offset
    let flags = try reader.readUInt8("acknowledge flags")
    // 3.1 has no session present flag: the byte is reserved, and its value means nothing.
    if flags & 0xFE != 0, version != .v3_1 { report(.connackFlags, at: start) }
    let codeOffset = reader.offset
    let code = MQTTReasonCode(try reader.readUInt8("reason code"))
    let isAllowed = version == .v5 ? code.isAllowed(in: .connack) : code.isAllowed3(in: .connack)
    if !isAllowed { report(.connackCode, at: codeOffset, "CONNACK with \(code.hexadecimal)") }
    let sessionPresent = flags & 1 != 0 && version != .v3_1
    if sessionPresent, code.rawValue != 0 { report(.sessionPresentOnRefusal, at: start) }
    let properties = try properties(in: .packet(.connack))
    try end()
    return MQTTConnack(sessionPresent: sessionPresent, reasonCode: code, properties: properties)
  }
}
