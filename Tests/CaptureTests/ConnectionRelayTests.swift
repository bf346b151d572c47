import Testing
import Timeline
import Wire

@testable import Capture

@Suite struct ConnectionRelayTests {
  private let description = ConnectionDescription(
    client: Endpoint(address: [10, 0, 0, 2], port: 50_000),
    server: Endpoint(address: [10, 0, 0, 1], port: 1883), clientRule: .synSender)

  private func tell(_ sink: any ConnectionSink, _ connection: UInt32, _ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes {
      unsafe sink.receive(
        .bytes(.toServer, offset: UInt64(bytes.count)), of: ConnectionID(connection), description,
        bytes: $0, at: Moment(time: .start, frame: UInt32(bytes.count)))
    }
  }

  @Test func `the same calls arrive in the same order, however many and large`() throws {
    let direct = RecordingSink()
    let relayed = RecordingSink()
    let relay = try #require(ConnectionRelay(to: relayed))
    for index in 0..<30_000 {
      // One beyond what a batch usually holds.
      let size = index == 20_000 ? 1 << 20 : index % 700
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: size)
      tell(direct, UInt32(index % 7), bytes)
      tell(relay, UInt32(index % 7), bytes)
      if index == 10_000 {
        relay.drain()
        #expect(relayed.connections.map(\.lines) == direct.connections.map(\.lines))
      }
    }
    relay.finish()
    #expect(relayed.connections.map(\.lines) == direct.connections.map(\.lines))
    #expect(relayed.connections.map(\.toServer) == direct.connections.map(\.toServer))
  }

  @Test func `nothing at all is relayed too`() throws {
    let sink = RecordingSink()
    let relay = try #require(ConnectionRelay(to: sink))
    relay.finish()
    #expect(sink.connections.isEmpty)
  }
}
