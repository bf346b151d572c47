import Testing
import Timeline
import Wire

/// What waits to be complete has a limit over all connections.
@Suite struct UnfinishedBytesTests {
  /// Lets go of everything that it is told to, and remembers the order.
  private final class Holder: UnfinishedHolder {
    let unfinished: UnfinishedBytes
    var known: [UInt32: Int] = [:]
    var order: [UInt32] = []

    init(limit: Int) { unfinished = UnfinishedBytes(limit: limit) }

    func keep(_ count: Int, _ connection: UInt32) {
      unfinished.count(
        count, known: &known[connection, default: 0],
        UnfinishedBytes.Place(ConnectionID(connection), .toServer, .messages),
        ConnectionDescription(
          client: Endpoint(address: [10, 0, 0, 1], port: 1),
          server: Endpoint(address: [10, 0, 0, 2], port: 2), clientRule: .synSender),
        of: self, at: Moment(time: .start, frame: connection))
      if unfinished.isOverLimit { unfinished.makeRoom() }
    }

    func giveUp(_ bytes: UnfinishedBytes.Held) {
      let connection = bytes.place.connection.index
      order.append(connection)
      keep(0, connection)
    }
  }

  @Test func `whoever holds most is given up first, until a quarter is free`() {
    let holder = Holder(limit: 100_000)
    for (connection, count) in [(5, 30_000), (1, 20_000), (3, 30_000), (2, 19_999)] {
      holder.keep(count, UInt32(connection))
    }
    #expect(holder.order.isEmpty && holder.unfinished.total == 99_999)
    holder.keep(2_000, 4)
    // Of two that are equal, the one that began first; then 71,999 are left.
    #expect(holder.order == [3])
    #expect(holder.unfinished.total == 71_999)
    holder.keep(50_000, 6)
    #expect(holder.order == [3, 6])
    #expect(holder.unfinished.givenUp.map(\.count) == [30_000, 50_000])
  }

  @Test func `what is complete no longer counts, and what is small never does`() {
    let holder = Holder(limit: 10_000)
    for connection in 0..<1000 { holder.keep(1023, UInt32(connection)) }
    #expect(holder.unfinished.total == 0)
    for _ in 0..<100 {
      holder.keep(9_000, 7)
      holder.keep(0, 7)
    }
    #expect(holder.order.isEmpty && holder.unfinished.total == 0)
  }

  @Test func `the first that were given up are named, and all are counted`() {
    let holder = Holder(limit: 4_000)
    for connection in 0..<100 { holder.keep(5_000, UInt32(connection)) }
    #expect(holder.unfinished.givenUpCount == 100)
    #expect(holder.unfinished.givenUp.map(\.place.connection.index) == Array(0..<16))
  }
}
