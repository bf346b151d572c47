internal import Custody
internal import HTTP2
internal import Simulation
internal import Timeline
internal import Wire

/// Makes the scenario of one provider: what its app asked for, how its connections ended, and what
/// APNs did that its parameters can say.
struct APNsProviderHistoryBuilder {
  private typealias Seen = APNsProviderScenarioExtractor.Seen
  private let subscriber: String
  private let sessions: [APNsProviderConversation]
  private let pushes: [APNsPush]
  private let seen: [Seen]
  private let origin: Instant
  private let end: Moment
  private let roundTrip: Nanoseconds
  private let node = NodeID(1)
  private var history: ExtractedHistory
  private var steps: [(step: Step, note: String)] = []

  init(
    _ subscriber: String, sessions: [APNsProviderConversation], pushes: [APNsPush],
    seen: [APNsProviderScenarioExtractor.Seen], origin: Instant, end: Moment,
    roundTrip: Nanoseconds
  ) {
    self.subscriber = subscriber
    self.sessions = sessions
    self.pushes = Array(pushes.prefix(50_000))
    self.seen = seen
    self.origin = origin
    self.end = end
    self.roundTrip = max(roundTrip, .microseconds(2))
    history = ExtractedHistory(
      subscriber: subscriber,
      scenario: Scenario(
        model: APNsProviderModel.name, client: "apns-provider.client@good",
        server: "apns-provider.front@good"))
  }

  mutating func build(source: String) -> ExtractedHistory {
    let numbers = sessions.map { String($0.record.connection + 1) }.joined(separator: " ")
    history.scenario.source = "\(source) sessions \(numbers)"
    history.end = time(end)
    measure()
    addProvider()
    addPushes()
    addEnds()
    addServer()
    collectMessages()
    let order = steps.indices.sorted { (steps[$0].step.time, $0) < (steps[$1].step.time, $1) }
    history.scenario.steps = order.map { steps[$0].step }
    for (position, index) in order.enumerated() where !steps[index].note.isEmpty {
      history.stepNotes[position] = steps[index].note
    }
    history.unmodelled.sort { ($0.time, $0.frame) < ($1.time, $1.frame) }
    return history
  }

  // MARK: - Words

  private func time(_ moment: Moment) -> Instant { .start + (moment.time - origin) }

  private mutating func step(_ time: Instant, _ action: Action, _ note: String = "") {
    steps.append((Step(time, node, action), note))
  }

  private mutating func note(_ moment: Moment, _ text: String) {
    history.unmodelled.append(
      UnmodelledEvent(time: time(moment), frame: moment.frame, device: node, text))
  }

  // MARK: - Parts

  private mutating func measure() {
    history.scenario.path.rtt = roundTrip
    history.scenario.path.deviceDelay = .microseconds(1)
    let answers = pushes.flatMap(\.requests).compactMap { request -> Nanoseconds? in
      guard case .answered = request.outcome, let sent = request.sent, let ended = request.ended,
        ended.time > sent.time
      else { return nil }
      return ended.time - sent.time
    }.sorted()
    let median = answers.isEmpty ? .zero : answers[answers.count / 2]
    history.scenario.path.serverDelay =
      median > roundTrip ? median - roundTrip : .microseconds(1)
  }

  private mutating func addProvider() {
    var parameters: [Parameter] = []
    if !seen.contains(where: { $0.sender == .client && $0.kind == .ping }) {
      // It never asked whether anybody is there.
      parameters.append(Parameter("ping-interval", 3_600_000_000_000))
    }
    if !seen.contains(where: { $0.kind == .reset }) {
      let waited = pushes.flatMap(\.requests).compactMap { request -> Nanoseconds? in
        guard let sent = request.sent else { return nil }
        return (request.ended ?? end).time - sent.time
      }
      // It never gave a request up while its connection lived.
      let longest = waited.max() ?? .zero
      if longest > .seconds(15) {
        parameters.append(Parameter("request-timeout", longest.count &+ 1_000_000_000))
      }
    }
    history.scenario.devices = [
      Device(name: "provider", identity: subscriber, parameters: parameters)
    ]
  }

  private mutating func addPushes() {
    var topics: [String] = []
    for (index, push) in pushes.enumerated() {
      let request = push.first
      let topic = Self.topic(request)
      let number = topics.firstIndex(of: topic) ?? topics.count
      if number == topics.count {
        guard topics.count < Int(UInt16.max) - 1 else { continue }
        topics.append(topic)
      }
      var expiry = Nanoseconds.forever
      let now = Int64(clamping: request.began.time.nanoseconds / 1_000_000_000)
      if let at = Int64(request.expiration), at > now { expiry = .seconds(UInt64(at - now)) }
      step(
        time(request.began),
        .submit(
          Submission(
            publication: UInt16(index + 1), topic: UInt16(number), quality: 1, expiry: expiry)))
      let answered = push.requests.contains { request in
        if case .answered(200, _, _) = request.outcome { true } else { false }
      }
      history.deliveries.append(
        CapturedDelivery(
          publication: UInt16(index + 1), receiver: .server, quality: 1,
          sends: UInt16(clamping: push.requests.count), isAcknowledged: answered))
      noteOutcomes(push)
    }
    history.scenario.topics = topics
  }

