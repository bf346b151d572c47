internal import Custody
internal import Simulation
internal import Timeline
internal import Wire

/// Makes the scenario of one device from its connections: the topics of its apps, a provider that
/// the capture does not show, what it was sent, and how its connections came and went.
///
/// Registrations of apps with their services go over other connections; the machines do them, and
/// they are not compared.
struct APNsHistoryBuilder {
  /// Apps say within this time which topics they want; before, a filter may be half of it.
  private static let settling = Nanoseconds.seconds(5)
  private static let usualInterval = Nanoseconds.minutes(10)
  /// What happens no longer than this before the end of a capture belongs to it.
  private static let ending = Nanoseconds.seconds(1)

  private let recordings: [APNsRecording]
  private let publications: APNsPublications
  private let path: APNsPathMeasure
  private let origin: Instant
  private let names: APNsTopicNames
  private var history: ExtractedHistory
  private var drafts: [(step: Step, note: String)] = []
  private var topicNumbers: [APNsTopic: UInt16] = [:]
  private let device = NodeID(device: 0)
  private let provider = NodeID(device: 1)

  init(
    _ token: APNsToken, _ recordings: [APNsRecording], names: APNsTopicNames, source: String,
    origin: Instant, end: Moment
  ) {
    self.recordings = recordings
    self.names = names
    self.origin = origin
    publications = APNsPublications(recordings)
    path = APNsPathMeasure(recordings)
    var scenario = Scenario(
      model: "apns", client: "apns.device@good", server: "apns.server@good")
    let list = recordings.map { String($0.connection.index + 1) }.joined(separator: " ")
    scenario.source = "\(source) sessions \(list)"
    scenario.path = path.settings
    let name = "device-" + token.description.prefix(12)
    history = ExtractedHistory(subscriber: name, scenario: scenario)
    history.end = Instant(nanoseconds: (end.time - origin).count)
    history.unseen = provider
    let interval = Self.interval(recordings)
    var parameters: [Parameter] = []
    if interval != Self.usualInterval {
      parameters.append(Parameter("keep-alive", interval.count))
    }
    if let lifetime = recordings.lazy.compactMap({ $0.frames.first?.lifetime }).first {
      parameters.append(Parameter("credential-lifetime", lifetime.count))
    }
    var serverParameters: [Parameter] = []
    if interval > Self.usualInterval {
      serverParameters.append(Parameter("presumed-interval", interval.count))
    }
    // Apple's courier keeps one; this one is seen to keep more.
    if publications.mostStored > 1 {
      serverParameters.append(Parameter("stored-per-app", UInt64(publications.mostStored)))
    }
    history.scenario.serverParameters = serverParameters
    history.scenario.devices = [
      Device(name: name, identity: name, parameters: parameters),
      Device(
        name: "unseen-provider", identity: "unseen-provider",
        parameters: [Parameter("provider", 1)]),
    ]
  }

  mutating func build() -> ExtractedHistory {
    drafts.append((Step(.start, provider, .connect), ""))
    for index in recordings.indices { follow(index) }
    submit()
    noteTrouble()
    for index in recordings.indices { addMessages(index) }
    history.deliveries = publications.entries.map {
      CapturedDelivery(
        publication: $0.number, receiver: device, quality: 1, sends: $0.sends,
        isAcknowledged: $0.isAcknowledged)
    }
    let order = drafts.indices.sorted { (drafts[$0].step.time, $0) < (drafts[$1].step.time, $1) }
    for index in order {
      if !drafts[index].note.isEmpty {
        history.stepNotes[history.scenario.steps.count] = drafts[index].note
      }
      history.scenario.steps.append(drafts[index].step)
    }
    history.messages.sort { ($0.time, $0.frame) < ($1.time, $1.frame) }
    history.unmodelled.sort { ($0.time, $0.frame) < ($1.time, $1.frame) }
    return history
  }

  // MARK: Times

  private func time(_ moment: Moment) -> Instant {
    Instant(nanoseconds: (moment.time - origin).count)
  }

  /// When a device has to act so that its packet passes the place of the capture at that moment.
  private func deviceTime(_ moment: Moment) -> Instant { time(moment) - path.rtt / 2 }

  private mutating func step(_ time: Instant, _ node: NodeID, _ action: Action, _ note: String) {
    drafts.append((Step(time, node, action), note))
  }

