internal import Custody
internal import Simulation
internal import Timeline
internal import Wire

/// A time in which the server wrote to nobody though it owed an answer: its program was stopped or
/// very busy.
struct MQTTServerSilence {
  /// The first request that had to wait.
  var since: Moment
  /// The last thing that the server wrote before, if any.
  var before: Moment?
  /// The first thing that it wrote afterwards.
  var until: Moment

  /// - Parameters:
  ///   - threshold: how late an answer may be and still be one of a program that runs.
  ///   - usual: how long an answer takes.
  static func find(
    in story: MQTTStory, included: [Int], threshold: Nanoseconds, usual: Nanoseconds
  ) -> [MQTTServerSilence] {
    var written: [Moment] = []
    for session in story.sessions {
      written += session.recording.packets.filter { $0.direction == .toClient }.map(\.moment)
    }
    written.sort { $0.frame < $1.frame }
    var found: [MQTTServerSilence] = []
    for number in included {
      for request in overdue(in: story.sessions[number], threshold) {
        guard let next = written.first(where: { $0.frame > request.frame }),
          next.time - request.time > usual * 4
        else { continue }
        let before = written.last { $0.frame < request.frame }
        found.append(MQTTServerSilence(since: request, before: before, until: next))
      }
    }
    found.sort { $0.since.frame < $1.since.frame }
    // Several that waited for the same end are one silence.
    return found.indices.filter { index in
      !found[..<index].contains { $0.until == found[index].until }
    }.map { found[$0] }
  }

  /// Requests that were answered late, or not before their client had gone.
  private static func overdue(
    in session: MQTTStorySession, _ threshold: Nanoseconds
  ) -> [Moment] {
    let packets = session.recording.packets
    let gone = session.recording.ends.first { $0.direction == .toServer }?.moment
    return packets.indices.compactMap { index in
      let request = packets[index]
      guard request.direction == .toServer, request.awaitedAnswer != nil, !request.peerHadClosed
      else { return nil }
      let answer = packets[index...].first {
        $0.direction == .toClient && request.isAnswered(by: $0)
      }?.moment
      if let answer, answer.time - request.moment.time > threshold { return request.moment }
      guard let gone, gone.frame > request.moment.frame else { return nil }
      return answer.map { $0.frame > gone.frame } ?? true ? request.moment : nil
    }
  }
}

extension MQTTHistoryBuilder {
  mutating func addServerSilences() {
    let found = MQTTServerSilence.find(
      in: story, included: included, threshold: threshold,
      usual: max(measure.serverDelay, measure.rtt))
    for silence in found {
      let isExplained = episodes.restarts.contains {
        $0.moment.time >= silence.since.time && $0.moment.time <= silence.until.time
      }
      if isExplained { continue }
      // Between the last thing that it wrote and the arrival of the request.
      let arrival = story.time(silence.since) + measure.toServer / 2 - .microseconds(1)
      let before = silence.before.map { serverTime($0) } ?? .start
      let from = before < arrival ? before + (arrival - before) / 2 : arrival
      let until = serverTime(silence.until) - measure.serverDelay
      guard until > from else { continue }
      for number in included {
        let reset = story.sessions[number].recording.ends.first {
          $0.direction == .toServer && $0.isReset && $0.moment.frame > silence.since.frame
            && $0.moment.frame <= silence.until.frame
        }
        guard let reset else { continue }
        note(reset.moment, "reset while the server did not read: how much it still reads is chance")
      }
      fault(
        .pause(.server, for: until - from), .server, at: from,
        "frame \(silence.since.frame): no answer, and nothing for anybody until frame "
          + "\(silence.until.frame)")
    }
  }
}
