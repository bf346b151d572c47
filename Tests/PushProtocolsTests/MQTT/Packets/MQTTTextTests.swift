import Testing
import Wire

@testable import PushProtocols

@Suite struct MQTTTextTests {
  private func problem(_ bytes: [UInt8]) -> MQTTRule? {
    unsafe MQTTText.problem(in: bytes.span.bytes)
  }

  /// The first and the last scalar of each length, and those beside the surrogates (RFC 3629 §3).
  @Test(
    arguments: [
      0x01, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xffff, 0x1_0000, 0x10_ffff,
    ] as [UInt32])
  func `every scalar is good text`(value: UInt32) throws {
    let scalar = try #require(Unicode.Scalar(value))
    #expect(problem(Array(String(scalar).utf8)) == nil)
    #expect(problem(Array("a\(scalar)b\(scalar)".utf8)) == nil)
  }

  @Test(arguments: [
    "80", "bf", "c0 80", "c1 bf", "c2", "c2 41", "e0 80 80", "e0 9f bf", "e1 80", "ed a0 80",
    "ed bf bf", "f0 80 80 80", "f0 8f bf bf", "f4 90 80 80", "f5 80 80 80", "ff", "fe",
    "e2 82", "f0 9f 92", "41 e2 41 41", "c2 c2 80",
  ])
  func `what is no UTF-8 is told`(hex: String) {
    #expect(problem(bytes(hex)) == .illFormedText)
    #expect(problem(bytes("'ok' \(hex) 'ok'")) == .illFormedText)
    // Swift's own decoder agrees.
    #expect(String(validating: bytes(hex), as: UTF8.self) == nil)
  }

  @Test func `NUL is told, but ill-formed bytes first`() {
    #expect(problem([0]) == .nulInText)
    #expect(problem(Array("a\0b".utf8)) == .nulInText)
    #expect(problem([0, 0xff]) == .illFormedText)
    #expect(problem([]) == nil)
  }

  /// All strings of two bytes, and a sample of longer ones.
  @Test func `it agrees with the standard library`() {
    for first in UInt8.min...UInt8.max {
      for second in UInt8.min...UInt8.max {
        let bytes = [first, second]
        let isText = String(validating: bytes, as: UTF8.self) != nil
        if (problem(bytes) != .illFormedText) != isText {
          Issue.record("\(bytes)")
        }
      }
    }
    var random = SplitMix(seed: 3)
    let leads: [UInt8] = [0x41, 0xc3, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0x80, 0x9f, 0xa0, 0xbf, 0x90]
    for _ in 0..<20_000 {
      let bytes = (0..<4).map { _ in leads.randomElement(using: &random)! }
      let isText = String(validating: bytes, as: UTF8.self) != nil
      if (problem(bytes) != .illFormedText) != isText { Issue.record("\(bytes)") }
    }
  }

  @Test func `text that breaks the rule is still there for people`() throws {
    let decoded = try MQTTPacket.decode(packet(0x30, "0003 'a'ff'b'"), version: .v3_1_1)
    #expect(decoded.packet == .publish(.init(topic: "a\u{fffd}b", payload: [])))
  }

  @Test func `a wildcard is found anywhere`() {
    for text in ["+", "#", "a+", "#a", "a/+/b"] {
      #expect(unsafe MQTTText.hasWildcard(Array(text.utf8).span.bytes))
    }
    #expect(unsafe !MQTTText.hasWildcard(Array("a/b$".utf8).span.bytes))
  }
}

@Suite struct MQTTUnknownVersionTests {
  /// Whoever missed the CONNECT reads no vector as something that neither format says.
  @Test(arguments: packetVectors)
  func `one of the readings is what was meant`(vector: PacketVector) throws {
    let decoded = try MQTTPacket.decode(vector.bytes, version: .unknown)
    #expect(decoded.packet == vector.packet || decoded.alternative == vector.packet)
    if decoded.version != .unknown {
      // 3.1 can't be told from 3.1.1, and CONNECT tells its own.
      let family: MQTTVersion = vector.version == .v3_1 ? decoded.version : vector.version
      #expect(decoded.version == family)
      #expect((decoded.version == .v5) == (vector.version == .v5))
    }
    #expect(decoded.violations == [])
  }

  @Test(arguments: packetVectors)
  func `a known version is never doubted`(vector: PacketVector) throws {
    let decoded = try MQTTPacket.decode(vector.bytes, version: vector.version)
    #expect(decoded.version == vector.version)
    #expect(decoded.alternative == nil)
  }
}
