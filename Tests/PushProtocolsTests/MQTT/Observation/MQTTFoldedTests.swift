import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// What is in flight without being an object.
@Suite struct MQTTFoldedTests {
  private let observer = MQTTCaptureObserver(numbers: RecordNumbers(keepsDeliveries: false))

  private func compact(_ id: UInt16, session: UInt32) -> MQTTCompactDelivery {
    var delivery = MQTTCompactDelivery(
      content: MQTTContent([UInt8(id & 0xFF)]), end: 10, sent: Moment(time: .start, frame: 1),
      id: DeliveryID(UInt32(id)), topic: 0, session: SessionID(session), order: UInt64(id),
      packetID: id, isExactlyOnce: id % 2 == 0)
    delivery.transportAcknowledged = Moment(time: .start, frame: 2)
    return delivery
  }

  private func subscriber() -> MQTTSubscriber {
    _ = unsafe "t/x".utf8CString.withUnsafeBytes { letters in
      unsafe observer.goodTopics.number(of: UnsafeRawBufferPointer(rebasing: letters.dropLast()))
    }
    return MQTTSubscriber(
      name: "s", isIdentified: true, tally: observer.tally(for: "s"), observer: observer)
  }

  private func send(_ ids: ClosedRange<UInt16>, session: UInt32, to subscriber: MQTTSubscriber) {
    for id in ids {
      if subscriber.folded.latest.isFull { subscriber.folded.latest.grow(in: observer.near) }
      subscriber.folded.latest.append(compact(id, session: session))
    }
  }

  private func passing() -> MQTTPassingOver {
    let address = Endpoint(high: 0, low: 1, isIPv6: false, port: 1)
    let conversation = MQTTConversation(
      ConnectionID(9),
      ConnectionDescription(client: address, server: address, clientRule: .synSender),
      handshake: true, number: SessionID(9), broker: MQTTObservedServer(name: "b"),
      observer: observer, at: Moment(time: .start, frame: 1))
    return MQTTPassingOver(Moment(time: .start, frame: 3), conversation)
  }

  @Test func `a delivery becomes an object when it is asked for, once`() throws {
    let subscriber = subscriber()
    send(1...9, session: 1, to: subscriber)
    let fifth = try #require(subscriber.delivery(inFlight: 5))
    #expect(fifth.id == DeliveryID(5) && fifth.packetID == 5 && fifth.lastSession == SessionID(1))
    #expect(subscriber.delivery(inFlight: 5) === fifth && subscriber.open.count == 1)
    #expect(subscriber.delivery(inFlight: 10) == nil)
    #expect(subscriber.folded.all.map(\.packetID) == [1, 2, 3, 4, 6, 7, 8, 9])
    subscriber.unfoldAll()
    #expect(subscriber.folded.isEmpty && subscriber.open.count == 9)
    #expect((1...9).allSatisfy { subscriber.inFlight[$0]?.packetID == $0 })
  }

  @Test func `what a session left behind knows what passed it over`() throws {
    let subscriber = subscriber()
    send(1...2, session: 1, to: subscriber)
    subscriber.retireFolded()
    let first = passing()
    subscriber.folded.pass(over: first)
    send(3...4, session: 2, to: subscriber)
    subscriber.retireFolded()
    let second = passing()
    subscriber.folded.pass(over: second)
    send(5...5, session: 3, to: subscriber)
    #expect(subscriber.delivery(inFlight: 1)?.passedOver === first)
    #expect(subscriber.delivery(inFlight: 4)?.passedOver === second)
    let fifth = try #require(subscriber.delivery(inFlight: 5))
    #expect(fifth.passedOver == nil)
  }

  @Test func `what there is no room for becomes objects`() {
    let subscriber = subscriber()
    for session in 1...6 as ClosedRange<UInt32> {
      let first = UInt16(session * 200)
      send(first...first + 199, session: session, to: subscriber)
      subscriber.retireFolded()
    }
    #expect(subscriber.folded.all.count == 1024 && subscriber.open.count == 6 * 200 - 1024)
    #expect(subscriber.delivery(inFlight: 200) != nil)
    #expect(subscriber.delivery(inFlight: 1399) != nil)
    subscriber.clear()
    #expect(subscriber.folded.isEmpty)
  }

  @Test func `memory that nothing lies in is given back, and can be had anew`() {
    let near = MQTTNearMemory()
    let piece = unsafe near.allocate(100)
    unsafe piece.storeBytes(of: 7, as: Int.self)
    near.giveBack()
    #expect(unsafe piece.load(as: Int.self) == 7, "it is still in use")
    unsafe near.free(piece, 100)
    near.giveBack()
    let other = unsafe near.allocate(100)
    unsafe other.storeBytes(of: 8, as: Int.self)
    #expect(unsafe other.load(as: Int.self) == 8)
    unsafe near.free(other, 100)
  }
}
