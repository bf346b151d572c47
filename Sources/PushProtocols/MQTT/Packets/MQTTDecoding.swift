public import Wire

/// A packet that could be read, and what is wrong with it nevertheless.
public struct MQTTDecoded: Hashable, Sendable {
  public var packet: MQTTPacket
  /// What the standard forbids although it can be read; empty for a good packet.
  public var violations: [MQTTViolation]
  /// The format that the packet was read in. `unknown`: no CONNECT was seen, and both 3.1.1 and
  /// 5.0 can read these bytes.
  public var version: MQTTVersion
  /// What the other format makes of the same bytes, where `version` is `unknown` and it matters.
  public var alternative: MQTTPacket?
}

extension MQTTPacket {
  /// Reads one whole packet, fixed header and all.
  ///
  /// With `version` `unknown` both formats are tried. When only one can read the bytes, that is
  /// proof, and `MQTTDecoded.version` says so; when both read the same, there is nothing to
  /// choose. Else `packet` is what the format that finds no fault makes of it, 5.0 first (text
  /// hardly ever looks like a property block), and `alternative` is the other. A CONNECT is read
  /// by its own level whatever `version` says.
  ///
  /// - Throws: `DecodeError` when the bytes can't be read, with the offset in the packet.
  public static func decode(
    _ bytes: RawSpan, version: MQTTVersion, direction: Direction? = nil
  ) throws(DecodeError) -> MQTTDecoded {
    guard version == .unknown else {
      return try decodeKnown(bytes, version: version, direction: direction)
    }
    let old: MQTTDecoded
    do {
      old = try decodeKnown(bytes, version: .v3_1_1, direction: direction)
    } catch {
      return try decodeKnown(bytes, version: .v5, direction: direction)
    }
    if case .connect = old.packet { return old }
    guard var new = try? decodeKnown(bytes, version: .v5, direction: direction) else {
      return old
    }
    if new.hasNoPropertyLength { return old }
    new.version = .unknown
    if new.packet == old.packet {
      // Only 5.0 lets a server send DISCONNECT, and so on: what either allows breaks no rule.
      if old.violations.count < new.violations.count { new.violations = old.violations }
      return new
    }
    if new.violations.count <= old.violations.count {
      new.alternative = old.packet
      return new
    }
    return MQTTDecoded(
      packet: old.packet, violations: old.violations, version: .unknown, alternative: new.packet)
  }

  public static func decode(
    _ bytes: [UInt8], version: MQTTVersion, direction: Direction? = nil
  ) throws(DecodeError) -> MQTTDecoded {
    unsafe try decode(bytes.span.bytes, version: version, direction: direction)
  }

  private static func decodeKnown(
    _ bytes: RawSpan, version: MQTTVersion, direction: Direction?
  ) throws(DecodeError) -> MQTTDecoded {
    var reader = MQTTPacketReader(bytes, version: version, direction: direction)
    let header = try reader.fixedHeader()
    // CONNECT checks its header itself, as soon as it knows the version.
    if header.type != .connect { reader.checkHeader(header.type, flags: header.flags) }
    let packet = try reader.body(of: header.type, flags: header.flags)
    return MQTTDecoded(packet: packet, violations: reader.violations, version: reader.version)
  }
}

extension MQTTDecoded {
  /// The property block is missing altogether: 5.0 was the wrong format to read it in.
  var hasNoPropertyLength: Bool {
    violations.contains { $0.statement == MQTTRule.propertyLengthMissing.statement(in: .v5) }
  }
}

extension MQTTPacketReader {
  /// Reads what follows the fixed header.
  mutating func body(of type: MQTTPacketType, flags: UInt8) throws(DecodeError) -> MQTTPacket {
    switch type {
    case .connect: .connect(try connect(flags: flags))
    case .connack: .connack(try connack())
    case .publish: .publish(try publish(flags: flags).owned(in: packet))
    case .puback: .puback(try acknowledgement(.puback, .pubackCode))
    case .pubrec: .pubrec(try acknowledgement(.pubrec, .pubrecCode))
    case .pubrel: .pubrel(try acknowledgement(.pubrel, .pubrelCode))
    case .pubcomp: .pubcomp(try acknowledgement(.pubcomp, .pubcompCode))
    case .subscribe: .subscribe(try subscribe())
    case .suback: .suback(try suback())
    case .unsubscribe: .unsubscribe(try unsubscribe())
    case .unsuback: .unsuback(try unsuback())
    case .pingreq: try empty(.pingreq)
    case .pingresp: try empty(.pingresp)
    case .disconnect: .disconnect(try disconnect())
    case .auth: .auth(try auth())
    }
  }

