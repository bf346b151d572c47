import Testing
import Wire

@testable import PushProtocols

/// A packet that breaks one rule, and which.
struct BrokenRule: Sendable, CustomTestStringConvertible {
  enum Outcome: Sendable { case reported, refused }

  var statement: String
  var outcome: Outcome
  var version: MQTTVersion
  var direction: Direction?
  var bytes: [UInt8]
  var what: String

  init(
    _ statement: String, _ outcome: Outcome, _ version: MQTTVersion, _ bytes: [UInt8],
    _ what: String, from direction: Direction? = nil
  ) {
    self.statement = statement
    self.outcome = outcome
    self.version = version
    self.direction = direction
    self.bytes = bytes
    self.what = what
  }

  var testDescription: String { "\(version) \(statement) \(what)" }
}

/// The head of a CONNECT body up to its level.
private let v3 = "0004'MQTT' 04"
private let v5 = "0004'MQTT' 05"

private let brokenIn311: [BrokenRule] = [
  // The fixed header.
  .init("§2.2.1", .refused, .v3_1_1, [0x00, 0x00], "packet type 0"),
  .init("§2.2.1", .refused, .v3_1_1, [0xf0, 0x00], "AUTH before there was one"),
  .init("MQTT-2.2.2-1", .reported, .v3_1_1, [0xc1, 0x00], "PINGREQ with a flag"),
  .init("MQTT-2.2.2-1", .reported, .v3_1_1, packet(0x12, v3 + "02 0000 0001'a'"), "CONNECT flags"),
  .init("MQTT-3.6.1-1", .reported, .v3_1_1, [0x60, 2, 0, 1], "PUBREL without its flag"),
  .init("MQTT-3.8.1-1", .reported, .v3_1_1, packet(0x80, "0001 0001'a' 00"), "SUBSCRIBE flags"),
  .init("MQTT-3.10.1-1", .reported, .v3_1_1, packet(0xa0, "0001 0001'a'"), "UNSUBSCRIBE flags"),
  .init("MQTT-3.14.1-1", .reported, .v3_1_1, [0xe8, 0x00], "DISCONNECT with a flag"),
  .init("§2.2.3", .refused, .v3_1_1, [0x30, 0xff, 0xff, 0xff, 0xff, 0x01], "five bytes of length"),
  .init("§2.2.3", .refused, .v3_1_1, [0xc0, 0x01, 0x00], "PINGREQ with a body"),
  .init("§2.2.3", .refused, .v3_1_1, [0x40, 3, 0, 1, 0], "PUBACK with a reason code"),
  .init("§2.2.1", .reported, .v3_1_1, [0xd0, 0], "PINGRESP of a client", from: .toServer),
  .init("§2.2.1", .reported, .v3_1_1, [0xe0, 0], "DISCONNECT of a server", from: .toClient),
  // Fields.
  .init("MQTT-1.5.3-1", .reported, .v3_1_1, packet(0x30, "0002 c0af"), "an overlong '/'"),
  .init("MQTT-1.5.3-1", .reported, .v3_1_1, packet(0x30, "0003 eda080"), "a surrogate"),
  .init("MQTT-1.5.3-2", .reported, .v3_1_1, packet(0x30, "0003'a'00'b'"), "NUL in a topic"),
  .init("MQTT-2.3.1-1", .reported, .v3_1_1, packet(0x32, "0001'a' 0000"), "PUBLISH id 0"),
  .init(
    "MQTT-2.3.1-1", .reported, .v3_1_1, packet(0x32, "0001'a' 0000"), "PUBLISH id 0",
    from: .toClient),
  .init("MQTT-2.3.1-6", .reported, .v3_1_1, [0x40, 2, 0, 0], "PUBACK id 0"),
  .init("MQTT-2.3.1-7", .reported, .v3_1_1, [0x90, 3, 0, 0, 1], "SUBACK id 0"),
  .init("MQTT-4.7.3-1", .reported, .v3_1_1, packet(0x30, "0000 'x'"), "no topic"),
  .init("MQTT-4.7.3-1", .reported, .v3_1_1, packet(0x82, "0001 0000 00"), "an empty filter"),
  .init("MQTT-3.3.2-2", .reported, .v3_1_1, packet(0x30, "0003'a/+'"), "PUBLISH to a/+"),
  .init(
    "MQTT-4.7.1-1", .reported, .v3_1_1, packet(0x10, v3 + "06 0000 0001'a' 0001'#' 0000"),
    "a will to #"),
  .init("MQTT-4.7.1-2", .reported, .v3_1_1, packet(0x82, "0001 0005'a/#/b' 00"), "a/#/b"),
  .init("MQTT-4.7.1-2", .reported, .v3_1_1, packet(0xa2, "0001 0002'a#'"), "a#"),
  .init("MQTT-4.7.1-3", .reported, .v3_1_1, packet(0x82, "0001 0003'a+/' 00"), "a+/"),
  // CONNECT and CONNACK.
  .init("MQTT-3.1.2-1", .refused, .v3_1_1, packet(0x10, "0004'MQTX' 04 02 0000 0001'a'"), "name"),
  .init(
    "MQTT-3.1.2-1", .reported, .v3_1_1, packet(0x10, "0006'MQIsdp' 04 02 0000 0001'a'"),
    "the name of 3.1"),
  .init(
    "MQTT-3.1.2-2", .refused, .v3_1_1, packet(0x10, "0004'MQTT' 06 02 0000 0001'a'"), "level 6"),
  .init("MQTT-3.1.2-3", .reported, .v3_1_1, packet(0x10, v3 + "03 0000 0001'a'"), "reserved flag"),
  .init("MQTT-3.1.2-13", .reported, .v3_1_1, packet(0x10, v3 + "0a 0000 0001'a'"), "QoS, no will"),
  .init(
    "MQTT-3.1.2-14", .refused, .v3_1_1, packet(0x10, v3 + "1e 0000 0001'a' 0001'w' 0000"),
    "Will QoS 3"),
  .init("MQTT-3.1.2-15", .reported, .v3_1_1, packet(0x10, v3 + "22 0000 0001'a'"), "retain"),
  .init(
    "MQTT-3.1.2-22", .reported, .v3_1_1, packet(0x10, v3 + "42 0000 0001'a' 0001'p'"),
    "password alone"),
  .init("MQTT-3.1.3-3", .refused, .v3_1_1, packet(0x10, v3 + "02 0000"), "no client identifier"),
  .init("MQTT-3.1.3-7", .reported, .v3_1_1, packet(0x10, v3 + "00 0000 0000"), "nobody resumes"),
  .init("3.1 §3.1", .reported, .v3_1, packet(0x10, "0006'MQIsdp' 03 02 0000 0000"), "empty in 3.1"),
  .init("MQTT-3.1.2-9", .refused, .v3_1_1, packet(0x10, v3 + "06 0000 0001'a'"), "no will"),
  .init("MQTT-3.1.2-19", .refused, .v3_1_1, packet(0x10, v3 + "82 0000 0001'a'"), "no user name"),
  .init(
    "MQTT-3.1.2-21", .refused, .v3_1_1, packet(0x10, v3 + "c2 0000 0001'a' 0001'u'"),
    "no password"),
  .init("§3.2.2.1", .reported, .v3_1_1, [0x20, 2, 0x02, 0], "reserved acknowledge flag"),
  .init("MQTT-3.2.2-4", .reported, .v3_1_1, [0x20, 2, 1, 2], "refused, and a session"),
  .init("MQTT-3.2.2-6", .reported, .v3_1_1, [0x20, 2, 0, 6], "return code 6"),
  // The others.
  .init("MQTT-3.3.1-4", .refused, .v3_1_1, packet(0x36, "0001'a' 0001"), "QoS 3"),
  .init("MQTT-3.3.1-2", .reported, .v3_1_1, packet(0x38, "0001'a'"), "DUP with QoS 0"),
  .init("MQTT-3.8.3-3", .reported, .v3_1_1, packet(0x82, "0001"), "no filters"),
  .init("MQTT-3-8.3-4", .reported, .v3_1_1, packet(0x82, "0001 0001'a' 04"), "reserved options"),
  .init("MQTT-3-8.3-4", .refused, .v3_1_1, packet(0x82, "0001 0001'a' 03"), "QoS 3 wanted"),
  .init("MQTT-3.8.4-5", .reported, .v3_1_1, [0x90, 2, 0, 1], "SUBACK without codes"),
  .init("MQTT-3.9.3-2", .reported, .v3_1_1, [0x90, 3, 0, 1, 3], "SUBACK with 3"),
  .init("MQTT-3.10.3-2", .reported, .v3_1_1, packet(0xa2, "0001"), "no filters"),
]