  /// Enough of a device token to tell it from others.
  private static func topic(_ request: APNsRequest) -> String {
    guard let path = request.path else { return "device/unknown" }
    let target = APNsProviderText.plain(String(path.target.prefix(8)))
      .replacing(" ", with: "-")
    return path.kind == .device ? "device/\(target)" : "broadcast/\(target)"
  }

  private mutating func noteOutcomes(_ push: APNsPush) {
    for request in push.requests {
      guard let sent = request.sent else { continue }
      switch request.outcome {
      case .answered(200, _, _), .refused: break
      case .answered(let status, let reason, let timestamp):
        note(
          request.ended ?? sent,
          "APNs answers \(APNsProviderObserver.words(status, reason, timestamp))")
      case .waiting, .left: note(sent, "APNs never answers stream \(request.stream)")
      case .reset(let direction, let code):
        let who = direction == .toClient ? "APNs" : "the provider"
        note(request.ended ?? sent, "\(who) resets stream \(request.stream) with \(code)")
      }
    }
  }

  /// How the provider's connections begin and end, as far as it did that itself.
  private mutating func addEnds() {
    for (index, session) in sessions.enumerated() {
      let next = index + 1 < sessions.count ? sessions[index + 1] : nil
      if index == 0 {
        step(max(began(session), .start), .connect, "frame \(session.record.began.frame)")
      }
      guard let departed = session.departed, session.goAways[.toClient] == nil else { continue }
      let at = time(departed)
      switch session.record.end {
      case .clientClosed, .clientReset, .disconnected:
        let leavesOpen = pushes.contains { push in
          push.last.session == session.record.id && push.last.outcome == .left
        }
        if leavesOpen {
          step(at, .kill(host: false), "frame \(departed.frame): requests were open")
          if let next { step(began(next), .launch, "frame \(next.record.began.frame)") }
        } else {
          step(at, .disconnect, "frame \(departed.frame)")
          if let next { step(began(next), .connect, "frame \(next.record.began.frame)") }
        }
      case .serverClosed, .serverReset:
        history.faultNotes[history.scenario.faults.count] = "frame \(departed.frame)"
        history.scenario.faults.append(
          Fault(.reset(client: true, server: true), node: node, .at(at)))
      case .open, .dismissed, .takenOver, .refused, .unknown: break
      }
    }
  }

  private func began(_ session: APNsProviderConversation) -> Instant {
    .start + (session.record.began.time - origin)
  }

  private mutating func addServer() {
    var requests = 0
    for session in sessions {
      let asked = pushes.flatMap(\.requests).filter { $0.session == session.record.id }
      if let goAway = session.goAways[.toClient], history.scenario.serverParameters.isEmpty {
        let before = asked.count { $0.stream <= goAway.lastStream }
        if before > 0 {
          history.scenario.serverParameters.append(
            Parameter("goaway-at", UInt64(requests + before)))
        }
      }
      requests += asked.count
    }
  }

  private mutating func collectMessages() {
    var messages = seen.map { item in
      CapturedMessage(
        time: time(item.moment), frame: item.moment.frame, device: node, sender: item.sender,
        kind: item.kind.rawValue, publication: 0, text: item.text, isApplication: false)
    }
    for (index, push) in pushes.enumerated() {
      for request in push.requests {
        guard let sent = request.sent else { continue }
        let number = UInt16(index + 1)
        messages.append(
          CapturedMessage(
            time: time(sent), frame: sent.frame, device: node, sender: .client,
            kind: APNsProviderMessage.Kind.request.rawValue, publication: number,
            text: "POST \(number) \(Self.topic(request))", isApplication: true))
        guard case .answered(let status, let reason, _) = request.outcome,
          let ended = request.ended
        else { continue }
        messages.append(
          CapturedMessage(
            time: time(ended), frame: ended.frame, device: node, sender: .server,
            kind: APNsProviderMessage.Kind.answer.rawValue, publication: number,
            text: reason.isEmpty ? "\(status)" : "\(status) \(reason)", isApplication: false))
      }
    }
    history.messages = messages.enumerated().sorted {
      ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
    }.map(\.element)
  }
}