  private mutating func empty(_ packet: MQTTPacket) throws(DecodeError) -> MQTTPacket {
    try end()
    return packet
  }

  /// PUBACK, PUBREC, PUBREL, PUBCOMP (§3.4 to §3.7).
  private mutating func acknowledgement(
    _ type: MQTTPacketType, _ codeRule: MQTTRule
  ) throws(DecodeError) -> MQTTAcknowledgement {
    var packet = MQTTAcknowledgement(
      packetID: try answeredPacketID(.packetIDZeroInAcknowledgement))
    if version == .v5, !reader.isAtEnd {
      packet.reasonCode = try reasonCode(in: type, codeRule)
      if !reader.isAtEnd { packet.properties = try properties(in: .packet(type)) }
    }
    try end()
    return packet
  }

  private mutating func reasonCode(
    in type: MQTTPacketType, _ rule: MQTTRule
  ) throws(DecodeError) -> MQTTReasonCode {
    let start = reader.offset
    let code = MQTTReasonCode(try reader.readUInt8("reason code"))
    let isAllowed =
      version == .v5 ? code.isAllowed(in: type, from: direction) : code.isAllowed3(in: type)
    if !isAllowed { report(rule, at: start, "\(type.name) with \(code.hexadecimal)") }
    return code
  }

  private mutating func reasonCodes(
    in type: MQTTPacketType, _ rule: MQTTRule
  ) throws(DecodeError) -> [MQTTReasonCode] {
    var codes: [MQTTReasonCode] = []
    codes.reserveCapacity(reader.remaining)
    while !reader.isAtEnd { codes.append(try reasonCode(in: type, rule)) }
    return codes
  }

  /// SUBACK (§3.9).
  private mutating func suback() throws(DecodeError) -> MQTTSuback {
    let id = try answeredPacketID(.packetIDZeroInSubscriptionAcknowledgement)
    let properties = try properties(in: .packet(.suback))
    let codes = try reasonCodes(in: .suback, .subackCode)
    if codes.isEmpty { report(.subackEmpty, at: reader.offset) }
    return MQTTSuback(packetID: id, reasonCodes: codes, properties: properties)
  }

  /// UNSUBACK (§3.11): before 5.0 without codes.
  private mutating func unsuback() throws(DecodeError) -> MQTTUnsuback {
    let id = try answeredPacketID(.packetIDZeroInSubscriptionAcknowledgement)
    guard version == .v5 else {
      try end()
      return MQTTUnsuback(packetID: id)
    }
    let properties = try properties(in: .packet(.unsuback))
    let codes = try reasonCodes(in: .unsuback, .unsubackCode)
    if codes.isEmpty { report(.unsubackEmpty, at: reader.offset) }
    return MQTTUnsuback(packetID: id, reasonCodes: codes, properties: properties)
  }

  /// DISCONNECT (§3.14): empty before 5.0; in 5.0 empty stands for reason code 0.
  private mutating func disconnect() throws(DecodeError) -> MQTTDisconnect {
    var packet = MQTTDisconnect()
    if version == .v5 {
      if !reader.isAtEnd {
        packet.reasonCode = try reasonCode(in: .disconnect, .disconnectCode)
        if !reader.isAtEnd { packet.properties = try properties(in: .packet(.disconnect)) }
      } else if direction == .toClient {
        report(.disconnectCode, at: reader.offset, "DISCONNECT with 0x00 from the server")
      }
    }
    try end()
    return packet
  }

  /// AUTH (5.0 §3.15): empty stands for reason code 0.
  private mutating func auth() throws(DecodeError) -> MQTTAuth {
    var packet = MQTTAuth()
    if !reader.isAtEnd {
      packet.reasonCode = try reasonCode(in: .auth, .authCode)
      packet.properties = try properties(in: .packet(.auth))
    } else if direction == .toServer {
      report(.authCode, at: reader.offset, "AUTH with 0x00 from the client")
    }
    try end()
    return packet
  }
}
