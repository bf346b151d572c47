/// What one end must not write. Raw values are what a ledger keeps and a machine blames its peer
/// for; 0 is "nothing".
enum MQTTConduct: UInt16, CaseIterable, Sendable {
  case none
  case connectFirst, secondConnect, connackFirst, secondConnack
  case serverOverWindow, clientOverWindow
  case serverReusesPacket, clientReusesPacket
  case serverPublishAfterPubrec, clientPublishAfterPubrec
  case serverResendsWithoutDuplicate, clientResendsWithoutDuplicate
  case serverResendsOnConnection, clientResendsOnConnection
  case sessionPresentAfterCleanStart
  case afterDisconnect
  case deliversExpired
  case refusesFreePacket
  case noPacket
  case wrongDirection
  case wrongAcknowledgement

  var text: String {
    switch self {
    case .none: "nothing forbidden"
    case .connectFirst: "MQTT-3.1.0-1: the first packet of a client is not CONNECT"
    case .secondConnect: "MQTT-3.1.0-2: a second CONNECT on one connection"
    case .connackFirst: "MQTT-3.2.0-1: the server sends something before CONNACK"
    case .secondConnack: "MQTT-3.2.0-2: a second CONNACK on one connection"
    case .serverOverWindow:
      "MQTT-3.3.4-9: the server has more in flight than the client's receive maximum"
    case .clientOverWindow:
      "MQTT-3.3.4-7: the client has more in flight than the server's receive maximum"
    case .serverReusesPacket:
      "MQTT-2.2.1-4: the server gives a packet identifier to a new message while it is in use"
    case .clientReusesPacket:
      "MQTT-2.2.1-3: the client gives a packet identifier to a new message while it is in use"
    case .serverPublishAfterPubrec:
      "MQTT-4.3.3-6: the server sends PUBLISH again after it got PUBREC"
    case .clientPublishAfterPubrec:
      "MQTT-4.3.3-6: the client sends PUBLISH again after it got PUBREC"
    case .serverResendsWithoutDuplicate:
      "MQTT-3.3.1-1: the server sends a message again without the DUP flag"
    case .clientResendsWithoutDuplicate:
      "MQTT-3.3.1-1: the client sends a message again without the DUP flag"
    case .serverResendsOnConnection:
      "MQTT-4.4.0-1: the server sends a message twice on one connection"
    case .clientResendsOnConnection:
      "MQTT-4.4.0-1: the client sends a message twice on one connection"
    case .sessionPresentAfterCleanStart:
      "MQTT-3.2.2-2: session present after a clean start"
    case .afterDisconnect: "MQTT-3.14.4-1: a packet after the own DISCONNECT"
    case .deliversExpired: "MQTT-3.3.2-5: the server starts to deliver an expired message"
    case .refusesFreePacket:
      "MQTT-2.2.1-5: refused as \"packet identifier in use\", which it is not"
    case .noPacket: "MQTT-2.2.1-3: QoS > 0 with packet identifier 0"
    case .wrongDirection: "MQTT §2.1.2: a packet type that this end never sends"
    case .wrongAcknowledgement:
      "MQTT-3.3.4-1: the acknowledgement does not fit the message's QoS"
    }
  }
}
