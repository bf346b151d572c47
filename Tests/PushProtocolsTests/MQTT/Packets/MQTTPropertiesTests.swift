import PushProtocols
import Testing
import Wire

/// A property block of each kind of property with a value it may have.
private let samples: [(hex: String, property: MQTTProperty)] = [
  ("01 01", .payloadFormatIndicator(1)),
  ("02 00010203", .messageExpiryInterval(0x10203)),
  ("03 0004'text'", .contentType("text")),
  ("08 0003'r/t'", .responseTopic("r/t")),
  ("09 0002 ff00", .correlationData([0xff, 0])),
  ("0b ffffff7f", .subscriptionIdentifier(268_435_455)),
  ("11 ffffffff", .sessionExpiryInterval(.max)),
  ("12 0002'id'", .assignedClientIdentifier("id")),
  ("13 ffff", .serverKeepAlive(.max)),
  ("15 0001'm'", .authenticationMethod("m")),
  ("16 0000", .authenticationData([])),
  ("17 00", .requestProblemInformation(0)),
  ("18 00000001", .willDelayInterval(1)),
  ("19 01", .requestResponseInformation(1)),
  ("1a 0001'i'", .responseInformation("i")),
  ("1c 0001's'", .serverReference("s")),
  ("1f 0002 c3a9", .reasonString("é")),
  ("21 0001", .receiveMaximum(1)),
  ("22 0000", .topicAliasMaximum(0)),
  ("23 0001", .topicAlias(1)),
  ("24 00", .maximumQoS(0)),
  ("25 01", .retainAvailable(1)),
  ("26 0001'k' 0000", .userProperty(name: "k", value: "")),
  ("27 00000001", .maximumPacketSize(1)),
  ("28 00", .wildcardSubscriptionAvailable(0)),
  ("29 01", .subscriptionIdentifiersAvailable(1)),
  ("2a 00", .sharedSubscriptionAvailable(0)),
]

/// A packet body around a property block: what comes before the block's length, and after it.
private struct Host {
  var name: String
  var firstByte: UInt8
  var before: String
  var after: String

  func packet(with block: String) -> [UInt8] {
    let block = bytes(block)
    // All blocks here are shorter than 128 bytes.
    let body = bytes(before) + [UInt8(block.count)] + block + bytes(after)
    return [firstByte, UInt8(body.count)] + body
  }
}

private let hosts: [Host] = [
  .init(name: "CONNECT", firstByte: 0x10, before: "0004'MQTT' 05 02 0000", after: "0000"),
  .init(
    name: "will", firstByte: 0x10, before: "0004'MQTT' 05 06 0000 00 0000", after: "0001'w' 0000"),
  .init(name: "CONNACK", firstByte: 0x20, before: "0000", after: ""),
  .init(name: "PUBLISH", firstByte: 0x30, before: "0001'a'", after: ""),
  .init(name: "PUBACK", firstByte: 0x40, before: "0001 00", after: ""),
  .init(name: "PUBREC", firstByte: 0x50, before: "0001 00", after: ""),
  .init(name: "PUBREL", firstByte: 0x62, before: "0001 00", after: ""),
  .init(name: "PUBCOMP", firstByte: 0x70, before: "0001 00", after: ""),
  .init(name: "SUBSCRIBE", firstByte: 0x82, before: "0001", after: "0001'a' 00"),
  .init(name: "SUBACK", firstByte: 0x90, before: "0001", after: "00"),
  .init(name: "UNSUBSCRIBE", firstByte: 0xa2, before: "0001", after: "0001'a'"),
  .init(name: "UNSUBACK", firstByte: 0xb0, before: "0001", after: "00"),
  .init(name: "DISCONNECT", firstByte: 0xe0, before: "00", after: ""),
  .init(name: "AUTH", firstByte: 0xf0, before: "18", after: ""),
]

