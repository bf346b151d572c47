import PushProtocols
import Testing

/// Made by hand from the standards: each packet type in each version that has it.
let packetVectors: [PacketVector] = connectVectors + acknowledgementVectors + otherVectors

private let connectVectors: [PacketVector] = [
  .init(
    "CONNECT, level 3", .v3_1, "10 0f 0006'MQIsdp' 03 02 003c 0001'a'",
    .connect(.init(version: .v3_1, clientIdentifier: "a", keepAlive: 60))),
  .init(
    "CONNECT, everything", .v3_1_1,
    "10 23 0004'MQTT' 04 ee 0a0b 0002'id' 0003'w/t' 0004'gone' 0002'me' 0004'pass'",
    .connect(
      .init(
        version: .v3_1_1, clientIdentifier: "id", keepAlive: 0x0a0b,
        will: .init(topic: "w/t", payload: Array("gone".utf8), qos: .atLeastOnce, retain: true),
        userName: "me", password: Array("pass".utf8)))),
  .init(
    "CONNECT, resumes", .v3_1_1, "10 0e 0004'MQTT' 04 00 000a 0002'gk'",
    .connect(
      .init(version: .v3_1_1, clientIdentifier: "gk", cleanStart: false, keepAlive: 10))),
  .init(
    "CONNECT of a bridge", .v3_1_1, "10 0d 0004'MQTT' 84 02 003c 0001'b'",
    .connect(
      .init(version: .v3_1_1, clientIdentifier: "b", keepAlive: 60, isBridge: true))),
  .init(
    "CONNECT, least", .v5, "10 0d 0004'MQTT' 05 02 0000 00 0000",
    .connect(.init(version: .v5, clientIdentifier: ""))),
  .init(
    "CONNECT, password alone", .v5, "10 10 0004'MQTT' 05 42 0000 00 0000 0001'p'",
    .connect(.init(version: .v5, clientIdentifier: "", password: [0x70]))),
  .init(
    "CONNECT, properties and will", .v5,
    """
    10 2b 0004'MQTT' 05 14 0078 08 11 00000e10 21 0014 0001'c'
    0c 18 00000005 02 0000000a 01 00 0001'w' 0003 000102
    """,
    .connect(
      .init(
        version: .v5, clientIdentifier: "c", cleanStart: false, keepAlive: 120,
        properties: [.sessionExpiryInterval(3600), .receiveMaximum(20)],
        will: .init(
          topic: "w", payload: [0, 1, 2], qos: .exactlyOnce,
          properties: [
            .willDelayInterval(5), .messageExpiryInterval(10), .payloadFormatIndicator(0),
          ])))),
  .init("CONNACK", .v3_1, "20 02 00 00", .connack(.init(sessionPresent: false))),
  .init("CONNACK", .v3_1_1, "20 02 01 00", .connack(.init(sessionPresent: true))),
  .init(
    "CONNACK, refused", .v3_1_1, "20 02 00 05",
    .connack(.init(sessionPresent: false, reasonCode: MQTTReasonCode.V3.notAuthorized))),
  .init("CONNACK", .v5, "20 03 01 00 00", .connack(.init(sessionPresent: true))),
  .init(
    "CONNACK, properties", .v5, "20 0b 00 00 08 13 003c 24 01 21 000a",
    .connack(
      .init(
        sessionPresent: false,
        properties: [.serverKeepAlive(60), .maximumQoS(1), .receiveMaximum(10)]))),
]

private let acknowledgementVectors: [PacketVector] = [
  .init("PUBACK", .v3_1_1, "40 02 0001", .puback(.init(packetID: 1))),
  .init("PUBREC", .v3_1_1, "50 02 ffff", .pubrec(.init(packetID: 0xffff))),
  .init("PUBREL", .v3_1_1, "62 02 0102", .pubrel(.init(packetID: 0x0102))),
  .init("PUBCOMP", .v3_1_1, "70 02 0003", .pubcomp(.init(packetID: 3))),
  .init("PUBACK, code left out", .v5, "40 02 0001", .puback(.init(packetID: 1))),
  .init(
    "PUBACK, properties left out", .v5, "40 03 0001 10",
    .puback(.init(packetID: 1, reasonCode: .noMatchingSubscribers))),
  .init(
    "PUBREC, refusing with a reason", .v5, "50 09 0007 97 05 1f 0002'no'",
    .pubrec(
      .init(packetID: 7, reasonCode: .quotaExceeded, properties: [.reasonString("no")]))),
  .init(
    "PUBREL", .v5, "62 03 0007 92",
    .pubrel(.init(packetID: 7, reasonCode: .packetIDNotFound))),
  .init(
    "PUBCOMP with a user property", .v5, "70 0b 0007 00 07 26 0001'k' 0001'v'",
    .pubcomp(.init(packetID: 7, properties: [.userProperty(name: "k", value: "v")]))),
  .init(
    "SUBACK", .v3_1_1, "90 06 0009 00 01 02 80",
    .suback(
      .init(
        packetID: 9, reasonCodes: [.grantedQoS0, .grantedQoS1, .grantedQoS2, .unspecifiedError])
    )),
  .init(
    "SUBACK", .v5, "90 05 0009 00 02 8f",
    .suback(.init(packetID: 9, reasonCodes: [.grantedQoS2, .topicFilterInvalid]))),
  .init("UNSUBACK", .v3_1_1, "b0 02 000a", .unsuback(.init(packetID: 10))),
  .init(
    "UNSUBACK", .v5, "b0 05 000a 00 00 11",
    .unsuback(.init(packetID: 10, reasonCodes: [.success, .noSubscriptionExisted]))),
]

