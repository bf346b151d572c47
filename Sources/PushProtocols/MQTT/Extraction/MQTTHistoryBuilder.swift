internal import Custody
internal import Simulation
internal import Timeline
internal import Wire

/// Makes the scenario of one subscriber: its devices, everybody who publishes what it subscribes
/// to, what their apps did and what went wrong.
///
/// Steps stand at the times at which a simulated device must act so that its packet passes the
/// place of the capture at the captured time.
struct MQTTHistoryBuilder {
  let story: MQTTStory
  /// Position in `MQTTStory.identities`; `nil`: the scenario has no subscriber.
  let subscriber: Int?
  /// Positions of the sessions in `MQTTStory.sessions`, in order of time.
  let included: [Int]
  let measure: MQTTPathMeasure
  let episodes: MQTTServerEpisodes
  var devices: [MQTTStoryDevice]
  /// The device of each session of the story; `.server` for those left out.
  var nodes: [NodeID]
  /// The scenario's number for each publication of the story, 0 for none.
  var numbers: [UInt16]
  var history: ExtractedHistory
  private var drafts: [Draft] = []
  private var topicNumbers: [String: UInt16] = [:]
  /// Where the unseen publisher is, once there is one.
  private(set) var unseen: NodeID?

  private struct Draft {
    var step: Step
    var note: String
  }

  init(_ story: MQTTStory, subscriber: Int?, source: String) {
    self.story = story
    self.subscriber = subscriber
    included = Self.included(story, subscriber)
    measure = MQTTPathMeasure(story, included)
    episodes = MQTTServerEpisodes(story, included: included)
    devices = story.devices(of: included)
    nodes = Array(repeating: .server, count: story.sessions.count)
    for (index, device) in devices.enumerated() {
      for session in device.sessions { nodes[session] = NodeID(device: index) }
    }
    numbers = Array(repeating: 0, count: story.publications.count)
    var scenario = Scenario(model: "mqtt", client: "mqtt.client@good", server: "mqtt.broker@good")
    let list = included.map { String(story.sessions[$0].recording.connection.index + 1) }
    scenario.source = "\(source) sessions \(Self.ranges(list))"
    scenario.path = measure.settings
    history = ExtractedHistory(
      subscriber: subscriber.map { story.identities[$0] } ?? "", scenario: scenario)
    history.end = story.time(story.end)
  }

  /// `1 2 3 5` as `1-3 5`.
  private static func ranges(_ list: [String]) -> String {
    var parts: [(first: Int, last: Int)] = []
    for number in list.compactMap({ Int($0) }) {
      if let last = parts.last, last.last + 1 == number {
        parts[parts.count - 1].last = number
      } else {
        parts.append((number, number))
      }
    }
    return parts.map { $0.first == $0.last ? "\($0.first)" : "\($0.first)-\($0.last)" }
      .joined(separator: " ")
  }

  mutating func build() -> ExtractedHistory {
    numberPublications()
    for index in devices.indices { addDevice(index) }
    addUnseenSubmissions()
    addRestarts()
    addServerSilences()
    addServerParameters()
    for (moment, text) in story.leftOut { note(moment, text) }
    for (moment, text) in episodes.unmodelled { note(moment, text) }
    settleSteps()
    history.scenario.faults.sort { Self.time(of: $0) < Self.time(of: $1) }
    collectMessages()
    history.unmodelled.sort { ($0.time, $0.frame) < ($1.time, $1.frame) }
    return history
  }

  private static func time(of fault: Fault) -> Instant {
    if case .at(let time) = fault.anchor { time } else { .start }
  }

  private mutating func settleSteps() {
    // Equal times keep the order in which they were found: of one device, that of the capture.
    let order = drafts.indices.sorted { a, b in
      let (x, y) = (drafts[a].step, drafts[b].step)
      return (x.time, a) < (y.time, b)
    }
    history.scenario.steps = order.map { drafts[$0].step }
    for (position, index) in order.enumerated() where !drafts[index].note.isEmpty {
      history.stepNotes[position] = drafts[index].note
    }
  }

  // MARK: - Words for the other files

  mutating func step(_ time: Instant, _ node: NodeID, _ action: Action, _ note: String = "") {
    drafts.append(Draft(step: Step(time, node, action), note: note))
  }

  mutating func fault(_ kind: FaultKind, _ node: NodeID, at time: Instant, _ note: String) {
    // Faults are sorted by time in the end; notes follow them there.
    let fault = Fault(kind, node: node, .at(time))
    let position =
      history.scenario.faults.firstIndex { Self.time(of: $0) > time }
      ?? history.scenario.faults.count
    history.scenario.faults.insert(fault, at: position)
    var notes: [Int: String] = [:]
    for index in history.scenario.faults.indices {
      let old = index < position ? index : index - 1
      notes[index] = index == position ? note : history.faultNotes[old]
    }
    history.faultNotes = notes
  }

  mutating func note(_ moment: Moment, _ text: String, _ node: NodeID = .server) {
    history.unmodelled.append(
      UnmodelledEvent(time: story.time(moment), frame: moment.frame, device: node, text))
  }

  mutating func topic(_ text: String) -> UInt16 {
    if let known = topicNumbers[text] { return known }
    let number = UInt16(history.scenario.topics.count)
    history.scenario.topics.append(text)
    topicNumbers[text] = number
    return number
  }

