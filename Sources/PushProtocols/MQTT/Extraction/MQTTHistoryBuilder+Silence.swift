internal import Custody
internal import Simulation
internal import Timeline
internal import Wire

// Silence and loss: what a device did not do, and what did not reach it.
extension MQTTHistoryBuilder {
  /// How late a reaction may be and still be one of a program that runs.
  var threshold: Nanoseconds {
    max(measure.clientReaction * 10, measure.rtt + .milliseconds(50))
  }

  mutating func addSilences(_ number: Int, _ node: NodeID) {
    let found = unresponsiveness(of: number)
    for silence in found.asleep {
      // Between its last sign of life and the arrival of what it did not react to, which in a run
      // may come as soon as it was submitted: servers hold small packets back, machines don't.
      var arrival = arrivalTime(silence.since) - .microseconds(1)
      if let submitted = submission(of: silence.since, in: number) {
        arrival = min(arrival, story.time(submitted))
      }
      let before = silence.lastReaction.map { clientTime($0) } ?? .start
      let from = before < arrival ? before + (arrival - before) / 2 : before + .microseconds(1)
      step(
        from, node, .sleep, "frame \(silence.since.frame): TCP takes it, nobody reacts")
      if let until = silence.until {
        step(actionTime(until), node, .wake, "frame \(until.frame)")
      }
    }
    for moment in found.awake {
      note(moment, "the client runs, and holds an acknowledgement back", node)
    }
  }

  /// What shows that this connection can't be repeated to the letter.
  mutating func noteOddities(_ number: Int, _ node: NodeID) {
    let recording = story.sessions[number].recording
    if let late = recording.packets.first(where: { $0.direction == .toServer && $0.peerHadClosed })
    {
      note(
        late.moment,
        "written after the server had closed: how much gets out before RST comes is chance", node)
    }
    let connack = story.sessions[number].connackMoment
    if let early = recording.packets.dropFirst().first(where: { $0.direction == .toServer }),
      early.moment.frame < connack.frame
    {
      note(early.moment, "the client did not wait for CONNACK", node)
    }
    for item in recording.packets where item.direction == .toClient {
      switch item.packet {
      case .publish(let publish)
      where publish.retain && isUnseen(item, in: number):
        note(item.moment, "retained by a publisher that is not in the capture", node)
      case .puback(let answer) where answer.reasonCode.isFailure,
        .pubrec(let answer) where answer.reasonCode.isFailure:
        note(item.moment, "the server refused a publication")
      case .suback(let answer) where answer.reasonCodes.contains(where: \.isFailure):
        note(item.moment, "the server refused a subscription", node)
      case .connect, .connack, .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .suback,
        .unsubscribe, .unsuback, .pingreq, .pingresp, .disconnect, .auth:
        break
      }
    }
  }

  private func isUnseen(_ item: MQTTRecordedPacket, in number: Int) -> Bool {
    let session = story.sessions[number]
    return session.recording.packets.indices.contains { position in
      guard session.recording.packets[position].moment == item.moment,
        case .publication(let mark) = session.marks[position]
      else { return false }
      return story.publications[mark].session == nil
    }
  }

  func unresponsiveness(of number: Int) -> MQTTUnresponsiveness.Finding {
    MQTTUnresponsiveness.find(
      in: story.sessions[number], threshold: threshold,
      usual: max(measure.clientReaction, measure.rtt), end: story.end)
  }

  /// When the message that the server sent at that moment had been published.
  private func submission(of moment: Moment, in number: Int) -> Moment? {
    let session = story.sessions[number]
    for (position, item) in session.recording.packets.enumerated()
    where item.moment == moment && item.direction == .toClient {
      if case .publication(let mark) = session.marks[position] {
        let publication = story.publications[mark]
        if publication.session != nil { return publication.moment }
      }
    }
    return nil
  }

  mutating func addLosses(_ number: Int, _ node: NodeID) {
    let recording = story.sessions[number].recording
    for direction in Direction.allCases {
      for span in recording.flows[Int(direction.rawValue)].allSpans {
        // Shorter ones are TCP's own business: probes of a tail, delayed acknowledgements.
        guard span.lastRepetition.time - span.from.time > .milliseconds(150) else { continue }
        addLoss(span, direction, number, node)
      }
    }
  }

  private mutating func addLoss(
    _ span: MQTTRecordedFlow.Span, _ direction: Direction, _ number: Int, _ node: NodeID
  ) {
    let recording = story.sessions[number].recording
    let other = recording.packets.filter { $0.direction != direction }
    let before = other.last { $0.moment.time < span.from.time }?.moment ?? recording.began
    let from = serverTime(before) + (span.from.time - before.time) / 2
    let shown =
      "frames \(span.from.frame)–\(span.lastRepetition.frame): "
      + "\(span.repetitions) retransmissions"
    if let healed = span.healed {
      // Did the last repetition bring the acknowledgement about, or did the other end come through
      // with one of its own? Then all the time only its packets were lost.
      let answered =
        healed.time - span.lastRepetition.time < max(.milliseconds(50), measure.rtt * 4)
      let both: LossDirection = direction == .toClient ? .toServer : .toClient
      let passed = answered ? span.lastRepetition : healed
      let sent = story.time(span.from) - measure.toServer / 2
      let until = lastRepetition(of: sent, before: story.time(passed) + .milliseconds(20))
      fault(
        .lose(answered ? .both : both, for: max(until - from, .microseconds(1))), node, at: from,
        shown)
      return
    }
    // It never came through: back when the other end is heard again, on this connection or the
    // next.
    var candidates = other.map(\.moment) + recording.ends.map(\.moment)
    candidates += story.sessions.indices.filter { nodes[$0] == node }
      .map { story.sessions[$0].recording.began }
    let back = candidates.filter { $0.time > span.lastRepetition.time }
      .min { $0.time < $1.time }
    let until = back.map { clientTime($0) - .milliseconds(1) } ?? history.end
    fault(.lose(.both, for: max(until - from, .microseconds(1))), node, at: from, shown)
  }

  /// Just before a run repeats, for the last time before `limit`, what it sent at `sent`: real
  /// stacks keep another measure of the round trip than the simulated one (RTT + 200 ms,
  /// doubling), and a path that heals between two repetitions heals only with the later one.
  private func lastRepetition(of sent: Instant, before limit: Instant) -> Instant {
    var wait = measure.rtt + .milliseconds(200)
    var next = sent + wait
    while next + wait * 2 <= limit {
      wait = wait * 2
      next = next + wait
    }
    return next - .milliseconds(1)
  }
}