private let otherVectors: [PacketVector] = [
  .init(
    "PUBLISH, QoS 0", .v3_1_1, "30 06 0003'a/b' 'x'",
    .publish(.init(topic: "a/b", payload: [0x78]))),
  .init(
    "PUBLISH, QoS 1, again, retained", .v3_1_1, "3b 07 0003'a/b' 1234",
    .publish(
      .init(
        topic: "a/b", payload: [], qos: .atLeastOnce, packetID: 0x1234, retain: true,
        duplicate: true))),
  .init(
    "PUBLISH, QoS 2", .v3_1, "34 07 0001'a' 0001 'hi'",
    .publish(
      .init(topic: "a", payload: [0x68, 0x69], qos: .exactlyOnce, packetID: 1))),
  .init(
    "PUBLISH, QoS 0", .v5, "30 05 0001'a' 00 'x'",
    .publish(.init(topic: "a", payload: [0x78]))),
  .init(
    "PUBLISH by alias", .v5, "32 0f 0000 0005 08 23 0002 02 0000003c 01 00",
    .publish(
      .init(
        topic: "", payload: [1, 0], qos: .atLeastOnce, packetID: 5,
        properties: [.topicAlias(2), .messageExpiryInterval(60)]))),
  .init(
    "PUBLISH to overlapping subscriptions", .v5, "30 0a 0001'a' 05 0b 01 0b 8001 ff",
    .publish(
      .init(
        topic: "a", payload: [0xff],
        properties: [.subscriptionIdentifier(1), .subscriptionIdentifier(128)]))),
  .init(
    "SUBSCRIBE", .v3_1_1, "82 0e 0001 0003'a/#' 01 0003'+/b' 02",
    .subscribe(
      .init(
        packetID: 1,
        subscriptions: [.init("a/#", qos: .atLeastOnce), .init("+/b", qos: .exactlyOnce)]))),
  .init(
    "SUBSCRIBE, options", .v5, "82 10 0001 02 0b 07 0003'a/#' 2d 0002'$c' 10",
    .subscribe(
      .init(
        packetID: 1,
        subscriptions: [
          .init(
            "a/#", qos: .atLeastOnce, noLocal: true, retainAsPublished: true,
            retainHandling: .never),
          .init("$c", qos: .atMostOnce, retainHandling: .onNewSubscription),
        ], properties: [.subscriptionIdentifier(7)]))),
  .init(
    "UNSUBSCRIBE", .v3_1_1, "a2 08 0002 0001'a' 0001'b'",
    .unsubscribe(.init(packetID: 2, filters: ["a", "b"]))),
  .init(
    "UNSUBSCRIBE", .v5, "a2 06 0002 00 0001'a'",
    .unsubscribe(.init(packetID: 2, filters: ["a"]))),
  .init("PINGREQ", .v3_1_1, "c0 00", .pingreq),
  .init("PINGRESP", .v3_1_1, "d0 00", .pingresp),
  .init("PINGREQ", .v5, "c0 00", .pingreq),
  .init("PINGRESP", .v5, "d0 00", .pingresp),
  .init("DISCONNECT", .v3_1_1, "e0 00", .disconnect(.init())),
  .init("DISCONNECT", .v5, "e0 00", .disconnect(.init())),
  .init(
    "DISCONNECT with will", .v5, "e0 01 04",
    .disconnect(.init(reasonCode: .disconnectWithWill))),
  .init(
    "DISCONNECT of a server", .v5, "e0 07 9d 05 1c 0002'b2'",
    .disconnect(.init(reasonCode: .serverMoved, properties: [.serverReference("b2")]))),
  .init(
    "AUTH", .v5, "f0 0b 18 09 15 0001'm' 16 0002 0102",
    .auth(
      .init(
        reasonCode: .continueAuthentication,
        properties: [.authenticationMethod("m"), .authenticationData([1, 2])]))),
  .init("AUTH, least", .v5, "f0 00", .auth(.init())),
]
