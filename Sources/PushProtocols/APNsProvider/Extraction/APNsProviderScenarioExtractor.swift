internal import Custody
internal import HTTP2
internal import Simulation
internal import Timeline
internal import Wire

/// Follows providers through a capture as a report does, and makes a scenario for each of them.
final class APNsProviderScenarioExtractor: ScenarioExtractor {
  /// Something that crossed the wire, in the words of the machines.
  struct Seen {
    var session: SessionID
    var sender: Side
    var kind: APNsProviderMessage.Kind
    var stream: UInt32
    var text: String
    var moment: Moment
  }

  private let observer = APNsProviderObserver(numbers: RecordNumbers())
  private let observers: CaptureObservers
  private var seen: [Seen] = []
  private var origin: Instant?
  /// The shortest from SYN to the end of the handshake.
  private var roundTrip = Nanoseconds.forever
  private var began: [ConnectionID: Instant] = [:]

  init() {
    // The only one that is asked whether a connection is its own.
    observers = CaptureObservers(
      [], unfinished: observer.numbers.unfinished, others: [observer])
    observer.onlooker = { [unowned self] in note($0, $1, $2) }
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    origin = min(origin ?? moment.time, moment.time)
    if case .began(handshake: true) = event { began[connection] = moment.time }
    if case .established = event, let start = began.removeValue(forKey: connection) {
      roundTrip = min(roundTrip, moment.time - start)
    }
    unsafe observers.receive(event, of: connection, description, bytes: bytes, at: moment)
    let unfinished = observer.numbers.unfinished
    if unfinished.isOverLimit { unfinished.makeRoom() }
  }

  private func note(_ session: SessionID, _ event: HTTP2Event, _ place: HTTP2Place) {
    let sender: Side = place.direction == .toServer ? .client : .server
    func add(_ kind: APNsProviderMessage.Kind, _ text: String, stream: UInt32 = 0) {
      seen.append(
        Seen(
          session: session, sender: sender, kind: kind, stream: stream, text: text,
          moment: place.moment))
    }
    switch event {
    case .settings:
      let isFirst = !seen.contains {
        $0.session == session && $0.sender == sender && $0.kind == .settings
      }
      if isFirst { add(.settings, "SETTINGS") }
    case .ping: add(.ping, "PING")
    case .pingAcknowledged: add(.pong, "PING ACK")
    case .goAway: if sender == .server { add(.goAway, "GOAWAY") }
    case .reset(let stream, _):
      if sender == .client { add(.reset, "RST_STREAM CANCEL", stream: stream) }
    case .preface, .data, .headers, .priority, .settingsAcknowledged, .pushPromise, .windowUpdate,
      .unknown, .damaged:
      break  // Requests and answers are taken whole, from the pushes.
    }
  }

  func finish(source: String, at end: Moment) -> [ExtractedHistory] {
    _ = observers.finish(at: end)
    let start = origin ?? end.time
    var subscribers: [String] = []
    for push in observer.pushes where !subscribers.contains(push.subscriber) {
      subscribers.append(push.subscriber)
    }
    return subscribers.map { subscriber in
      let sessions = observer.closed.filter { $0.record.subscriber == subscriber }
      let numbers = Set(sessions.map(\.record.id))
      var builder = APNsProviderHistoryBuilder(
        subscriber, sessions: sessions,
        pushes: observer.pushes.filter { $0.subscriber == subscriber },
        seen: seen.filter { numbers.contains($0.session) }, origin: start, end: end,
        roundTrip: roundTrip == .forever ? .microseconds(100) : roundTrip)
      return builder.build(source: source)
    }
  }
}

/// The text of a message without what an end may choose freely.
enum APNsProviderComparableText {
  /// - Parameter traced: as `APNsProviderModel.describe` writes it.
  static func of(_ traced: String) -> String {
    if traced.hasPrefix("GOAWAY") { return "GOAWAY" }
    var words = traced.split(separator: " ")
    if let stream = words.lastIndex(of: "stream"), stream + 1 < words.count {
      words.removeSubrange(stream...stream + 1)
    } else if words.first == "RST_STREAM", words.count > 1 {
      words.remove(at: 1)
    }
    return words.joined(separator: " ")
  }
}