private let brokenIn5: [BrokenRule] = [
  // The fixed header.
  .init("§2.1.2", .refused, .v5, [0x00, 0x00], "packet type 0"),
  .init("MQTT-2.1.3-1", .reported, .v5, [0xd8, 0x00], "PINGRESP with a flag"),
  .init("MQTT-3.6.1-1", .reported, .v5, [0x60, 2, 0, 1], "PUBREL without its flag"),
  .init("MQTT-3.8.1-1", .reported, .v5, packet(0x80, "0001 00 0001'a' 00"), "SUBSCRIBE flags"),
  .init("MQTT-3.10.1-1", .reported, .v5, packet(0xa0, "0001 00 0001'a'"), "UNSUBSCRIBE flags"),
  .init("MQTT-3.14.1-1", .reported, .v5, [0xe8, 0x00], "DISCONNECT with a flag"),
  .init("MQTT-3.15.1-1", .reported, .v5, [0xf2, 0x00], "AUTH with a flag"),
  .init("§1.5.5", .refused, .v5, [0x30, 0xff, 0xff, 0xff, 0xff, 0x01], "five bytes of length"),
  .init("MQTT-1.5.5-1", .reported, .v5, [0xc0, 0x80, 0x00], "a length longer than needed"),
  .init("MQTT-1.5.5-1", .reported, .v5, packet(0x30, "0001'a' 8000"), "so is a property length"),
  .init("§2.1.4", .refused, .v5, [0xc0, 0x01, 0x00], "PINGREQ with a body"),
  .init("§2.1.2", .reported, .v5, [0xc0, 0], "PINGREQ of a server", from: .toClient),
  // Fields.
  .init("MQTT-1.5.4-1", .reported, .v5, packet(0x30, "0001 ff 00"), "a topic that is not UTF-8"),
  .init("MQTT-1.5.4-2", .reported, .v5, packet(0x30, "0003'a'00'b' 00"), "NUL in a topic"),
  .init("MQTT-2.2.1-3", .reported, .v5, packet(0xa2, "0000 00 0001'a'"), "UNSUBSCRIBE id 0"),
  .init(
    "MQTT-2.2.1-4", .reported, .v5, packet(0x32, "0001'a' 0000 00"), "PUBLISH id 0",
    from: .toClient),
  .init("MQTT-2.2.1-5", .reported, .v5, [0x50, 2, 0, 0], "PUBREC id 0"),
  .init("MQTT-2.2.1-6", .reported, .v5, [0xb0, 4, 0, 0, 0, 0], "UNSUBACK id 0"),
  .init("MQTT-4.7.3-1", .reported, .v5, packet(0xa2, "0001 00 0000"), "an empty filter"),
  .init("§3.3.2.1", .reported, .v5, packet(0x30, "0000 00"), "neither topic nor alias"),
  .init("MQTT-3.3.2-2", .reported, .v5, packet(0x30, "0001'#' 00"), "PUBLISH to #"),
  .init(
    "MQTT-4.7.0-1", .reported, .v5, packet(0x10, v5 + "06 0000 00 0001'a' 00 0001'+' 0000"),
    "a will to +"),
  .init("MQTT-4.7.1-1", .reported, .v5, packet(0x82, "0001 00 0003'#/a' 00"), "#/a"),
  .init("MQTT-4.7.1-2", .reported, .v5, packet(0x82, "0001 00 0003'+a/' 00"), "+a/"),
  .init("MQTT-4.8.2-1", .reported, .v5, packet(0x82, "0001 00 0009'$share//a' 00"), "no name"),
  .init("MQTT-4.8.2-2", .reported, .v5, packet(0x82, "0001 00 000a'$share/+/a' 00"), "name +"),
  .init("MQTT-4.8.2-2", .reported, .v5, packet(0x82, "0001 00 0008'$share/n' 00"), "no filter"),
  // Properties.
  .init("MQTT-2.2.2-1", .reported, .v5, [0x20, 2, 0, 0], "CONNACK without a property length"),
  .init("§2.2.2.1", .refused, .v5, [0x20, 3, 0, 0, 1], "a block that its packet can't hold"),
  .init("§2.2.2.1", .refused, .v5, packet(0x30, "0001'a' 01 02 'text'"), "beyond its block"),
  .init("§2.2.2.2", .refused, .v5, [0x20, 5, 0, 0, 2, 0x04, 0], "property 4"),
  .init("§2.2.2.2", .reported, .v5, packet(0x30, "0001'a' 03 13 0001"), "Server Keep Alive there"),
  .init("§3.1.2.11.3", .reported, .v5, [0x20, 6, 0, 0, 3, 0x21, 0, 0], "Receive Maximum 0"),
  .init("§3.2.2.3.4", .reported, .v5, [0x20, 5, 0, 0, 2, 0x24, 2], "Maximum QoS 2"),
  .init(
    "§3.2.2.3.14", .reported, .v5, packet(0x20, "0000 06 13 0001 13 0001"), "the same twice"),
  .init("MQTT-3.3.2-8", .reported, .v5, packet(0x30, "0001'a' 03 23 0000"), "alias 0"),
  .init("MQTT-3.3.2-14", .reported, .v5, packet(0x30, "0001'a' 04 08 0001'#'"), "answer to #"),
  .init(
    "MQTT-3.3.4-6", .reported, .v5, packet(0x30, "0001'a' 02 0b 01"),
    "a client tells a subscription", from: .toServer),
  .init(
    "MQTT-3.14.2-2", .reported, .v5, packet(0xe0, "8b 05 11 00000001"),
    "a server changes the expiry", from: .toClient),
  .init(
    "§3.1.2.11.10", .reported, .v5, packet(0x10, v5 + "02 0000 04 16 0001 01 0001'a'"),
    "data without method"),
  .init("§3.15.2.2.2", .reported, .v5, [0xf0, 2, 0x18, 0], "AUTH without a method"),
  // CONNECT and CONNACK.
  .init("MQTT-3.1.2-1", .refused, .v5, packet(0x10, "0004'MQTX' 05 02 0000 00 0001'a'"), "name"),
  .init(
    "MQTT-3.1.2-1", .reported, .v5, packet(0x10, "0006'MQIsdp' 05 02 0000 00 0001'a'"),
    "the name of 3.1"),
  .init("MQTT-3.1.2-2", .refused, .v5, packet(0x10, "0004'MQTT' 07 02 0000 00 0000"), "level 7"),
  .init("MQTT-3.1.2-3", .reported, .v5, packet(0x10, v5 + "03 0000 00 0000"), "reserved flag"),
  .init("MQTT-3.1.2-11", .reported, .v5, packet(0x10, v5 + "12 0000 00 0000"), "QoS, no will"),
  .init(
    "MQTT-3.1.2-12", .refused, .v5, packet(0x10, v5 + "1e 0000 00 0000 00 0001'w' 0000"),
    "Will QoS 3"),
  .init("MQTT-3.1.2-13", .reported, .v5, packet(0x10, v5 + "22 0000 00 0000"), "retain, no will"),
  .init("MQTT-3.1.3-3", .refused, .v5, packet(0x10, v5 + "02 0000 00"), "no client identifier"),
  .init("MQTT-3.1.2-9", .refused, .v5, packet(0x10, v5 + "06 0000 00 0000"), "no will"),
  .init("MQTT-3.1.2-9", .refused, .v5, packet(0x10, v5 + "06 0000 00 0000 00 0001'w'"), "no text"),
  .init("MQTT-3.1.2-17", .refused, .v5, packet(0x10, v5 + "82 0000 00 0000"), "no user name"),
  .init("MQTT-3.1.2-19", .refused, .v5, packet(0x10, v5 + "42 0000 00 0000"), "no password"),
  .init("MQTT-3.2.2-1", .reported, .v5, [0x20, 3, 0x80, 0, 0], "reserved acknowledge flag"),
  .init("MQTT-3.2.2-6", .reported, .v5, [0x20, 3, 1, 0x87, 0], "refused, and a session"),
  .init("MQTT-3.2.2-8", .reported, .v5, [0x20, 3, 0, 0x8b, 0], "no code of CONNACK"),
  // The others.
  .init("MQTT-3.3.1-4", .refused, .v5, packet(0x36, "0001'a' 0001 00"), "QoS 3"),
  .init("MQTT-3.3.1-2", .reported, .v5, packet(0x38, "0001'a' 00"), "DUP with QoS 0"),
  .init("MQTT-3.4.2-1", .reported, .v5, [0x40, 3, 0, 1, 0x92], "no code of PUBACK"),
  .init("MQTT-3.5.2-1", .reported, .v5, [0x50, 3, 0, 1, 0x01], "no code of PUBREC"),
  .init("MQTT-3.6.2-1", .reported, .v5, [0x62, 3, 0, 1, 0x10], "no code of PUBREL"),
  .init("MQTT-3.7.2-1", .reported, .v5, [0x70, 3, 0, 1, 0x80], "no code of PUBCOMP"),
  .init("MQTT-3.8.3-2", .reported, .v5, packet(0x82, "0001 00"), "no filters"),
  .init("MQTT-3.8.3-5", .reported, .v5, packet(0x82, "0001 00 0001'a' 40"), "reserved options"),
  .init("§3.8.3.1", .refused, .v5, packet(0x82, "0001 00 0001'a' 03"), "QoS 3 wanted"),
  .init("§3.8.3.1", .refused, .v5, packet(0x82, "0001 00 0001'a' 30"), "Retain Handling 3"),
  .init(
    "MQTT-3.8.3-4", .reported, .v5, packet(0x82, "0001 00 000a'$share/s/a' 04"),
    "No Local on a shared subscription"),
  .init("MQTT-3.8.4-6", .reported, .v5, [0x90, 3, 0, 1, 0], "SUBACK without codes"),
  .init("MQTT-3.9.3-2", .reported, .v5, [0x90, 4, 0, 1, 0, 3], "SUBACK with 3"),
  .init("MQTT-3.10.3-2", .reported, .v5, packet(0xa2, "0001 00"), "no filters"),
  .init("MQTT-3.11.3-1", .reported, .v5, [0xb0, 3, 0, 1, 0], "UNSUBACK without codes"),
  .init("MQTT-3.11.3-2", .reported, .v5, [0xb0, 4, 0, 1, 0, 1], "no code of UNSUBACK"),
  .init("MQTT-3.14.2-1", .reported, .v5, [0xe0, 1, 0x01], "no code of DISCONNECT"),
  .init(
    "MQTT-3.14.2-1", .reported, .v5, [0xe0, 1, 0x8e], "a client takes over", from: .toServer),
  .init("MQTT-3.14.2-1", .reported, .v5, [0xe0, 0], "a server says goodbye", from: .toClient),
  .init(
    "MQTT-3.15.2-1", .reported, .v5, packet(0xf0, "80 04 15 0001'm'"), "no code of AUTH"),
  .init("MQTT-3.15.2-1", .reported, .v5, [0xf0, 0], "a client says yes", from: .toServer),
]

