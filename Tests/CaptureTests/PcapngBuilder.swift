@testable import Capture

/// A pcapng file in memory, block by block.
struct PcapngBuilder {
  private(set) var contents: [UInt8] = []
  private let isBigEndian: Bool

  init(bigEndian: Bool = false) {
    isBigEndian = bigEndian
    section()
  }

  private func number(_ value: UInt32) -> [UInt8] {
    isBigEndian ? bytes(value) : bytes(value).reversed()
  }

  private func short(_ value: UInt16) -> [UInt8] {
    isBigEndian ? bytes(value) : bytes(value).reversed()
  }

  private func padded(_ bytes: [UInt8]) -> [UInt8] {
    bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
  }

  func option(_ code: UInt16, _ value: [UInt8]) -> [UInt8] {
    short(code) + short(UInt16(value.count)) + padded(value)
  }

  mutating func block(_ type: UInt32, _ body: [UInt8]) {
    let length = number(UInt32(12 + body.count))
    contents += number(type) + length + body + length
  }

  mutating func section() {
    block(
      0x0A0D_0D0A, number(0x1A2B_3C4D) + short(1) + short(0) + [UInt8](repeating: 0xFF, count: 8))
  }

  mutating func interface(linkType: UInt16, snapLength: UInt32 = 0, options: [UInt8] = []) {
    block(1, short(linkType) + short(0) + number(snapLength) + options)
  }

  mutating func packet(
    _ packet: [UInt8], interface: UInt32 = 0, stamp: UInt64, comment: String? = nil
  ) {
    let time = number(UInt32(stamp >> 32)) + number(UInt32(stamp & 0xFFFF_FFFF))
    let lengths = number(UInt32(packet.count)) + number(UInt32(packet.count))
    let options = comment.map { option(1, Array($0.utf8)) + option(0, []) } ?? []
    block(6, number(interface) + time + lengths + padded(packet) + options)
  }

  mutating func simplePacket(_ packet: [UInt8]) {
    block(3, number(UInt32(packet.count)) + padded(packet))
  }

  mutating func secrets(_ text: String) {
    let body = Array(text.utf8)
    block(10, number(0x544C_534B) + number(UInt32(body.count)) + padded(body))
  }

  mutating func junk(_ bytes: [UInt8]) { contents += bytes }
}
