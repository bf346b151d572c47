internal import Timeline
internal import Wire

/// Why a server ended a connection.
enum MQTTServerClose {
  /// Another connection of the same client took its place.
  case takenOver
  /// The client had not been heard for 1.5 times the keep-alive, and `late` beyond that.
  case keepAlive(late: Nanoseconds)
  /// The server went away: all its connections ended at once, or it said so.
  case restart
  case unexplained
}

/// The server's own ends and restarts, as far as the capture shows them.
struct MQTTServerEpisodes {
  struct Restart {
    var moment: Moment
    /// The first connection that the server took again.
    var back: Moment?
    var wiped = false
    /// No connection shows it, only that the server has forgotten a session.
    var isInferred = false
  }

  private(set) var restarts: [Restart] = []
  private(set) var unmodelled: [(moment: Moment, text: String)] = []
  private let closes: [MQTTServerClose?]

  init(_ story: MQTTStory, included: [Int]) {
    closes = story.sessions.indices.map { Self.close(of: $0, in: story) }
    for (number, close) in closes.enumerated() {
      guard case .restart? = close, let end = story.sessions[number].recording.ends.first else {
        continue
      }
      let known = restarts.contains {
        max($0.moment.time, end.moment.time) - min($0.moment.time, end.moment.time)
          < .milliseconds(500)
      }
      if !known { restarts.append(Restart(moment: end.moment)) }
    }
    restarts.sort { $0.moment.time < $1.moment.time }
    for index in restarts.indices { findReturn(of: index, in: story) }
    findWipes(in: story, included: included)
  }

  func close(of session: Int) -> MQTTServerClose? { closes[session] }

  /// `nil` when the server did not end it first.
  private static func close(of number: Int, in story: MQTTStory) -> MQTTServerClose? {
    let session = story.sessions[number]
    guard session.goodbye == nil, let end = session.recording.ends.first,
      end.direction == .toClient
    else { return nil }
    for item in session.recording.packets where item.direction == .toClient {
      guard case .disconnect(let disconnect) = item.packet else { continue }
      switch disconnect.reasonCode {
      case .sessionTakenOver: return .takenOver
      case .keepAliveTimeout: return .keepAlive(late: .zero)
      case .serverShuttingDown: return .restart
      case let code where code.isFailure: return .unexplained
      case _: break
      }
    }
    let rival = story.sessions.indices.contains {
      $0 != number && story.sessions[$0].identity == session.identity
        && isShortlyBefore(story.sessions[$0].recording.packets[0].moment, end.moment)
    }
    if rival { return .takenOver }
    let bound = Nanoseconds.seconds(UInt64(session.keepAlive)) * 3 / 2
    let heard =
      session.recording.packets.last {
        $0.direction == .toServer && $0.moment.frame < end.moment.frame
      }?.moment ?? session.recording.began
    let silent = end.moment.time - heard.time
    if bound > .zero, silent + .milliseconds(200) >= bound {
      return .keepAlive(late: silent - bound)
    }
    let others = story.sessions.indices.contains {
      $0 != number && story.sessions[$0].isOpen(at: end.moment, beyond: .seconds(1))
    }
    return others ? .unexplained : .restart
  }

  private static func isShortlyBefore(_ a: Moment, _ b: Moment) -> Bool {
    a.frame < b.frame && b.time - a.time < .seconds(2)
  }

  private mutating func findReturn(of index: Int, in story: MQTTStory) {
    let time = restarts[index].moment.time
    var first: Moment?
    for session in story.sessions where session.recording.began.time > time {
      if first.map({ session.recording.began.time < $0.time }) ?? true {
        first = session.recording.began
      }
    }
    restarts[index].back = first
  }

  /// A server that has no session for a client whose state it had to keep has lost its storage.
  private mutating func findWipes(in story: MQTTStory, included: [Int]) {
    for number in included {
      let session = story.sessions[number]
      guard !session.traits.cleanStart, !session.connack.sessionPresent,
        let old = included.last(where: { $0 < number && story.keepsState($0, for: number) })
      else { continue }
      let over = story.sessions[old].over ?? story.sessions[old].lastClientPacket
      if let index = restarts.lastIndex(where: {
        $0.moment.time >= story.sessions[old].connackMoment.time
          && $0.moment.time <= session.connackMoment.time
      }) {
        restarts[index].wiped = true
        continue
      }
      guard let gap = latestGap(in: story, included, from: over, to: session.recording.began)
      else {
        unmodelled.append(
          (session.connackMoment, "the server has forgotten the session, nobody knows when"))
        continue
      }
      var restart = Restart(moment: gap.from, back: gap.to, wiped: true, isInferred: true)
      restart.moment.time = gap.from.time + (gap.to.time - gap.from.time) / 2
      restarts.append(restart)
    }
    restarts.sort { $0.moment.time < $1.moment.time }
  }

  /// The last time before `to` in which none of the connections was open.
  private func latestGap(
    in story: MQTTStory, _ included: [Int], from: Moment, to: Moment
  ) -> (from: Moment, to: Moment)? {
    var start = from
    for number in included {
      let recording = story.sessions[number].recording
      guard recording.began.time < to.time else { continue }
      guard let end = recording.ends.last?.moment else {
        if story.sessions[number].over == nil { return nil }
        continue
      }
      if end.time > start.time { start = end }
    }
    return to.time > start.time + .milliseconds(2) ? (start, to) : nil
  }
}

extension MQTTStorySession {
  /// Seconds, the server's own word first.
  var keepAlive: UInt16 { connack.properties.serverKeepAlive ?? traits.keepAlive }

  func isOpen(at moment: Moment, beyond: Nanoseconds) -> Bool {
    guard recording.began.time < moment.time else { return false }
    guard let end = recording.ends.first else { return true }
    return end.moment.time > moment.time + beyond
  }
}

extension MQTTStory {
  /// Whether the server must still have had the state of session `old` when `number` began.
  func keepsState(_ old: Int, for number: Int) -> Bool {
    let before = sessions[old]
    let after = sessions[number]
    guard before.identity == after.identity, !before.traits.isTransient else { return false }
    guard before.traits.version == .v5, before.traits.sessionExpiry != .max else { return true }
    let over = before.over ?? before.lastClientPacket
    return after.recording.packets[0].moment.time - over.time
      < .seconds(UInt64(before.traits.sessionExpiry))
  }
}
