import Capture
import Custody
import Foundation
import Testing
import Timeline
import Unwrapping
import Wire

@testable import Inspection

/// Connections that no protocol claims are told of while a capture is made, too.
@Suite struct LiveConnectionsTests {
  /// Connections written by hand, one packet a millisecond.
  private final class Lab {
    let connections: LiveConnections
    private let sink: UnwrappingSink
    private var offsets: [UInt32: [UInt64]] = [:]
    private var frame: UInt32 = 0
    var now = Instant(nanoseconds: 1_000_000_000)

    init() {
      let wrapped = WrappedConnections()
      let observers = CaptureInspection.observers(
        CaptureOptions(), keepsDeliveries: false, wrapped)
      connections = LiveConnections(observers, wrapped)
      sink = UnwrappingSink(CaptureOptions(), to: connections, noting: wrapped)
    }

    func tell(_ event: ConnectionEvent, _ number: UInt32 = 0, _ bytes: [UInt8] = []) {
      frame += 1
      now = now + .milliseconds(1)
      let description = ConnectionDescription(
        client: Endpoint(address: [10, 0, 0, 1], port: UInt16(50_000 + number)),
        server: Endpoint(address: [10, 0, 0, 2], port: 443), clientRule: .synSender)
      unsafe bytes.withUnsafeBytes {
        unsafe sink.receive(
          event, of: ConnectionID(number), description, bytes: $0,
          at: Moment(time: now, frame: frame))
      }
    }

    func send(_ direction: Direction, _ bytes: [UInt8], _ number: UInt32 = 0) {
      if offsets[number] == nil {
        offsets[number] = [0, 0]
        tell(.began(handshake: true), number)
      }
      let offset = offsets[number]![Int(direction.rawValue)]
      offsets[number]![Int(direction.rawValue)] += UInt64(bytes.count)
      tell(.bytes(direction, offset: offset), number, bytes)
    }

    /// An upgrade to WebSocket.
    func upgrade(_ number: UInt32 = 0) {
      let request =
        "GET /push HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
      let answer =
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Protocol: push-notification\r\n\r\n"
      send(.toServer, Array(request.utf8), number)
      send(.toClient, Array(answer.utf8), number)
    }

    func news() -> [LiveEvent] { connections.news(at: now) }
  }

  /// A text frame of the client, with a mask of zeros.
  private let hello = [0x81, 0x85, 0, 0, 0, 0] + Array("hello".utf8)

  @Test func `a WebSocket of no known protocol is opened and closed, each once`() {
    let lab = Lab()
    lab.upgrade()
    #expect(lab.news().isEmpty)
    lab.send(.toServer, hello)
    let opened = lab.news()
    #expect(opened.map(\.kind) == [.connectionOpened])
    #expect(opened[0].text == "→ 10.0.0.2:443, WebSocket /push (push-notification)")
    #expect(opened[0].connection == 0 && opened[0].session == nil)
    #expect(opened[0].subscriber == "client at 10.0.0.1:50000")
    #expect(lab.news().isEmpty)
    lab.tell(.reset(.toClient))
    #expect(lab.news().map(\.text) == ["server reset"])
    lab.tell(.ended(.reset))
    #expect(lab.news().isEmpty)
  }

  @Test func `a client that spoke regularly and stops is told of once, and again when it repeats`()
  {
    let lab = Lab()
    lab.upgrade()
    for _ in 0..<5 {
      lab.send(.toServer, hello)
      lab.now = lab.now + .seconds(6)
    }
    // Not longer than twice its longest pause.
    lab.now = lab.now + .seconds(5)
    #expect(lab.news().map(\.kind) == [.connectionOpened])
    lab.now = lab.now + .seconds(2)
    let silent = lab.news()
    #expect(silent.map(\.kind) == [.clientSilent])
    #expect(silent[0].text.contains("never been silent for more than 6.00"))
    #expect(lab.news().isEmpty)
    lab.send(.toServer, hello)
    lab.now = lab.now + .seconds(40)
    #expect(lab.news().map(\.kind) == [.clientSilent])
  }

  @Test func `what a protocol claims, and what is in the clear, is not told of here`() {
    let lab = Lab()
    lab.upgrade(1)
    // CONNECT of MQTT in a frame.
    let connect: [UInt8] = [0x10, 13, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1, 0x61]
    lab.send(.toServer, [0x82, 0x80 | UInt8(connect.count), 0, 0, 0, 0] + connect, 1)
    lab.send(.toServer, Array("SSH-2.0-OpenSSH_9.6\r\n".utf8), 2)
    lab.send(.toClient, Array("SSH-2.0-OpenSSH_9.6\r\n".utf8), 2)
    #expect(lab.news().isEmpty)
  }

  /// TLS without secrets, from a recording.
  @Test func `what can't be decrypted is told of, with the reason`() throws {
    let path = Captures.path("mqtt-tls/tls-1.3.pcap")
    let live = LiveInspection(CaptureOptions(), keepsDeliveries: false, patience: .seconds(5))
    var events: [LiveEvent] = []
    let feed = try WholeFile(path) {
      if let now = live.latestPacket?.time { events += live.news(at: now, dropped: 0) }
    }
    let record = try live.run(feed, filter: nil, mayBeQuiet: false, showing: nil) { nil }
    #expect(record == (try CaptureInspection.inspect(path)))
    let closed = record.connections.filter { $0.obstacle == "noSecrets" }
    #expect(closed.count == 3)
    for kind in [LiveEvent.Kind.connectionOpened, .connectionClosed] {
      #expect(
        events.filter { $0.kind == kind }.compactMap(\.connection).sorted()
          == closed.map(\.connection))
    }
    #expect(
      events.filter { $0.kind == .connectionOpened }.allSatisfy {
        $0.text.contains("TLS 1.3") && $0.text.contains("not decrypted: no secrets")
      })
  }

  /// A file in pieces that are smaller than its packets.
  private final class WholeFile: CaptureFeed {
    let name: String
    var droppedPackets: UInt64 { 0 }
    var failure: String? { nil }
    private var rest: ArraySlice<UInt8>
    private let beat: () -> Void

    init(_ path: String, _ beat: @escaping () -> Void) throws {
      name = path
      rest = Array(try Data(contentsOf: URL(filePath: path)))[...]
      self.beat = beat
    }

    func read(into target: UnsafeMutableRawBufferPointer) -> Int {
      beat()
      let piece = rest.prefix(min(61, target.count))
      rest = rest.dropFirst(piece.count)
      for (index, byte) in piece.enumerated() { unsafe target[index] = byte }
      return piece.count
    }
  }
}