  /// When an app has to act for its packet to pass the capture at that moment.
  func actionTime(_ moment: Moment) -> Instant {
    story.time(moment) - measure.toClient / 2 - measure.deviceDelay
  }

  /// When something happened at the client that the capture shows at that moment.
  func clientTime(_ moment: Moment) -> Instant { story.time(moment) - measure.toClient / 2 }

  /// When something happened at the server that the capture shows at that moment.
  func serverTime(_ moment: Moment) -> Instant { story.time(moment) - measure.toServer / 2 }

  /// When a client has something that the server sent past the capture at that moment.
  func arrivalTime(_ moment: Moment) -> Instant { story.time(moment) + measure.toClient / 2 }

  // MARK: - Who belongs to the story

  private static func included(_ story: MQTTStory, _ subscriber: Int?) -> [Int] {
    guard let subscriber else { return Array(story.sessions.indices) }
    var isIncluded = story.sessions.map { $0.identity == subscriber }
    var filters: [MQTTTopicFilter] = []
    for (number, session) in story.sessions.enumerated() where isIncluded[number] {
      for (position, item) in session.recording.packets.enumerated() {
        if case .subscribe(let subscribe) = item.packet {
          filters += subscribe.subscriptions.map { MQTTTopicFilter($0.filter) }
        }
        switch session.marks[position] {
        case .publication(let mark):
          if let publisher = story.publications[mark].session { isIncluded[publisher] = true }
        case .will(let owner): isIncluded[owner] = true
        case .nothing: break
        }
      }
    }
    for publication in story.publications {
      guard let publisher = publication.session, !isIncluded[publisher] else { continue }
      if filters.contains(where: { $0.matches(publication.topic) }) { isIncluded[publisher] = true }
    }
    for (number, session) in story.sessions.enumerated() where !isIncluded[number] {
      guard let will = session.connect.will else { continue }
      if filters.contains(where: { $0.matches(will.topic) }) { isIncluded[number] = true }
    }
    // A publisher's other connections may hold what it could not send on the first.
    let named = Set(
      story.sessions.indices.filter { isIncluded[$0] }.map { story.sessions[$0].identity })
    return story.sessions.indices.filter {
      isIncluded[$0] || named.contains(story.sessions[$0].identity)
    }
  }

  private func isSubscriber(_ identity: Int) -> Bool {
    subscriber.map { $0 == identity } ?? true
  }

  private mutating func numberPublications() {
    var next: UInt16 = 1
    for (index, publication) in story.publications.enumerated() {
      let belongs =
        publication.session.map { !nodes[$0].isServer }
        ?? publication.firstSession.map { isSubscriber(story.sessions[$0].identity) } ?? false
      guard belongs else { continue }
      guard next < 60_000 else {
        note(publication.moment, "more publications than a scenario can number")
        return
      }
      numbers[index] = next
      next += 1
    }
  }

  // MARK: - Publications of nobody seen

  /// The capture does not show who published them: an unseen device does, just in time.
  private mutating func addUnseenSubmissions() {
    for (index, publication) in story.publications.enumerated()
    where publication.session == nil && numbers[index] > 0 {
      let node = unseenPublisher()
      var time =
        serverTime(publication.moment) - measure.serverDelay - measure.rtt / 2
        - measure.deviceDelay
      if publication.wasQueued, let session = publication.firstSession {
        // It lay in wait before the session began.
        time = time - (publication.moment.time - story.sessions[session].recording.began.time)
        time = time - .milliseconds(1) - measure.rtt * 4 + Nanoseconds(UInt64(index))
      }
      let submission = Submission(
        publication: numbers[index], topic: topic(publication.topic),
        quality: publication.quality, retain: isRetained(index),
        expiry: publication.expiry.map { .seconds(UInt64($0)) } ?? .forever)
      step(time, node, .submit(submission), "its publisher is not in the capture")
    }
  }

  private mutating func unseenPublisher() -> NodeID {
    if let unseen { return unseen }
    let node = NodeID(device: devices.count)
    let device = MQTTStoryDevice(
      name: "unseen-publisher", identity: "unseen-publisher", traits: nil, sessions: [])
    devices.append(device)
    history.scenario.devices.append(
      Device(
        name: device.name, identity: device.identity,
        parameters: [Parameter("clean-start", 1), Parameter("keep-alive", 0)]))
    drafts.insert(Draft(step: Step(.start, node, .connect), note: ""), at: 0)
    unseen = node
    history.unseen = node
    return node
  }

  // MARK: - The server

  private mutating func addRestarts() {
    for restart in episodes.restarts {
      let time = serverTime(restart.moment)
      var down = Nanoseconds.milliseconds(1)
      if let back = restart.back, !restart.isInferred {
        // It was up again when it took a connection; when before that, nobody saw.
        let latest = story.time(back) - time
        let refused = story.refusals.last { $0.time < back.time && $0.time > restart.moment.time }
        let least = refused.map { story.time($0) - time } ?? .zero
        down = least + (latest - least) / 2
      }
      let shown =
        restart.isInferred
        ? "not shown: it had forgotten the session in frame \(restart.back?.frame ?? 0)"
        : "frame \(restart.moment.frame)"
      fault(
        .restartServer(downFor: max(down, .microseconds(1)), host: false, wipe: restart.wiped),
        .server, at: time, shown)
    }
  }
}
