import Wire

/// A property where it lies: its value as a number, or where its bytes are in the packet.
private struct RawProperty {
  var id: MQTTPropertyID
  var number: UInt32 = 0
  /// Text or bytes without their length; the name of a user property.
  var bytes: Range<Int> = 0..<0
  /// The value of a user property.
  var second: Range<Int> = 0..<0
  var offset: Int
}

/// What the reader of a PUBLISH wants of its properties, without copying any.
struct MQTTPropertyGlance {
  var topicAlias: UInt16?
  var messageExpiryInterval: UInt32?
  /// Bit n: the property with identifier n is there. Identifiers end at 0x2A.
  var seen: UInt64 = 0
}

extension MQTTPacketReader {
  /// Reads a property block with its length.
  mutating func properties(in place: MQTTPropertyPlace) throws(DecodeError) -> MQTTProperties {
    guard version == .v5 else { return [] }
    guard let end = try propertyBlockEnd() else { return [] }
    var properties = MQTTProperties()
    var seen: UInt64 = 0
    while reader.offset < end {
      let raw = try nextProperty(before: end)
      check(raw, in: place, seen: &seen)
      properties.list.append(owned(raw))
    }
    checkTogether(seen, in: place)
    return properties
  }

  /// Checks a property block as `properties` does, without an allocation for a good one.
  mutating func glanceAtProperties(
    in place: MQTTPropertyPlace
  ) throws(DecodeError) -> MQTTPropertyGlance {
    var glance = MQTTPropertyGlance()
    guard version == .v5, let end = try propertyBlockEnd() else { return glance }
    while reader.offset < end {
      let raw = try nextProperty(before: end)
      check(raw, in: place, seen: &glance.seen)
      if raw.id == .topicAlias, glance.topicAlias == nil {
        glance.topicAlias = UInt16(truncatingIfNeeded: raw.number)
      } else if raw.id == .messageExpiryInterval, glance.messageExpiryInterval == nil {
        glance.messageExpiryInterval = raw.number
      }
    }
    return glance
  }

  /// Where the block ends; `nil` when its length is missing because the packet ends here, as in
  /// the CONNACK with which a server of 3.1.1 refuses a client of 5.0.
  private mutating func propertyBlockEnd() throws(DecodeError) -> Int? {
    let start = reader.offset
    guard !reader.isAtEnd else {
      report(.propertyLengthMissing, at: start)
      return nil
    }
    let length = try variableByteInteger("Property Length")
    guard length <= reader.remaining else {
      throw failure(
        .propertyLength, at: start, "\(length) bytes, but only \(reader.remaining) are left")
    }
    return reader.offset + length
  }

  private mutating func nextProperty(before end: Int) throws(DecodeError) -> RawProperty {
    let start = reader.offset
    // A variable byte integer, but all that are defined have one byte.
    let number = try variableByteInteger("property identifier")
    guard let id = UInt8(exactly: number).flatMap(MQTTPropertyID.init(rawValue:)) else {
      throw failure(.propertyUnknown, at: start, "not \(number)")
    }
    var raw = RawProperty(id: id, offset: start)
    switch id.valueKind {
    case .byte: raw.number = UInt32(try reader.readUInt8("property value"))
    case .twoBytes: raw.number = UInt32(try reader.readUInt16("property value"))
    case .fourBytes: raw.number = try reader.readUInt32("property value")
    case .variable: raw.number = UInt32(try variableByteInteger("property value"))
    case .text: raw.bytes = try rangeOfText(checked: true)
    case .bytes: raw.bytes = try rangeOfText(checked: false)
    case .textPair:
      raw.bytes = try rangeOfText(checked: true)
      raw.second = try rangeOfText(checked: true)
    }
    guard reader.offset <= end else {
      throw failure(.propertyLength, at: start, "\(id.name) reaches beyond it")
    }
    return raw
  }

  private mutating func rangeOfText(checked: Bool) throws(DecodeError) -> Range<Int> {
    let start = reader.offset + 2
    if checked {
      _ = try textBytes("property text")
    } else {
      let count = Int(try reader.readUInt16("property value"))
      try reader.skip(count, "property value")
    }
    return start..<reader.offset
  }