  private mutating func topic(_ topic: APNsTopic) -> UInt16 {
    if let known = topicNumbers[topic] { return known }
    let number = UInt16(history.scenario.topics.count)
    topicNumbers[topic] = number
    history.scenario.topics.append("push:" + names.text(topic))
    return number
  }

  // MARK: Connections

  private mutating func follow(_ index: Int) {
    let recording = recordings[index]
    let began = deviceTime(recording.began)
    var wanted = topics(after: index > 0 ? index - 1 : nil)
    let filters = recording.frames.filter { $0.command == .filter }
    if let first = filters.first {
      let settled = filters.last { $0.moment.time - first.moment.time <= Self.settling }
      change(&wanted, to: settled?.topics ?? [], at: began, recording.began.frame)
      for filter in filters where filter.moment.time - first.moment.time > Self.settling {
        change(&wanted, to: filter.topics, at: deviceTime(filter.moment), filter.moment.frame)
      }
    }
    let wasKilled = index > 0 && (recordings[index - 1].end.map(Self.isKill) ?? false)
    step(
      began, device, wasKilled ? .launch : .connect, "frame \(recording.began.frame)")
    end(recording, isLast: index == recordings.count - 1)
  }

  /// What the device wanted when its connection ended.
  private func topics(after index: Int?) -> [APNsTopic] {
    guard let index else { return [] }
    return recordings[...index].reversed().lazy.compactMap { recording in
      recording.frames.last { $0.command == .filter }?.topics
    }.first ?? []
  }

  private mutating func change(
    _ wanted: inout [APNsTopic], to topics: [APNsTopic], at time: Instant, _ frame: UInt32
  ) {
    for gone in wanted where !topics.contains(gone) {
      step(time, device, .unsubscribe(topic: topic(gone)), "frame \(frame)")
    }
    for new in topics where !wanted.contains(new) {
      step(time, device, .subscribe(topic: topic(new), quality: 1), "frame \(frame)")
    }
    wanted = topics
  }

  private static func isKill(_ end: APNsRecording.End) -> Bool {
    end.direction == .toServer && end.isReset
  }

  private mutating func end(_ recording: APNsRecording, isLast: Bool) {
    guard let end = recording.end else { return }
    let shown = "frame \(end.moment.frame)"
    switch end.direction {
    case .toServer where end.isReset:
      if let silent = firstUnanswered(recording) {
        step(
          time(silent) - .microseconds(1), device, .sleep,
          "frame \(silent.frame): TCP takes it, nobody reacts")
      }
      step(deviceTime(end.moment), device, .kill(host: false), shown + ": reset")
    case .toServer:
      // There is no goodbye, and a push daemon wants a connection at all times: one that closes it
      // as the capture ends may have been ended with the recording.
      if isLast, history.end - time(end.moment) < Self.ending { break }
      step(deviceTime(end.moment), device, .disconnect, shown)
    case .toClient:
      history.faultNotes[history.scenario.faults.count] = shown
      history.scenario.faults.append(
        Fault(.reset(client: true, server: true), node: device, .at(time(end.moment))))
      history.unmodelled.append(
        UnmodelledEvent(
          time: time(end.moment), frame: end.moment.frame, device: device,
          "the courier closed the connection; why is not known"))
    }
  }

  /// The first of the notifications at the end that nobody reacted to.
  private func firstUnanswered(_ recording: APNsRecording) -> Moment? {
    var first: Moment?
    for frame in recording.frames.reversed() {
      if frame.direction == .toServer { break }
      if frame.notification != nil { first = frame.moment }
    }
    return first
  }

  // MARK: Notifications

  /// Nobody sees who sent them: an unseen provider does, just in time, and for those that waited
  /// while the device was away, in the middle of that time.
  private mutating func submit() {
    for (index, entry) in publications.entries.enumerated() {
      var at = time(entry.moment) - path.rtt / 2 - path.serverDelay - path.deviceDelay
      var note = "its provider is not in the capture"
      if let connection = entry.queuedFor {
        let gone = recordings[connection - 1].end?.moment ?? recordings[connection].began
        let away = recordings[connection].began.time - gone.time
        at = time(gone) + away / 2 + Nanoseconds(UInt64(index))
        note = "it waited for the device"
      } else if entry.isOlderThanCapture {
        history.unmodelled.append(
          UnmodelledEvent(
            time: time(entry.moment), frame: entry.moment.frame, device: device,
            "it was in store before the capture began"))
      }
      let submission = Submission(
        publication: entry.number, topic: topic(entry.topic), quality: 1,
        expiry: entry.expiry ?? .forever)
      step(at, provider, .submit(submission), note)
    }
  }

