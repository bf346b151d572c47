import Testing
import Timeline
import Unwrapping
import Wire

/// Records, upgrades and compressed messages that are not complete, when there is no room for all.
@Suite struct UnfinishedLayersTests {
  /// Tells what is behind as lines, and how many bytes wait.
  private final class Lines: ConnectionSink {
    var lines: [String] = []

    func receive(
      _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
      bytes: UnsafeRawBufferPointer, at moment: Moment
    ) {
      switch event {
      case .bytes(let direction, let offset):
        lines.append("\(connection.index) \(direction) \(offset): \(bytes.count) bytes")
      case .gap(let direction, let offset, let length, let kind):
        lines.append("\(connection.index) \(direction) \(offset): \(length) \(kind)")
      case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
        .finished, .secured, .reset, .ended:
        break
      }
    }
  }

  private final class Wire {
    let behind = Lines()
    let unfinished: UnfinishedBytes
    private let sink: UnwrappingSink
    private var offsets: [ConnectionID: [UInt64]] = [:]
    private var frame: UInt32 = 0

    init(limit: Int) {
      unfinished = UnfinishedBytes(limit: limit)
      sink = UnwrappingSink(
        CaptureOptions(), to: behind, noting: WrappedConnections(unfinished: unfinished))
    }

    func send(_ bytes: [UInt8], _ number: UInt32, _ direction: Direction = .toServer) {
      let connection = ConnectionID(number)
      if offsets[connection] == nil {
        offsets[connection] = [0, 0]
        tell(.began(handshake: true), connection)
      }
      let offset = offsets[connection]![Int(direction.rawValue)]
      offsets[connection]![Int(direction.rawValue)] += UInt64(bytes.count)
      tell(.bytes(direction, offset: offset), connection, bytes)
    }

    func end(_ number: UInt32) { tell(.ended(.closed), ConnectionID(number)) }

    private func tell(_ event: ConnectionEvent, _ connection: ConnectionID, _ bytes: [UInt8] = []) {
      frame += 1
      let description = ConnectionDescription(
        client: Endpoint(address: [10, 0, 0, 1], port: UInt16(50_000 + connection.index)),
        server: Endpoint(address: [10, 0, 0, 2], port: 8080), clientRule: .synSender)
      unsafe bytes.withUnsafeBytes {
        unsafe sink.receive(
          event, of: connection, description, bytes: $0,
          at: Moment(time: .start, frame: frame))
      }
    }
  }

  /// A record of TLS 1.2; a handshake record holds the beginning of a ClientHello.
  private func record(_ type: UInt8, _ length: Int) -> [UInt8] {
    [type, 3, 3, UInt8(length >> 8), UInt8(length & 0xff)]
      + (type == 0x16 ? [1, 0, UInt8((length - 4) >> 8), UInt8((length - 4) & 0xff)] : [])
      + [UInt8](repeating: 0, count: type == 0x16 ? length - 4 : length)
  }

  @Test func `a record that is given up is one that is missing, and the next one is found`() {
    let wire = Wire(limit: 6_000)
    // A hello that says nothing, and application data behind it that nobody can open.
    wire.send(record(0x16, 60), 0)
    let long = record(0x17, 9_000)
    wire.send(Array(long[..<5_000]), 0)
    #expect(wire.unfinished.total == 5_000)
    wire.send(record(0x16, 60), 1)
    wire.send(Array(long[..<2_000]), 1)
    #expect(wire.unfinished.givenUp.map(\.place.connection.index) == [0])
    #expect(wire.unfinished.total == 2_000)
    wire.send(Array(long[5_000...]) + record(0x17, 400), 0)
    wire.send(Array(long[2_000...]), 1)
    #expect(wire.unfinished.total == 0)
    wire.end(0)
    wire.end(1)
    #expect(
      wire.behind.lines == [
        "0 toServer 0: 8984 givenUp", "0 toServer 8984: 400 encrypted",
        "1 toServer 0: 9000 encrypted",
      ])
  }

  @Test func `an upgrade without end is no WebSocket`() {
    let wire = Wire(limit: 6_000)
    let head = Array("GET / HTTP/1.1\r\nUpgrade: websocket\r\nX: ".utf8)
    wire.send(head + [UInt8](repeating: 0x61, count: 2_000), 0)
    #expect(wire.behind.lines.isEmpty)
    wire.send(head + [UInt8](repeating: 0x61, count: 1_200), 1)
    #expect(wire.unfinished.givenUp.map(\.place.layer) == [.opening])
    #expect(wire.behind.lines == ["0 toServer 0: \(head.count + 2_000) bytes"])
  }

  @Test func `a compressed message that is given up is a hole, and the next one is inflated`() {
    let wire = Wire(limit: 6_000)
    let request = """
      GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
      """
    let answer = """
      HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
      Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n\r\n
      """
    wire.send(Array(request.utf8), 0)
    wire.send(Array(answer.utf8), 0, .toClient)
    wire.send([0xC2, 126, 0x30, 0x00] + [UInt8](repeating: 0, count: 7_000), 0, .toClient)
    #expect(wire.unfinished.givenUp.map(\.count) == [7_000])
    #expect(wire.behind.lines == ["0 toClient 0: 7000 givenUp"])
    // The rest of it, and "Hello" (RFC 7692 §7.2.3.1).
    wire.send([UInt8](repeating: 0, count: 0x3000 - 7_000), 0, .toClient)
    wire.send([0xC1, 7, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 0, .toClient)
    #expect(
      wire.behind.lines.dropFirst() == [
        "0 toClient 7000: 1 givenUp", "0 toClient 7001: 5 bytes",
      ])
  }
}