  /// Copies the value out.
  private func owned(_ raw: RawProperty) -> MQTTProperty {
    func text(_ range: Range<Int>) -> String { MQTTText.string(packet.extracting(range)) }
    func bytes() -> [UInt8] {
      unsafe packet.extracting(raw.bytes).withUnsafeBytes { unsafe Array($0) }
    }
    let byte = UInt8(truncatingIfNeeded: raw.number)
    let short = UInt16(truncatingIfNeeded: raw.number)
    return switch raw.id {
    case .payloadFormatIndicator: .payloadFormatIndicator(byte)
    case .messageExpiryInterval: .messageExpiryInterval(raw.number)
    case .contentType: .contentType(text(raw.bytes))
    case .responseTopic: .responseTopic(text(raw.bytes))
    case .correlationData: .correlationData(bytes())
    case .subscriptionIdentifier: .subscriptionIdentifier(raw.number)
    case .sessionExpiryInterval: .sessionExpiryInterval(raw.number)
    case .assignedClientIdentifier: .assignedClientIdentifier(text(raw.bytes))
    case .serverKeepAlive: .serverKeepAlive(short)
    case .authenticationMethod: .authenticationMethod(text(raw.bytes))
    case .authenticationData: .authenticationData(bytes())
    case .requestProblemInformation: .requestProblemInformation(byte)
    case .willDelayInterval: .willDelayInterval(raw.number)
    case .requestResponseInformation: .requestResponseInformation(byte)
    case .responseInformation: .responseInformation(text(raw.bytes))
    case .serverReference: .serverReference(text(raw.bytes))
    case .reasonString: .reasonString(text(raw.bytes))
    case .receiveMaximum: .receiveMaximum(short)
    case .topicAliasMaximum: .topicAliasMaximum(short)
    case .topicAlias: .topicAlias(short)
    case .maximumQoS: .maximumQoS(byte)
    case .retainAvailable: .retainAvailable(byte)
    case .userProperty: .userProperty(name: text(raw.bytes), value: text(raw.second))
    case .maximumPacketSize: .maximumPacketSize(raw.number)
    case .wildcardSubscriptionAvailable: .wildcardSubscriptionAvailable(byte)
    case .subscriptionIdentifiersAvailable: .subscriptionIdentifiersAvailable(byte)
    case .sharedSubscriptionAvailable: .sharedSubscriptionAvailable(byte)
    }
  }

  // MARK: Limits

  /// Reports what one property breaks by its place, its repetition or its value.
  private mutating func check(
    _ raw: RawProperty, in place: MQTTPropertyPlace, seen: inout UInt64
  ) {
    let bit = raw.id.bit
    if !raw.id.isAllowed(in: place) {
      report(.propertyMisplaced, at: raw.offset, "\(raw.id.name) in \(place.name)")
    } else if seen & bit != 0, !raw.id.mayRepeat(in: place) {
      reportProperty(.propertyRepeated, raw, "\(raw.id.name) twice")
    }
    seen |= bit
    switch raw.id {
    case .topicAlias:
      if raw.number == 0 { report(.topicAliasZero, at: raw.offset) }
    case .responseTopic:
      if MQTTText.hasWildcard(packet.extracting(raw.bytes)) {
        report(.responseTopicWildcard, at: raw.offset)
      }
    case .subscriptionIdentifier:
      if raw.number == 0 { reportValue(raw) }
      if place == .packet(.publish), direction == .toServer {
        report(.subscriptionIDFromClient, at: raw.offset)
      }
    case .sessionExpiryInterval:
      if place == .packet(.disconnect), direction == .toClient {
        report(.sessionExpiryFromServer, at: raw.offset)
      }
    case .receiveMaximum, .maximumPacketSize:
      if raw.number == 0 { reportValue(raw) }
    case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation,
      .maximumQoS, .retainAvailable, .wildcardSubscriptionAvailable,
      .subscriptionIdentifiersAvailable, .sharedSubscriptionAvailable:
      if raw.number > 1 { reportValue(raw) }
    case .messageExpiryInterval, .contentType, .correlationData, .assignedClientIdentifier,
      .serverKeepAlive, .authenticationMethod, .authenticationData, .willDelayInterval,
      .responseInformation, .serverReference, .reasonString, .topicAliasMaximum, .userProperty:
      break
    }
  }

  /// Reports what properties break by standing together, or not.
  private mutating func checkTogether(_ seen: UInt64, in place: MQTTPropertyPlace) {
    let hasMethod = seen & MQTTPropertyID.authenticationMethod.bit != 0
    if seen & MQTTPropertyID.authenticationData.bit != 0, !hasMethod {
      report(.authenticationDataWithoutMethod, at: reader.offset)
    } else if place == .packet(.auth), !hasMethod {
      report(.authenticationMethodMissing, at: reader.offset)
    }
  }

  private mutating func reportValue(_ raw: RawProperty) {
    reportProperty(.propertyValue, raw, "\(raw.id.name) \(raw.number)")
  }

  /// These rules stand without a number in the section of each property.
  private mutating func reportProperty(_ rule: MQTTRule, _ raw: RawProperty, _ detail: String) {
    violations.append(
      MQTTViolation(
        statement: "§\(raw.id.section)", text: "\(rule.text): \(detail)", offset: raw.offset))
  }
}

extension MQTTPropertyPlace {
  fileprivate var name: String {
    switch self {
    case .packet(let type): type.name
    case .will: "the will"
    }
  }
}

extension MQTTPropertyID {
  /// Its place in a set of properties: the greatest identifier is 0x2A.
  var bit: UInt64 { 1 << UInt64(rawValue) }

  /// How the value lies on the wire (MQTT 5.0 §2.2.2.2, table 2-4).
  enum ValueKind { case byte, twoBytes, fourBytes, variable, text, bytes, textPair }

  var valueKind: ValueKind {
    switch self {
    case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation,
      .maximumQoS, .retainAvailable, .wildcardSubscriptionAvailable,
      .subscriptionIdentifiersAvailable, .sharedSubscriptionAvailable:
      .byte
    case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias: .twoBytes
    case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval, .maximumPacketSize:
      .fourBytes
    case .subscriptionIdentifier: .variable
    case .contentType, .responseTopic, .assignedClientIdentifier, .authenticationMethod,
      .responseInformation, .serverReference, .reasonString:
      .text
    case .correlationData, .authenticationData: .bytes
    case .userProperty: .textPair
    }
  }
}
