/// One control packet.
public enum MQTTPacket: Hashable, Sendable {
  case connect(MQTTConnect)
  case connack(MQTTConnack)
  case publish(MQTTPublish)
  case puback(MQTTAcknowledgement)
  case pubrec(MQTTAcknowledgement)
  case pubrel(MQTTAcknowledgement)
  case pubcomp(MQTTAcknowledgement)
  case subscribe(MQTTSubscribe)
  case suback(MQTTSuback)
  case unsubscribe(MQTTUnsubscribe)
  case unsuback(MQTTUnsuback)
  case pingreq
  case pingresp
  case disconnect(MQTTDisconnect)
  case auth(MQTTAuth)

  public var type: MQTTPacketType {
    switch self {
    case .connect: .connect
    case .connack: .connack
    case .publish: .publish
    case .puback: .puback
    case .pubrec: .pubrec
    case .pubrel: .pubrel
    case .pubcomp: .pubcomp
    case .subscribe: .subscribe
    case .suback: .suback
    case .unsubscribe: .unsubscribe
    case .unsuback: .unsuback
    case .pingreq: .pingreq
    case .pingresp: .pingresp
    case .disconnect: .disconnect
    case .auth: .auth
    }
  }

  /// The packet identifier, for the packets that have one.
  public var packetID: UInt16? {
    switch self {
    case .publish(let packet): packet.packetID
    case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
      packet.packetID
    case .subscribe(let packet): packet.packetID
    case .suback(let packet): packet.packetID
    case .unsubscribe(let packet): packet.packetID
    case .unsuback(let packet): packet.packetID
    case .connect, .connack, .pingreq, .pingresp, .disconnect, .auth: nil
    }
  }
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP, which look alike (§3.4 to §3.7).
///
/// 3.x has the identifier only; 5.0 may leave out properties, and then a reason code of 0.
public struct MQTTAcknowledgement: Hashable, Sendable {
  public var packetID: UInt16
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(
    packetID: UInt16, reasonCode: MQTTReasonCode = .success, properties: MQTTProperties = []
  ) {
    self.packetID = packetID
    self.reasonCode = reasonCode
    self.properties = properties
  }
}

/// DISCONNECT (§3.14). In 3.x it is empty and only a client sends it.
public struct MQTTDisconnect: Hashable, Sendable {
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(
    reasonCode: MQTTReasonCode = .normalDisconnection, properties: MQTTProperties = []
  ) {
    self.reasonCode = reasonCode
    self.properties = properties
  }
}

/// AUTH (5.0 §3.15): enhanced authentication, and its repetition while connected.
public struct MQTTAuth: Hashable, Sendable {
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(reasonCode: MQTTReasonCode = .success, properties: MQTTProperties = []) {
    self.reasonCode = reasonCode
    self.properties = properties
  }
}