/// Table 2-4 of MQTT 5.0, written down a second time: where each property may stand.
private let places: [MQTTPropertyID: String] = [
  .payloadFormatIndicator: "PUBLISH will", .messageExpiryInterval: "PUBLISH will",
  .contentType: "PUBLISH will", .responseTopic: "PUBLISH will",
  .correlationData: "PUBLISH will", .subscriptionIdentifier: "PUBLISH SUBSCRIBE",
  .sessionExpiryInterval: "CONNECT CONNACK DISCONNECT", .assignedClientIdentifier: "CONNACK",
  .serverKeepAlive: "CONNACK", .authenticationMethod: "CONNECT CONNACK AUTH",
  .authenticationData: "CONNECT CONNACK AUTH", .requestProblemInformation: "CONNECT",
  .willDelayInterval: "will", .requestResponseInformation: "CONNECT",
  .responseInformation: "CONNACK", .serverReference: "CONNACK DISCONNECT",
  .reasonString:
    "CONNACK PUBACK PUBREC PUBREL PUBCOMP SUBACK UNSUBACK DISCONNECT AUTH",
  .receiveMaximum: "CONNECT CONNACK", .topicAliasMaximum: "CONNECT CONNACK",
  .topicAlias: "PUBLISH", .maximumQoS: "CONNACK", .retainAvailable: "CONNACK",
  .userProperty:
    """
  CONNECT will CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE
   UNSUBACK DISCONNECT AUTH
  """,
  .maximumPacketSize: "CONNECT CONNACK", .wildcardSubscriptionAvailable: "CONNACK",
  .subscriptionIdentifiersAvailable: "CONNACK", .sharedSubscriptionAvailable: "CONNACK",
]

@Suite struct MQTTPropertiesTests {
  /// What a packet breaks but for the rules about authentication, which want a second property.
  private func statements(of packet: [UInt8]) throws -> [String] {
    try MQTTPacket.decode(packet, version: .v5).violations
      .filter { !$0.text.hasSuffix(" its Authentication Method") }
      .filter { !$0.text.hasSuffix(" an Authentication Method") }.map(\.statement)
  }

  @Test(arguments: samples.indices)
  func `a property may stand where table 2-4 says, and nowhere else`(index: Int) throws {
    let sample = samples[index]
    let allowed = try #require(places[sample.property.id]).split { $0 == " " || $0 == "\n" }
    for host in hosts {
      let found = try statements(of: host.packet(with: sample.hex))
      let expected = allowed.contains { $0 == host.name } ? [] : ["§2.2.2.2"]
      #expect(found == expected, "\(sample.property) in \(host.name)")
    }
  }

  @Test(arguments: samples.indices)
  func `a property is read, and written back to the same bytes`(index: Int) throws {
    let sample = samples[index]
    let allowed = try #require(places[sample.property.id]).split { $0 == " " || $0 == "\n" }
    for host in hosts where allowed.contains(where: { $0 == host.name }) {
      let packet = host.packet(with: sample.hex)
      let decoded = try MQTTPacket.decode(packet, version: .v5)
      #expect(decoded.packet.properties(ofWill: host.name == "will").list == [sample.property])
      #expect(decoded.packet.encode(version: .v5) == packet)
    }
  }

  @Test(arguments: samples.indices)
  func `a property stands once, but for user properties and identifiers in PUBLISH`(
    index: Int
  ) throws {
    let sample = samples[index]
    let allowed = try #require(places[sample.property.id]).split { $0 == " " || $0 == "\n" }
    for host in hosts where allowed.contains(where: { $0 == host.name }) {
      let twice = host.packet(with: sample.hex + sample.hex)
      let found = try MQTTPacket.decode(twice, version: .v5).violations
        .filter { $0.text.hasSuffix("twice") }.map(\.statement)
      let mayRepeat =
        sample.property.id == .userProperty
        || (sample.property.id == .subscriptionIdentifier && host.name == "PUBLISH")
      #expect(found == (mayRepeat ? [] : ["§\(sample.property.id.section)"]), "\(host.name)")
    }
  }

  @Test func `every property is covered`() {
    #expect(samples.map(\.property.id) == MQTTPropertyID.allCases)
    #expect(places.count == MQTTPropertyID.allCases.count)
  }

