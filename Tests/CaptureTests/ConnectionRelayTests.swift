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

  /// Takes segments of connections with even numbers.
  private final class Choosy: ConnectionSink {
    let told = RecordingSink()
    private(set) var taken: [PlainSegment] = []
    private(set) var bytes: [UInt8] = []

    func receive(
      _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
      bytes: UnsafeRawBufferPointer, at moment: Moment
    ) {
      unsafe told.receive(event, of: connection, description, bytes: bytes, at: moment)
    }

    func takes(
      _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
      at moment: Moment
    ) -> Bool {
      if connection.index % 2 == 1 { return false }
      taken.append(segment)
      unsafe self.bytes += bytes
      return true
    }
  }

  @Test func `segments are told by their events to who does not take them`() throws {
    let choosy = Choosy()
    let relay = try #require(ConnectionRelay(to: choosy))
    let nothing = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    for connection in 0..<2 as Range<UInt32> {
      unsafe relay.receive(
        .began(handshake: true), of: ConnectionID(connection), description, bytes: nothing,
        at: Moment(time: .start, frame: 1))
    }
    let count = 5_000
    var refused = 0
    for index in 0..<count {
      let segment = PlainSegment(
        index % 2 == 0 ? .toServer : .toClient, offset: UInt64(index), acknowledges: index % 3 > 0,
        acknowledged: UInt64(index))
      let bytes: [UInt8] = index % 3 == 2 ? [] : [UInt8(truncatingIfNeeded: index)]
      for connection in 0..<2 as Range<UInt32> {
        let isTaken = unsafe bytes.withUnsafeBytes {
          unsafe relay.takes(
            segment, of: ConnectionID(connection), bytes: $0,
            at: Moment(time: .start, frame: UInt32(index)))
        }
        if !isTaken { refused += 1 }
      }
    }
    relay.finish()
    #expect(refused == 0)
    #expect(choosy.taken.map(\.offset) == (0..<count).map(UInt64.init))
    #expect(choosy.bytes.count == count - count / 3)
    let told = choosy.told.connections
    #expect(told.map(\.lines.count) == [1, 1 + (count - count / 3) + (count - (count + 2) / 3)])
    #expect(told[1].toServer.count + told[1].toClient.count == choosy.bytes.count)
  }

  @Test func `nothing at all is relayed too`() throws {
    let sink = RecordingSink()
    let relay = try #require(ConnectionRelay(to: sink))
    relay.finish()
    #expect(sink.connections.isEmpty)
  }
}