@Suite struct MQTTViolationTests {
  @Test(arguments: brokenIn311 + brokenIn5)
  func `a broken rule is named by its statement`(row: BrokenRule) throws {
    switch row.outcome {
    case .reported:
      let decoded = try MQTTPacket.decode(
        row.bytes, version: row.version, direction: row.direction)
      #expect(decoded.violations.map(\.statement) == [row.statement])
      #expect(
        decoded.violations.allSatisfy {
          row.bytes.indices.contains($0.offset) || $0.offset == row.bytes.count
        })
      #expect(decoded.violations.allSatisfy { !$0.text.isEmpty })
    case .refused:
      let error = try #require(throws: DecodeError.self) {
        try MQTTPacket.decode(row.bytes, version: row.version, direction: row.direction)
      }
      #expect(error.rule == row.statement)
      #expect((0...row.bytes.count).contains(error.offset))
    }
  }

  @Test func `each rule of either standard is broken by some row`() {
    // Stands as the section of the property in question.
    let bySection: Set<MQTTRule> = [.propertyRepeated, .propertyValue]
    for (version, rows) in [(MQTTVersion.v3_1_1, brokenIn311), (.v5, brokenIn5)] {
      let broken = Set(rows.map(\.statement))
      for rule in MQTTRule.allCases where !bySection.contains(rule) {
        let statement = rule.statement(in: version)
        #expect(statement.isEmpty || broken.contains(statement), "\(version) \(rule)")
      }
    }
  }

  @Test func `each rule has words`() {
    for rule in MQTTRule.allCases {
      #expect(!rule.text.isEmpty)
      #expect(!(rule.statement(in: .v3_1_1) + rule.statement(in: .v5)).isEmpty)
    }
  }

  @Test func `what breaks several rules is told in full`() throws {
    // DUP with QoS 0, a wildcard, and an alias of 0.
    let decoded = try MQTTPacket.decode(packet(0x38, "0001'+' 03 23 0000"), version: .v5)
    #expect(
      decoded.violations.map(\.statement) == ["MQTT-3.3.1-2", "MQTT-3.3.2-2", "MQTT-3.3.2-8"])
    #expect(decoded.violations.map(\.offset) == [0, 2, 6])
  }

  @Test func `the packet is there although it breaks a rule`() throws {
    let decoded = try MQTTPacket.decode(packet(0x30, "0003'a/+' 'x'"), version: .v3_1_1)
    #expect(decoded.packet == .publish(.init(topic: "a/+", payload: [0x78])))
  }

  @Test func `flags of 3_1 that mean nothing are not held against it`() throws {
    let duplicate = try MQTTPacket.decode([0x6a, 2, 0, 1], version: .v3_1)
    #expect(duplicate.violations == [])
    let connack = try MQTTPacket.decode([0x20, 2, 1, 0], version: .v3_1)
    #expect(connack.violations == [])
    #expect(connack.packet == .connack(.init(sessionPresent: false)))
  }

  @Test func `a user name that 3_1 announces and leaves out was not sent`() throws {
    let bytes = packet(0x10, "0006'MQIsdp' 03 c2 0000 0001'a'")
    let decoded = try MQTTPacket.decode(bytes, version: .unknown)
    #expect(
      decoded.packet == .connect(.init(version: .v3_1, clientIdentifier: "a")))
  }
}
