import Foundation
import TLS
import Timeline
import Unwrapping
import Wire

/// Writes what was inside of a capture's TLS and WebSocket as a capture in the clear: the same
/// connections, bytes, acknowledgements and ends at the same times, over plain TCP.
final class ClearTwin: ConnectionSink {
  private struct Stream {
    var bytes: [UInt8] = []
    var acknowledged: UInt32 = 0
  }

  private var file: [UInt8]
  private var streams: [ConnectionID: [Stream]] = [:]
  private static let initialNumber: UInt32 = 1000

  init() {
    // pcap with nanoseconds, raw IP.
    file = Self.little(0xa1b2_3c4d) + [2, 0, 4, 0] + Self.little(0) + Self.little(0)
    file += Self.little(262_144) + Self.little(101)
  }

  func write(to path: String) throws { try Data(file).write(to: URL(filePath: path)) }

  static func write(_ path: String, _ options: CaptureOptions, to twin: String) throws {
    let reading = try UnwrappedCapture.read(path, options) { _ in ClearTwin() }
    try reading.sink.write(to: twin)
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    var pair = streams[connection] ?? [Stream(), Stream()]
    defer { streams[connection] = pair }
    func send(
      _ direction: Direction, _ offset: UInt64?, _ flags: UInt8, _ payload: [UInt8] = []
    ) {
      let isToServer = direction == .toServer
      let number = Self.initialNumber &+ (offset.map { UInt32($0) &+ 1 } ?? 0)
      let other = pair[Int(direction.opposite.rawValue)].acknowledged
      packet(
        from: isToServer ? description.client : description.server,
        to: isToServer ? description.server : description.client, number,
        flags & 0x10 == 0 ? 0 : Self.initialNumber &+ 1 &+ other, flags, payload, moment)
    }
    switch event {
    case .began(let handshake): if handshake { send(.toServer, nil, 0x02) }
    case .established:
      send(.toClient, nil, 0x12)
      send(.toServer, 0, 0x10)
    case .bytes(let direction, let offset):
      let payload = unsafe Array(bytes)
      pair[Int(direction.rawValue)].bytes += payload
      send(direction, offset, 0x18, payload)
    case .retransmission(let direction, let offset, let length):
      let all = pair[Int(direction.rawValue)].bytes
      send(direction, offset, 0x18, Array(all[Int(offset)..<Int(offset + length)]))
    case .acknowledged(let direction, let upTo):
      pair[Int(direction.rawValue)].acknowledged = UInt32(upTo)
      send(direction.opposite, UInt64(pair[Int(direction.opposite.rawValue)].bytes.count), 0x10)
    case .finished(let direction, let offset): send(direction, offset, 0x11)
    case .reset(let direction):
      send(direction, UInt64(pair[Int(direction.rawValue)].bytes.count), 0x14)
    case .gap, .keepAliveProbe, .windowClosed, .secured, .ended: break
    }
  }

  private func packet(
    from source: Endpoint, to target: Endpoint, _ number: UInt32, _ acknowledgement: UInt32,
    _ flags: UInt8, _ payload: [UInt8], _ moment: Moment
  ) {
    var tcp = Self.big(source.port) + Self.big(target.port) + Self.big(number)
    tcp += Self.big(acknowledgement) + [0x50, flags] + Self.big(UInt16(0xffff)) + [0, 0, 0, 0]
    let length = UInt16(20 + tcp.count + payload.count)
    var ip: [UInt8] = [0x45, 0] + Self.big(length) + [0, 0, 0x40, 0, 64, 6, 0, 0]
    ip += source.address + target.address
    let packet = ip + tcp + payload
    let time = moment.time.nanoseconds
    file += Self.little(UInt32(time / 1_000_000_000)) + Self.little(UInt32(time % 1_000_000_000))
    file += Self.little(UInt32(packet.count)) + Self.little(UInt32(packet.count)) + packet
  }

  private static func little(_ value: UInt32) -> [UInt8] { big(value).reversed() }
  private static func big(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
  private static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }
}
