import Custody
import Testing
import Timeline
import Wire

@testable import PushProtocols

/// What is over is let go: nothing keeps itself alive.
@Suite struct MQTTMemoryTests {
  /// Whether objects are gone; keeps none of them.
  private final class Watched {
    private weak var object: AnyObject?
    init(_ object: AnyObject) { self.object = object }
    var isGone: Bool { object == nil }
  }

  private let moment = Moment(time: .start, frame: 1)

  private func publication() -> MQTTPublication {
    MQTTPublication(
      MQTTSeenPublish(
        MQTTPublish(topic: "t/x", payload: [1, 2, 3], qos: .atLeastOnce, packetID: 1)),
      topic: "t/x", by: "p", in: SessionID(1), packetSize: 12, at: moment)
  }

  @Test(arguments: [false, true])
  func `a publication that was answered and its copies don't keep each other`(_ isRefused: Bool) {
    var watched: [Watched] = []
    do {
      let observer = MQTTCaptureObserver(numbers: RecordNumbers(keepsDeliveries: false))
      let server = MQTTObservedServer(name: "s")
      let subscriber = MQTTSubscriber(
        name: "c", isIdentified: true, tally: observer.tally(for: "c"), observer: observer)
      subscriber.state.knowledge = .complete
      subscriber.state.survives = true
      subscriber.state.subscriptions = [
        MQTTSessionState.Subscription(
          filter: MQTTTopicFilter("t/#"), granted: .atLeastOnce, noLocal: false,
          retainAsPublished: false, isCertain: true)
      ]
      server.adopt(subscriber)
      let publication = publication()
      server.route(publication, numbers: observer)
      watched = [Watched(publication)] + publication.copies.map { Watched($0) }
      #expect(watched.count == 2)
      server.answered(
        publication, refused: isRefused ? "not authorized" : nil, in: SessionID(1), at: moment,
        numbers: observer)
    }
    #expect(watched.filter { !$0.isGone }.isEmpty)
  }

  @Test func `an observer leaves nothing behind when its capture is over`() {
    nonisolated(unsafe) var made: MQTTCaptureObserver?
    var watched: [Watched] = []
    do {
      let wire = MQTTWire(catalog: [
        ObservedProtocol(name: "mqtt") { numbers in
          let observer = MQTTCaptureObserver(numbers: numbers)
          unsafe made = observer
          return observer
        }
      ])
      wire.subscriber("a")
      wire.join("p")
      for id in 1...5 as ClosedRange<UInt16> {
        wire.publish("p", "m\(id)", id: id)
        wire.deliver("a", "m\(id)", id: id)
        if id < 4 { wire.acknowledge("a", id) }
      }
      wire.reset("a", .toServer)
      wire.join("a2", as: "a", present: true)
      _ = wire.observation
      let observer = unsafe made!
      watched = observer.stillOpen.map { Watched($0) } + observer.deliveries.map { Watched($0) }
      watched.append(Watched(observer))
      #expect(watched.count == 2 + 5 + 1)
      unsafe made = nil
    }
    #expect(watched.filter { !$0.isGone }.isEmpty)
  }
}