  private mutating func noteTrouble() {
    for recording in recordings {
      for trouble in recording.trouble {
        history.unmodelled.append(
          UnmodelledEvent(
            time: time(trouble.moment), frame: trouble.moment.frame, device: device,
            trouble.text))
      }
      for frame in recording.frames
      where frame.command == .notification && frame.direction == .toServer {
        history.unmodelled.append(
          UnmodelledEvent(
            time: time(frame.moment), frame: frame.moment.frame, device: device,
            "the device sends a notification through its courier"))
      }
    }
    if publications.leftOut > 0 {
      history.unmodelled.append(
        UnmodelledEvent(
          time: .start, frame: 0, device: device,
          "\(publications.leftOut) notifications have no topic, or are too many"))
    }
  }

  // MARK: Messages

  private mutating func addMessages(_ index: Int) {
    for (position, frame) in recordings[index].frames.enumerated() {
      let entry = publications.marks[index][position].map { publications.entries[$0] }
      let publication = entry?.number ?? 0
      guard
        let (kind, text) = APNsComparableText.of(
          frame, publication: publication, topic: entry.map { "push:" + names.text($0.topic) })
      else { continue }
      history.messages.append(
        CapturedMessage(
          time: time(frame.moment), frame: frame.moment.frame, device: device,
          sender: frame.direction == .toServer ? .client : .server, kind: kind.rawValue,
          publication: publication, text: text, isApplication: kind == .notification))
    }
  }

  // MARK: Keep-alive

  /// What the device says, or the usual time from the answer to the next question.
  private static func interval(_ recordings: [APNsRecording]) -> Nanoseconds {
    var seen: [Nanoseconds] = []
    var longest = Nanoseconds.zero
    for recording in recordings {
      var since = recording.response?.moment
      for frame in recording.frames {
        if let said = frame.interval { return said }
        if frame.command == .keepAlive, let last = since {
          seen.append(frame.moment.time - last.time)
          since = nil
        } else if frame.command == .keepAliveResponse {
          since = frame.moment
        }
      }
      if let since, let last = recording.frames.last {
        longest = max(longest, (recording.end?.moment ?? last.moment).time - since.time)
      }
    }
    guard !seen.isEmpty else { return max(usualInterval, longest + .minutes(1)) }
    // Whole milliseconds: what is left is the way of the packets.
    let median = seen.sorted()[seen.count / 2]
    return max(.seconds(1), Nanoseconds(median.count / 1_000_000 * 1_000_000))
  }
}

/// What the capture says about the network and how fast both ends react: the quickest handshake and
/// the medians of answers.
struct APNsPathMeasure {
  private(set) var rtt = Nanoseconds.forever
  private(set) var serverDelay = Nanoseconds.microseconds(100)
  private(set) var deviceDelay = Nanoseconds.microseconds(100)

  init(_ recordings: [APNsRecording]) {
    var server: [Nanoseconds] = []
    var client: [Nanoseconds] = []
    for recording in recordings {
      if let established = recording.established {
        rtt = min(rtt, established.time - recording.began.time)
      }
      var open: [UInt32: Moment] = [:]
      var asked: Moment?
      for frame in recording.frames {
        switch frame.command {
        case .connect, .keepAlive: asked = frame.moment
        case .connectResponse, .keepAliveResponse:
          if let asked { server.append(frame.moment.time - asked.time) }
        case .notification: if let it = frame.notification { open[it.messageID] = it.moment }
        case .ack:
          if let id = frame.messageID, let sent = open[id] {
            client.append(frame.moment.time - sent.time)
          }
        case _: break
        }
      }
    }
    if rtt == .forever { rtt = .microseconds(2) }
    rtt = Self.whole(rtt)
    if !server.isEmpty { serverDelay = Self.whole(Self.median(server) - rtt) }
    if !client.isEmpty { deviceDelay = Self.whole(Self.median(client) - rtt) }
  }

  var settings: PathSettings {
    var settings = PathSettings()
    settings.rtt = rtt
    settings.serverDelay = serverDelay
    settings.deviceDelay = deviceDelay
    return settings
  }

  private static func median(_ samples: [Nanoseconds]) -> Nanoseconds {
    samples.sorted()[samples.count / 2]
  }

  private static func whole(_ length: Nanoseconds) -> Nanoseconds {
    Nanoseconds(length.count / 1000 * 1000)
  }
}
