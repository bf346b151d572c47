import Foundation

/// A pcap file of raw IPv4 packets, written by hand, one packet every millisecond.
struct RawCapture {
  private(set) var bytes: [UInt8]
  private var packets: UInt32 = 0
  /// Next sequence numbers, by client port: of the client and of the server.
  private var numbers: [UInt16: [UInt32]] = [:]
  private let serverPort: UInt16

  init(serverPort: UInt16) {
    self.serverPort = serverPort
    bytes = Self.little(0xa1b2_c3d4) + [2, 0, 4, 0] + [UInt8](repeating: 0, count: 8)
    bytes += Self.little(262_144) + Self.little(101)
  }

  func write(to path: String) throws { try Data(bytes).write(to: URL(filePath: path)) }

  /// SYN, SYN/ACK, ACK.
  mutating func open(_ port: UInt16) {
    numbers[port] = [1000, 5000]
    segment(port, toServer: true, flags: 0x02, [])
    numbers[port]![0] = 1001
    segment(port, toServer: false, flags: 0x12, [])
    numbers[port]![1] = 5001
    segment(port, toServer: true, flags: 0x10, [])
  }

  /// - Parameter pieces: IP fragments that it comes in.
  mutating func send(
    _ port: UInt16, toServer: Bool, _ payload: [UInt8], pieces: Int = 1, inOrder: Bool = true
  ) {
    if numbers[port] == nil { numbers[port] = [1001, 5001] }
    segment(port, toServer: toServer, flags: 0x18, payload, pieces: pieces, inOrder: inOrder)
    numbers[port]![toServer ? 0 : 1] &+= UInt32(payload.count)
  }

  private mutating func segment(
    _ port: UInt16, toServer: Bool, flags: UInt8, _ payload: [UInt8], pieces: Int = 1,
    inOrder: Bool = true
  ) {
    let pair = numbers[port]!
    let ends = toServer ? (port, serverPort) : (serverPort, port)
    var tcp = Self.big(ends.0) + Self.big(ends.1) + Self.big(pair[toServer ? 0 : 1])
    tcp += Self.big(flags == 0x02 ? 0 : pair[toServer ? 1 : 0]) + [0x50, flags]
    tcp += [0xff, 0xff, 0, 0, 0, 0] + payload
    let size = max(8, (tcp.count / pieces + 7) / 8 * 8)
    var all: [[UInt8]] = []
    for start in stride(from: 0, to: tcp.count, by: pieces == 1 ? tcp.count : size) {
      let part = Array(tcp[start..<(pieces == 1 ? tcp.count : min(start + size, tcp.count))])
      let isLast = start + part.count == tcp.count
      let offset = UInt16(start / 8) | (isLast ? 0 : 0x2000)
      var ip: [UInt8] = [0x45, 0] + Self.big(UInt16(20 + part.count))
      ip += Self.big(UInt16(truncatingIfNeeded: packets)) + Self.big(offset) + [64, 6, 0, 0]
      ip += toServer ? [10, 0, 0, 1, 10, 0, 0, 2] : [10, 0, 0, 2, 10, 0, 0, 1]
      all.append(ip + part)
    }
    // All pieces have one identification: that of the first.
    let identification = Array(all[0][4..<6])
    for at in all.indices { all[at].replaceSubrange(4..<6, with: identification) }
    for packet in inOrder ? all : all.reversed() {
      packets += 1
      bytes += Self.little(1_700_000_000 + packets / 1000) + Self.little(packets % 1000 * 1000)
      bytes += Self.little(UInt32(packet.count)) + Self.little(UInt32(packet.count)) + packet
    }
  }

  private static func little(_ value: UInt32) -> [UInt8] { big(value).reversed() }
  private static func big(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
  private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }
}
