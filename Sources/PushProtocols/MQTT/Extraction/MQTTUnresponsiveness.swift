internal import Timeline
internal import Wire

/// A time in which a client's TCP took what the server sent and its program did not react: it was
/// stopped, or its host slept.
struct MQTTUnresponsiveness {
  /// The first packet that was not reacted to.
  var since: Moment
  /// The client's last packet before, if any.
  var lastReaction: Moment?
  /// The first packet that the client wrote afterwards; `nil`: none on this connection.
  var until: Moment?

  struct Finding {
    var asleep: [MQTTUnresponsiveness] = []
    /// Since when a client owed an answer for too long though it wrote other things: it runs, and
    /// holds the answer back.
    var awake: [Moment] = []
  }

  /// - Parameters:
  ///   - threshold: how late a reaction may be and still be one of a program that runs.
  ///   - usual: how long a reaction takes; one that did not come in a few times that before the
  ///     capture ended was not going to.
  static func find(
    in session: MQTTStorySession, threshold: Nanoseconds, usual: Nanoseconds, end: Moment
  ) -> Finding {
    var finder = Finder(threshold: threshold)
    for item in session.recording.packets { finder.see(item) }
    finder.finish(session, usual: usual, end: end)
    return finder.finding
  }

  private struct Finder {
    let threshold: Nanoseconds
    var finding = Finding()
    private var waiting: [MQTTRecordedPacket] = []
    private var lastClient: Moment?
    private var owedSince: (first: Moment, before: Moment?)?
    /// The first packet after a long silence, when it was no answer: answers may follow at once.
    private var stirred: Moment?

    init(threshold: Nanoseconds) { self.threshold = threshold }

    mutating func see(_ item: MQTTRecordedPacket) {
      guard item.direction == .toServer else {
        guard item.awaitedAnswer != nil else { return }
        if waiting.isEmpty { owedSince = (item.moment, lastClient) }
        waiting.append(item)
        return
      }
      defer { lastClient = item.moment }
      guard let owed = owedSince else { return }
      let isAnswer = waiting.contains { $0.isAnswered(by: item) }
      let isLate = item.moment.time - owed.first.time > threshold
      if isAnswer {
        if isLate { accept(owed, until: item.moment) }
        waiting.removeAll { $0.isAnswered(by: item) }
        // What is still unanswered counts from now: the program runs, as this packet proves.
        owedSince = waiting.isEmpty ? nil : (item.moment, item.moment)
        stirred = nil
      } else if isLate {
        if stirred != nil { holdsBack(owed.first) }
        stirred = item.moment
      }
    }

    private mutating func accept(_ owed: (first: Moment, before: Moment?), until: Moment) {
      var wake = until
      if let stirred {
        if until.time - stirred.time > threshold {
          holdsBack(owed.first)
        } else {
          wake = stirred
        }
      }
      finding.asleep.append(
        MQTTUnresponsiveness(since: owed.first, lastReaction: owed.before, until: wake))
    }

    private mutating func holdsBack(_ since: Moment) {
      if finding.awake.last != since { finding.awake.append(since) }
    }

    mutating func finish(_ session: MQTTStorySession, usual: Nanoseconds, end: Moment) {
      guard let owed = owedSince else { return }
      let recording = session.recording
      if stirred != nil { holdsBack(owed.first) }
      if session.goodbye != nil { return }
      // Nobody can answer on a connection that the server has closed.
      if let closed = recording.ends.first, closed.direction == .toClient,
        closed.moment.frame < owed.first.frame
      {
        return
      }
      // Where TCP did not take it either, it is the path that is to blame.
      let flow = recording.flows[Int(Direction.toClient.rawValue)]
      if let since = flow.unacknowledgedSince, since.time <= owed.first.time { return }
      if recording.ends.isEmpty, end.time - owed.first.time <= usual * 4 { return }
      finding.asleep.append(
        MQTTUnresponsiveness(since: owed.first, lastReaction: owed.before, until: nil))
    }
  }
}
