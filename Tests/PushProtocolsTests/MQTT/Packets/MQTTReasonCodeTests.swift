import PushProtocols
import Testing
import Wire

/// §2.4 of MQTT 5.0 and the tables of the packets, written down a second time.
private let tables: [(MQTTPacketType, [UInt8])] = [
  (
    .connack,
    [
      0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95,
      0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
    ]
  ),
  (.puback, [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
  (.pubrec, [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
  (.pubrel, [0x00, 0x92]),
  (.pubcomp, [0x00, 0x92]),
  (
    .suback,
    [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]
  ),
  (.unsuback, [0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
  (
    .disconnect,
    [
      0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93,
      0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
    ]
  ),
  (.auth, [0x00, 0x18, 0x19]),
]

@Suite struct MQTTReasonCodeTests {
  @Test(arguments: tables.indices)
  func `a packet may have the codes of its table and no others`(index: Int) {
    let (type, codes) = tables[index]
    for code in UInt8.min...UInt8.max {
      #expect(
        MQTTReasonCode(code).isAllowed(in: type) == codes.contains(code),
        "\(type.name) \(MQTTReasonCode(code).hexadecimal)")
    }
  }

  @Test(arguments: [MQTTPacketType.connect, .publish, .subscribe, .unsubscribe, .pingreq])
  func `packets without a reason code may have none`(type: MQTTPacketType) {
    for code in UInt8.min...UInt8.max {
      #expect(!MQTTReasonCode(code).isAllowed(in: type))
    }
  }

  @Test func `some codes are for one end only`() {
    let byClient: [MQTTReasonCode] = [.normalDisconnection, .disconnectWithWill]
    let byServer: [MQTTReasonCode] = [
      .sessionTakenOver, .keepAliveTimeout, .serverShuttingDown, .serverBusy, .notAuthorized,
      .topicFilterInvalid, .maximumConnectTime,
    ]
    for code in byClient {
      #expect(code.isAllowed(in: .disconnect, from: .toServer))
      #expect(!code.isAllowed(in: .disconnect, from: .toClient))
    }
    for code in byServer {
      #expect(!code.isAllowed(in: .disconnect, from: .toServer))
      #expect(code.isAllowed(in: .disconnect, from: .toClient))
    }
    #expect(MQTTReasonCode.protocolError.isAllowed(in: .disconnect, from: .toServer))
    #expect(!MQTTReasonCode.reauthenticate.isAllowed(in: .auth, from: .toClient))
    #expect(!MQTTReasonCode.success.isAllowed(in: .auth, from: .toServer))
    // Acknowledgements travel both ways with the same codes.
    #expect(MQTTReasonCode.notAuthorized.isAllowed(in: .puback, from: .toServer))
  }

  @Test func `a code has the name that it has where it stands`() {
    #expect(MQTTReasonCode(0).name(in: .puback) == "success")
    #expect(MQTTReasonCode(0).name(in: .suback) == "granted QoS 0")
    #expect(MQTTReasonCode(0).name(in: .disconnect) == "normal disconnection")
    #expect(MQTTReasonCode.sessionTakenOver.name(in: .disconnect) == "session taken over")
    #expect(MQTTReasonCode(5).name(in: .connack, version: .v3_1_1) == "not authorised")
    #expect(MQTTReasonCode(0x80).name(in: .suback, version: .v3_1_1) == "failure")
    #expect(MQTTReasonCode(0x05).name(in: .connack) == "reason code 0x05")
    #expect(MQTTReasonCode(0xFF).name(in: .puback) == "reason code 0xFF")
  }

  @Test func `every code of a table has a name of its own`() {
    for (type, codes) in tables {
      let names = codes.map { MQTTReasonCode($0).name(in: type) }
      #expect(Set(names).count == codes.count)
      #expect(!names.contains { $0.hasPrefix("reason code") })
    }
  }

  @Test func `0x80 and above are failures`() {
    #expect(!MQTTReasonCode.reauthenticate.isFailure)
    #expect(MQTTReasonCode.unspecifiedError.isFailure)
    #expect(!MQTTConnack(sessionPresent: false, reasonCode: .init(1)).isAccepted)
  }
}
