extension MQTTPacket {
  /// Writes the packet as `version` has it; `unknown` writes 3.1.1.
  ///
  /// The shortest form that says the same: in 5.0 an acknowledgement without properties leaves
  /// them out, and a reason code of 0 too. What a version has no place for (properties before
  /// 5.0, say) isn't written. Nothing is checked: bad packets have to be made as well, to see what
  /// the other end does. A text or binary field has at most 65,535 bytes.
  public func encode(version: MQTTVersion) -> [UInt8] {
    var bytes: [UInt8] = []
    encode(version: version, into: &bytes)
    return bytes
  }

  /// Appends the packet to `bytes`. A CONNECT is written in its own version.
  public func encode(version: MQTTVersion, into bytes: inout [UInt8]) {
    var writer = MQTTPacketWriter(version: version)
    let flags = writer.body(of: self)
    bytes.append(type.rawValue << 4 | flags)
    MQTTPacketWriter.append(variable: writer.bytes.count, to: &bytes)
    bytes += writer.bytes
  }
}

/// Writes what follows the fixed header of a packet.
private struct MQTTPacketWriter {
  var version: MQTTVersion
  var bytes: [UInt8] = []

  init(version: MQTTVersion) { self.version = version }

  /// Returns the flags of the fixed header.
  mutating func body(of packet: MQTTPacket) -> UInt8 {
    switch packet {
    case .connect(let connect): write(connect)
    case .connack(let connack):
      bytes.append(connack.sessionPresent ? 1 : 0)
      bytes.append(connack.reasonCode.rawValue)
      write(connack.properties)
    case .publish(let publish): return write(publish)
    case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
      write(packet.packetID)
      write(packet.reasonCode, packet.properties)
    case .subscribe(let subscribe): write(subscribe)
    case .suback(let suback):
      write(suback.packetID)
      write(suback.properties)
      bytes += suback.reasonCodes.map(\.rawValue)
    case .unsubscribe(let unsubscribe):
      write(unsubscribe.packetID)
      write(unsubscribe.properties)
      for filter in unsubscribe.filters { write(filter) }
    case .unsuback(let unsuback):
      write(unsuback.packetID)
      write(unsuback.properties)
      if version == .v5 { bytes += unsuback.reasonCodes.map(\.rawValue) }
    case .pingreq, .pingresp: break
    case .disconnect(let disconnect): write(disconnect.reasonCode, disconnect.properties)
    case .auth(let auth):
      // Unlike the others, AUTH has no form with a reason code alone (§3.15.2.1).
      if auth.reasonCode != .success || !auth.properties.isEmpty {
        bytes.append(auth.reasonCode.rawValue)
        write(auth.properties)
      }
    }
    return packet.type.requiredFlags ?? 0
  }

  // MARK: Packets

  private mutating func write(_ connect: MQTTConnect) {
    version = connect.version == .unknown ? .v3_1_1 : connect.version
    write(version == .v3_1 ? "MQIsdp" : "MQTT")
    bytes.append(version.rawValue | (connect.isBridge ? 0x80 : 0))
    var flags: UInt8 = connect.cleanStart ? 0x02 : 0
    if let will = connect.will {
      flags |= 0x04 | will.qos.rawValue << 3 | (will.retain ? 0x20 : 0)
    }
    if connect.password != nil { flags |= 0x40 }
    if connect.userName != nil { flags |= 0x80 }
    bytes.append(flags)
    write(connect.keepAlive)
    write(connect.properties)
    write(connect.clientIdentifier)
    if let will = connect.will {
      write(will.properties)
      write(will.topic)
      write(will.payload)
    }
    if let userName = connect.userName { write(userName) }
    if let password = connect.password { write(password) }
  }

  private mutating func write(_ publish: MQTTPublish) -> UInt8 {
    write(publish.topic)
    if publish.qos != .atMostOnce { write(publish.packetID ?? 0) }
    write(publish.properties)
    bytes += publish.payload
    return (publish.duplicate ? 0b1000 : 0) | publish.qos.rawValue << 1 | (publish.retain ? 1 : 0)
  }

  private mutating func write(_ subscribe: MQTTSubscribe) {
    write(subscribe.packetID)
    write(subscribe.properties)
    for subscription in subscribe.subscriptions {
      write(subscription.filter)
      var options = subscription.qos.rawValue
      if version == .v5 {
        if subscription.noLocal { options |= 0b100 }
        if subscription.retainAsPublished { options |= 0b1000 }
        options |= subscription.retainHandling.rawValue << 4
      }
      bytes.append(options)
    }
  }

  /// Reason code and properties of an acknowledgement or DISCONNECT, as far as needed.
  private mutating func write(_ code: MQTTReasonCode, _ properties: MQTTProperties) {
    guard version == .v5, code != .success || !properties.isEmpty else { return }
    bytes.append(code.rawValue)
    if !properties.isEmpty { write(properties) }
  }

  // MARK: Fields

  private mutating func write(_ properties: MQTTProperties) {
    guard version == .v5 else { return }
    var block = MQTTPacketWriter(version: version)
    for property in properties.list { block.write(property) }
    Self.append(variable: block.bytes.count, to: &bytes)
    bytes += block.bytes
  }

  private mutating func write(_ property: MQTTProperty) {
    bytes.append(property.id.rawValue)
    switch property {
    case .payloadFormatIndicator(let value), .requestProblemInformation(let value),
      .requestResponseInformation(let value), .maximumQoS(let value), .retainAvailable(let value),
      .wildcardSubscriptionAvailable(let value), .subscriptionIdentifiersAvailable(let value),
      .sharedSubscriptionAvailable(let value):
      bytes.append(value)
    case .serverKeepAlive(let value), .receiveMaximum(let value), .topicAliasMaximum(let value),
      .topicAlias(let value):
      write(value)
    case .messageExpiryInterval(let value), .sessionExpiryInterval(let value),
      .willDelayInterval(let value), .maximumPacketSize(let value):
      write(UInt16(value >> 16))
      write(UInt16(truncatingIfNeeded: value))
    case .subscriptionIdentifier(let value): Self.append(variable: Int(value), to: &bytes)
    case .contentType(let text), .responseTopic(let text), .assignedClientIdentifier(let text),
      .authenticationMethod(let text), .responseInformation(let text), .serverReference(let text),
      .reasonString(let text):
      write(text)
    case .correlationData(let value), .authenticationData(let value): write(value)
    case .userProperty(let name, let value):
      write(name)
      write(value)
    }
  }

  private mutating func write(_ value: UInt16) {
    bytes.append(UInt8(value >> 8))
    bytes.append(UInt8(truncatingIfNeeded: value))
  }

  private mutating func write(_ text: String) {
    write(UInt16(text.utf8.count))
    bytes += text.utf8
  }

  private mutating func write(_ value: [UInt8]) {
    write(UInt16(value.count))
    bytes += value
  }

  static func append(variable value: Int, to bytes: inout [UInt8]) {
    precondition((0...268_435_455).contains(value), "four bytes of seven bits")
    var rest = value
    repeat {
      let group = UInt8(rest & 0x7F)
      rest >>= 7
      bytes.append(rest > 0 ? group | 0x80 : group)
    } while rest > 0
  }
}
