import PushProtocols
import Testing

/// One packet in its canonical form, and what it says.
struct PacketVector: Sendable, CustomTestStringConvertible {
  var name: String
  var version: MQTTVersion
  var hex: String
  var packet: MQTTPacket

  init(_ name: String, _ version: MQTTVersion, _ hex: String, _ packet: MQTTPacket) {
    self.name = name
    self.version = version
    self.hex = hex
    self.packet = packet
  }

  var bytes: [UInt8] { PushProtocolsTests.bytes(hex) }
  var testDescription: String { "\(name) \(version)" }
}

/// `"c0 00"` and text in single quotes, `"00 04 'MQTT'"`.
func bytes(_ hex: String) -> [UInt8] {
  var result: [UInt8] = []
  for (index, part) in hex.split(separator: "'", omittingEmptySubsequences: false).enumerated() {
    guard index.isMultiple(of: 2) else {
      result += part.utf8
      continue
    }
    let digits = part.filter { !$0.isWhitespace }
    precondition(digits.count.isMultiple(of: 2), "half a byte in \(hex)")
    var rest = Substring(digits)
    while !rest.isEmpty {
      result.append(UInt8(rest.prefix(2), radix: 16)!)
      rest = rest.dropFirst(2)
    }
  }
  return result
}

/// A packet from the hexadecimal text of its body: the Remaining Length is put in.
func packet(_ firstByte: UInt8, _ body: String) -> [UInt8] {
  let body = bytes(body)
  var result = [firstByte]
  var length = body.count
  repeat {
    result.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
    length >>= 7
  } while length > 0
  return result + body
}
