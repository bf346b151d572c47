/// What the order of packets can break; the shape of single packets is the codec's concern.
///
/// Statement numbers are those of the OASIS standards 3.1.1 and 5.0, appendix B of each.
enum MQTTOrderRule {
  case firstPacketNotConnect, secondConnect, serverBeforeConnack, secondConnack
  case sessionPresentAfterCleanStart, packetAfterDisconnect
  case clientIdentifierInUse, serverIdentifierInUse
  case unknownAcknowledged, unknownRequestAnswered, subackCount, wrongAcknowledgement
  case missingDuplicateFlag, resentOnSameConnection, publishAfterPubrec
  case clientOverReceiveMaximum, serverOverReceiveMaximum, aboveGrantedQoS, belowGrantedQoS
  case pubackOrder, pubrecOrder, sentAfterExpiry, pingWithoutAnswer
  case unknownTopicAlias, clientTopicAliasTooLarge, serverTopicAliasTooLarge

  var text: String { row.text }

  func statement(in version: MQTTVersion) -> String { version == .v5 ? row.v5 : row.v3 }

  private var row: (v3: String, v5: String, text: String) {
    switch self {
    case .firstPacketNotConnect:
      ("MQTT-3.1.0-1", "MQTT-3.1.0-1", "the client's first packet is CONNECT")
    case .secondConnect: ("MQTT-3.1.0-2", "MQTT-3.1.0-2", "a client sends CONNECT once")
    case .serverBeforeConnack:
      ("MQTT-3.2.0-1", "MQTT-3.2.0-1", "the server's first packet is CONNACK")
    case .secondConnack: ("§3.2", "MQTT-3.2.0-2", "a server sends CONNACK once")
    case .sessionPresentAfterCleanStart:
      ("MQTT-3.2.2-1", "MQTT-3.2.2-2", "after a clean start Session Present is 0")
    case .packetAfterDisconnect:
      ("MQTT-3.14.4-2", "MQTT-3.14.4-1", "nothing follows DISCONNECT")
    case .clientIdentifierInUse:
      ("MQTT-2.3.1-2", "MQTT-2.2.1-3", "a new packet has an identifier that is not in use")
    case .serverIdentifierInUse:
      ("MQTT-2.3.1-4", "MQTT-2.2.1-4", "a new PUBLISH has an identifier that is not in use")
    case .unknownAcknowledged:
      ("MQTT-2.3.1-6", "MQTT-2.2.1-5", "an acknowledgement has the identifier of its PUBLISH")
    case .unknownRequestAnswered:
      ("MQTT-2.3.1-7", "MQTT-2.2.1-6", "an answer has the identifier of its request")
    case .subackCount:
      ("MQTT-3.8.4-5", "MQTT-3.8.4-6", "SUBACK has one code for each topic filter")
    case .wrongAcknowledgement:
      ("MQTT-3.3.4-1", "MQTT-3.3.4-1", "QoS 1 is answered by PUBACK, QoS 2 by PUBREC")
    case .missingDuplicateFlag:
      ("MQTT-3.3.1-1", "MQTT-3.3.1-1", "a PUBLISH that is sent again has DUP 1")
    case .resentOnSameConnection:
      ("", "MQTT-4.4.0-1", "a PUBLISH is sent again on a new connection only")
    case .publishAfterPubrec:
      ("MQTT-4.3.3-1", "MQTT-4.3.3-6", "no PUBLISH follows once PUBREC was received")
    case .clientOverReceiveMaximum:
      ("", "MQTT-3.3.4-7", "a client stays within the server's Receive Maximum")
    case .serverOverReceiveMaximum:
      ("", "MQTT-3.3.4-9", "a server stays within the client's Receive Maximum")
    case .aboveGrantedQoS:
      ("MQTT-3.8.4-6", "MQTT-3.8.4-8", "a message is not sent with more QoS than granted")
    case .belowGrantedQoS:
      (
        "MQTT-3.8.4-6", "MQTT-3.8.4-8",
        "a message is sent with the lower of published and granted QoS"
      )
    case .pubackOrder:
      ("MQTT-4.6.0-2", "MQTT-4.6.0-2", "PUBACKs follow the order of the PUBLISHes")
    case .pubrecOrder:
      ("MQTT-4.6.0-3", "MQTT-4.6.0-3", "PUBRECs follow the order of the PUBLISHes")
    case .sentAfterExpiry:
      ("", "MQTT-3.3.2-5", "an expired message is not sent for the first time")
    case .pingWithoutAnswer:
      ("MQTT-3.12.4-1", "MQTT-3.12.4-1", "PINGREQ is answered with PINGRESP")
    case .unknownTopicAlias: ("", "§3.3.2.3.4", "a topic alias was given a topic before")
    case .clientTopicAliasTooLarge:
      ("", "MQTT-3.3.2-9", "a client stays within the server's Topic Alias Maximum")
    case .serverTopicAliasTooLarge:
      ("", "MQTT-3.3.2-11", "a server stays within the client's Topic Alias Maximum")
    }
  }
}
