import Foundation
import Timeline
import Wire

@testable import Capture

/// Big-endian bytes of a number.
func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
func bytes(_ value: UInt32) -> [UInt8] {
  (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * UInt32($0))) }
}

/// Writes packets by hand: a test shows what it is about, the rest is filled in.
enum PacketBuilder {
  static let clientAddress: [UInt8] = [10, 0, 0, 1]
  static let serverAddress: [UInt8] = [10, 0, 0, 2]

  static func tcp(
    from sourcePort: UInt16, to destinationPort: UInt16, seq: UInt32, ack: UInt32?,
    flags: TCPFlags, window: UInt16 = 65_000, options: [UInt8] = [], payload: [UInt8] = []
  ) -> [UInt8] {
    var bits = flags.rawValue
    if ack != nil { bits |= TCPFlags.ack.rawValue }
    let header = bytes(sourcePort) + bytes(destinationPort) + bytes(seq) + bytes(ack ?? 0)
    let length = UInt8((20 + options.count) / 4)
    return header + [length << 4, bits] + bytes(window) + [0, 0, 0, 0] + options + payload
  }

  static func ipv4(
    from source: [UInt8] = clientAddress, to destination: [UInt8] = serverAddress,
    protocol number: UInt8 = 6, identification: UInt16 = 1, fragment: UInt16 = 0,
    totalLength: Int? = nil, _ payload: [UInt8]
  ) -> [UInt8] {
    let length = UInt16(totalLength ?? 20 + payload.count)
    return [0x45, 0] + bytes(length) + bytes(identification) + bytes(fragment) + [64, number, 0, 0]
      + source + destination + payload
  }

  static func ipv6(
    from source: [UInt8], to destination: [UInt8], next: UInt8 = 6, _ payload: [UInt8]
  ) -> [UInt8] {
    [0x60, 0, 0, 0] + bytes(UInt16(payload.count)) + [next, 64] + source + destination + payload
  }

  static func ethernet(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
    [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] + bytes(type) + payload
  }
}

/// A pcap file in memory.
struct PcapBuilder {
  enum Variant: CaseIterable {
    case microseconds, nanoseconds, microsecondsBigEndian, nanosecondsBigEndian
  }

  private(set) var contents: [UInt8] = []
  private let variant: Variant

  init(linkType: UInt32 = 1, variant: Variant = .microseconds, snapLength: UInt32 = 262_144) {
    self.variant = variant
    let isNano = variant == .nanoseconds || variant == .nanosecondsBigEndian
    contents = number(isNano ? 0xA1B2_3C4D : 0xA1B2_C3D4)
    contents += isBigEndian ? [0, 2, 0, 4] : [2, 0, 4, 0]
    contents += number(0) + number(0) + number(snapLength) + number(linkType)
  }

  private var isBigEndian: Bool {
    variant == .microsecondsBigEndian || variant == .nanosecondsBigEndian
  }

  private func number(_ value: UInt32) -> [UInt8] {
    isBigEndian ? bytes(value) : bytes(value).reversed()
  }

  /// - Parameter captured: how many bytes the snap length leaves.
  mutating func add(_ packet: [UInt8], atNanoseconds time: UInt64, captured: Int? = nil) {
    let isNano = variant == .nanoseconds || variant == .nanosecondsBigEndian
    let rest = time % 1_000_000_000
    let kept = packet.prefix(captured ?? packet.count)
    contents += number(UInt32(time / 1_000_000_000)) + number(UInt32(isNano ? rest : rest / 1000))
    contents += number(UInt32(kept.count)) + number(UInt32(packet.count)) + kept
  }
}

/// A file that lives as long as the test.
final class TemporaryFile {
  let path: String

  init(_ contents: [UInt8], name: String = "capture.pcap") throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("pushbench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    path = folder.appendingPathComponent(name).path
    try Data(contents).write(to: URL(fileURLWithPath: path))
  }

  deinit {
    try? FileManager.default.removeItem(
      at: URL(fileURLWithPath: path).deletingLastPathComponent())
  }
}
