import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

@Suite struct MQTTFlightTests {
  private func delivery(_ id: UInt16) -> MQTTCompactDelivery {
    MQTTCompactDelivery(
      content: MQTTContent([]), end: 0, sent: MQTTCompactDelivery.none, id: DeliveryID(1), topic: 0,
      session: SessionID(1), order: UInt64(id), packetID: id, isExactlyOnce: false)
  }

  @Test func `what is in flight is found by its identifier until it lands`() {
    let near = MQTTNearMemory()
    var flight = MQTTFlight()
    defer { flight.free(to: near) }
    var known: [UInt16] = []
    var random = SplitMix(seed: 7)
    for _ in 0..<4000 {
      let id = UInt16(1 + random.next() % 300)
      let place = flight.place(of: id)
      #expect((place >= 0) == known.contains(id))
      if place >= 0 {
        #expect(flight[place].packetID == id)
        flight.remove(at: place)
        known.removeAll { $0 == id }
      } else if flight.hasRoom {
        if flight.isFull { flight.grow(in: near) }
        flight.append(delivery(id))
        known.append(id)
      }
    }
    #expect(flight.inOrder.map(\.packetID) == known.sorted())
    flight.free(to: near)
    #expect(known.allSatisfy { flight.place(of: $0) < 0 })
  }

  @Test func `identifiers that were there before hide none`() {
    var identifiers = MQTTIdentifiers()
    defer { identifiers.free() }
    for id in [5, 6, 7, 8] as [UInt16] { identifiers.append(id) }
    identifiers.removeAll()
    #expect(!identifiers.contains(6))
    for id in [7, 9, 5] as [UInt16] { identifiers.append(id) }
    #expect([5, 7, 9].allSatisfy { identifiers.contains($0) })
    #expect(![6, 8, 263].contains { identifiers.contains($0) })
  }

  @Test func `pieces of near memory lie apart, and are used again`() {
    let near = MQTTNearMemory()
    let sizes = [1, 64, 65, 1000, 40_000]
    var pieces: [(start: UInt, count: Int)] = []
    for round in 0..<200 {
      let count = sizes[round % sizes.count]
      let piece = unsafe near.allocate(count)
      unsafe piece.initializeMemory(as: UInt8.self, repeating: 1, count: count)
      let start = UInt(bitPattern: piece)
      #expect(start % 64 == 0)
      let end = start + UInt(count)
      #expect(!pieces.contains { $0.start < end && start < $0.start + UInt($0.count) })
      pieces.append((start, count))
    }
    let piece = unsafe near.allocate(300)
    unsafe near.free(piece, 300)
    #expect(unsafe near.allocate(290) == piece)
  }
}
