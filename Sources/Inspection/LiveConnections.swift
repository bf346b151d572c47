import Custody
import PushProtocols
import Timeline
import Unwrapping
import Wire

/// Tells of the connections that no protocol claims while a capture is made: those in TLS that
/// nobody can decrypt, and WebSockets. Everything is passed on to the observers.
final class LiveConnections: ConnectionSink {
  private struct Watched {
    let description: ConnectionDescription
    let began: Moment
    var standing = CaptureObservers.Standing.undecided
    /// What was around it, when that was last looked at.
    var around: WrappedConnection?
    var isOpened = false
    var ending: (text: String, moment: Moment)?
    var hasEnded = false
    /// Of the client.
    var rhythm = ClientRhythm()
    var isSilenceTold = false
  }

  private let observers: CaptureObservers
  private let wrapped: WrappedConnections
  private var watched: [ConnectionID: Watched] = [:]

  init(_ observers: CaptureObservers, _ wrapped: WrappedConnections) {
    self.observers = observers
    self.wrapped = wrapped
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    unsafe observers.receive(event, of: connection, description, bytes: bytes, at: moment)
    if case .began = event {
      watched[connection] = Watched(description: description, began: moment)
    }
    guard var one = watched[connection] else { return }
    if one.standing == .undecided { one.standing = observers.standing(of: connection) }
    if one.standing == .claimed {
      watched[connection] = nil
      return
    }
    note(event, &one, at: moment)
    if one.hasEnded { one.around = wrapped.current(connection, description) }
    watched[connection] = one
  }

  private func note(_ event: ConnectionEvent, _ one: inout Watched, at moment: Moment) {
    switch event {
    case .bytes(.toServer, _), .gap(.toServer, _, _, .encrypted):
      one.rhythm.hear(at: moment)
      one.isSilenceTold = false
    case .finished(let direction, _) where one.ending == nil:
      one.ending = (direction == .toServer ? "client closed" : "server closed", moment)
    case .reset(let direction) where one.ending == nil:
      one.ending = (direction == .toServer ? "client reset" : "server reset", moment)
    case .ended: one.hasEnded = true
    case .began, .established, .bytes, .gap, .acknowledged, .retransmission, .keepAliveProbe,
      .windowClosed, .finished, .secured, .reset:
      break
    }
  }

  /// What has become known since this was last asked, in the order of the connections.
  func news(at now: Instant) -> [LiveEvent] {
    var events: [LiveEvent] = []
    for connection in watched.keys.sorted() {
      guard var one = watched[connection] else { continue }
      tell(&one, connection, at: now, &events)
      // What was of no interest once all was known will be of none.
      let isDull = one.standing == .unclaimed && !one.isOpened
      let isOver = one.hasEnded || one.isOpened && one.ending != nil
      watched[connection] = isOver || isDull ? nil : one
    }
    return events
  }

  private func tell(
    _ one: inout Watched, _ connection: ConnectionID, at now: Instant, _ events: inout [LiveEvent]
  ) {
    guard one.standing == .unclaimed else { return }
    func add(_ kind: LiveEvent.Kind, _ moment: Moment, _ text: String) {
      events.append(
        LiveEvent(
          kind, RecordedMoment(time: moment.time, frame: moment.frame),
          connection: connection.index,
          subscriber: "client at \(one.description.client)", text: text))
    }
    if !one.isOpened {
      let around = one.around ?? wrapped.current(connection, one.description)
      guard let what = around.flatMap(Self.words) else { return }
      one.around = around
      one.isOpened = true
      add(.connectionOpened, one.began, "→ \(one.description.server), \(what)")
    }
    if !one.isSilenceTold, one.ending == nil, one.around?.tls?.speaksHTTP != true,
      let (length, heard) = one.rhythm.silence(until: now)
    {
      one.isSilenceTold = true
      add(
        .clientSilent, Moment(time: now, frame: 0),
        "nothing for \(length.seconds3) since frame \(heard.frame); it had never been silent for "
          + "more than \(one.rhythm.longestPause.seconds3)")
    }
    if let ending = one.ending { add(.connectionClosed, ending.moment, ending.text) }
  }

  /// `nil` for what is of no interest here: in the clear, or decrypted and no WebSocket.
  private static func words(_ around: WrappedConnection) -> String? {
    let record = ConnectionRecord(around)
    let name = record.tls?.serverName.map { " to \($0)" } ?? ""
    let version = record.tls?.version ?? "TLS"
    if let webSocket = record.webSocket {
      let path = webSocket.path.map { " \($0)" } ?? ""
      let chosen = webSocket.chosenProtocol.map { " (\($0))" } ?? ""
      return "WebSocket\(path)\(chosen)" + (record.tls == nil ? "" : " in \(version)\(name)")
    }
    guard !record.problem.isEmpty else { return nil }
    let speaks = record.speaks.isEmpty ? "" : ", \(record.speaks) by \(record.recognisedBy)"
    return "\(version)\(name)\(speaks), not decrypted: \(record.problem)"
  }
}