  @Test(arguments: [
    ("PUBLISH", "01 02", "§3.3.2.3.2"), ("PUBLISH", "0b 00", "§3.8.2.1.2"),
    ("PUBLISH", "23 0000", "MQTT-3.3.2-8"), ("CONNECT", "17 02", "§3.1.2.11.7"),
    ("CONNECT", "19 ff", "§3.1.2.11.6"), ("CONNECT", "21 0000", "§3.1.2.11.3"),
    ("CONNECT", "27 00000000", "§3.1.2.11.4"), ("CONNACK", "24 02", "§3.2.2.3.4"),
    ("CONNACK", "25 02", "§3.2.2.3.5"), ("CONNACK", "28 02", "§3.2.2.3.11"),
    ("CONNACK", "29 02", "§3.2.2.3.12"), ("CONNACK", "2a 02", "§3.2.2.3.13"),
    ("SUBSCRIBE", "0b 00", "§3.8.2.1.2"),
  ])
  func `a value beyond its limits is reported`(
    name: String, block: String, statement: String
  ) throws {
    let host = try #require(hosts.first { $0.name == name })
    #expect(try statements(of: host.packet(with: block)) == [statement])
  }

  @Test func `identifiers that are not defined can't be passed over`() {
    let defined = Set(MQTTPropertyID.allCases.map(\.rawValue))
    for id in UInt8.min...0x7F where !defined.contains(id) {
      let packet: [UInt8] = [0x20, 5, 0, 0, 2, id, 0]
      #expect(throws: DecodeError.self) { try MQTTPacket.decode(packet, version: .v5) }
    }
  }

  @Test func `accessors read the first of a kind and write in its place`() {
    var properties: MQTTProperties = [
      .receiveMaximum(3), .userProperty(name: "a", value: "1"), .topicAliasMaximum(7),
    ]
    #expect(properties.receiveMaximum == 3)
    #expect(properties.sessionExpiryInterval == nil)
    properties.receiveMaximum = 9
    properties.sessionExpiryInterval = 60
    #expect(properties.list.first == .receiveMaximum(9))
    #expect(properties.list.last == .sessionExpiryInterval(60))
    properties.topicAliasMaximum = nil
    #expect(properties.list.count == 3)
    #expect(properties.userProperties == [.init("a", "1")])
    properties.userProperties = [.init("b", "2"), .init("b", "3")]
    #expect(properties.userProperties.map(\.value) == ["2", "3"])
    properties.subscriptionIdentifiers = [4, 5]
    #expect(properties.subscriptionIdentifiers == [4, 5])
    #expect(properties.list.first == .receiveMaximum(9))
  }

  @Test func `every accessor reads what its setter wrote`() {
    var properties = MQTTProperties()
    properties.payloadFormatIndicator = 1
    properties.messageExpiryInterval = 2
    properties.contentType = "3"
    properties.responseTopic = "4"
    properties.correlationData = [5]
    properties.willDelayInterval = 6
    properties.topicAlias = 7
    properties.maximumPacketSize = 8
    properties.serverKeepAlive = 9
    properties.maximumQoS = 0
    properties.reasonString = "r"
    properties.authenticationMethod = "m"
    properties.authenticationData = [10]
    #expect(properties.list.count == 13)
    #expect(properties.payloadFormatIndicator == 1)
    #expect(properties.messageExpiryInterval == 2)
    #expect(properties.contentType == "3")
    #expect(properties.responseTopic == "4")
    #expect(properties.correlationData == [5])
    #expect(properties.willDelayInterval == 6)
    #expect(properties.topicAlias == 7)
    #expect(properties.maximumPacketSize == 8)
    #expect(properties.serverKeepAlive == 9)
    #expect(properties.maximumQoS == 0)
    #expect(properties.reasonString == "r")
    #expect(properties.authenticationMethod == "m")
    #expect(properties.authenticationData == [10])
  }
}

extension MQTTPacket {
  /// The property block of the packet, or of the will in it.
  fileprivate func properties(ofWill: Bool) -> MQTTProperties {
    switch self {
    case .connect(let packet): ofWill ? packet.will?.properties ?? [] : packet.properties
    case .connack(let packet): packet.properties
    case .publish(let packet): packet.properties
    case .puback(let packet), .pubrec(let packet), .pubrel(let packet), .pubcomp(let packet):
      packet.properties
    case .subscribe(let packet): packet.properties
    case .suback(let packet): packet.properties
    case .unsubscribe(let packet): packet.properties
    case .unsuback(let packet): packet.properties
    case .disconnect(let packet): packet.properties
    case .auth(let packet): packet.properties
    case .pingreq, .pingresp: []
    }
  }
}
