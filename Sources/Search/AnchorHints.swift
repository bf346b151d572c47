public import Custody
public import Simulation
public import Timeline

/// Where a scenario has handles for faults: what its run passed through.
///
/// A pure function of the scenario, so it may be kept or worked out again.
public struct AnchorHints: Sendable {
  public struct Message: Hashable, Sendable, BitwiseCopyable {
    public var node: NodeID
    public var anchor: Anchor
  }

  public struct State: Hashable, Sendable, BitwiseCopyable {
    public var side: Side
    public var number: UInt16
  }

  /// Of events, in order, at most `limit` of them, evenly picked.
  public var times: [Instant] = []
  public var messages: [Message] = []
  public var states: [State] = []
  /// Lengths that mean something to this scenario: keep-alives, expiries, lifetimes, time-outs.
  public var lengths: [Nanoseconds] = []
  public var rtt = Nanoseconds.milliseconds(40)
  /// Some device asks for credentials.
  public var hasCredentials = false
  /// Topics that something is published to; a filter may not be.
  public var publishedTopics: [UInt16] = []
  public var subscribedTopics: [UInt16] = []
  /// The first that is subscribed to and can be published to.
  public var publishableTopic: UInt16?
  /// Names of the parameters that devices of this protocol have.
  public var parameters: [String] = []

  static let limit = 192

  public init() {}

  public init(_ scenario: Scenario, trace: [TraceEntry], subject: ProtocolUnderTest) {
    rtt = scenario.path.rtt
    parameters = subject.deviceParameters.map(\.name)
    collectLengths(scenario, subject)
    collectTopics(scenario)
    publishableTopic = subscribedTopics.first { subject.isPublishable(scenario.topics[Int($0)]) }
    collectEvents(trace)
    for side in Side.allCases {
      states += subject.states(side).prefix(64).map { State(side: side, number: $0) }
    }
  }

  private mutating func collectEvents(_ trace: [TraceEntry]) {
    var counts: [Key: UInt16] = [:]
    for entry in trace {
      switch entry.what {
      case .wrote(let side):
        guard entry.kind != 0 else { break }
        counts[Key(node: entry.device, side: side, kind: entry.kind), default: 0] += 1
        let ordinal = counts[Key(node: entry.device, side: side, kind: entry.kind)] ?? 1
        messages.append(
          Message(
            node: entry.device,
            anchor: .message(sender: side, kind: entry.kind, ordinal: ordinal)))
      case .requestedCredential: hasCredentials = true
      case .calm:
        thin()
        return
      case .believes, .openingAgain, .pathLost, .credentialExpired, .backAfterExpiry:
        // Follows from what stands beside it.
        continue
      case .action, .arrived, .opening, .opened, .openFailed, .closed, .closing, .retransmitted,
        .fault, .timer, .credential, .handedOver, .applied, .countedDone, .dropped, .gaveUp,
        .blamed, .died, .launched, .paused, .resumed:
        break
      }
      if times.last != entry.time { times.append(entry.time) }
    }
    thin()
  }

  private struct Key: Hashable {
    var node: NodeID
    var side: Side
    var kind: UInt8
  }

  private mutating func thin() {
    func picked<Element>(_ list: [Element]) -> [Element] {
      guard list.count > Self.limit else { return list }
      return (0..<Self.limit).map { list[$0 * list.count / Self.limit] }
    }
    times = picked(times)
    messages = picked(messages)
  }

  private mutating func collectLengths(_ scenario: Scenario, _ subject: ProtocolUnderTest) {
    func add(_ length: Nanoseconds) {
      guard length > .zero, length < .hours(24 * 8), !lengths.contains(length) else { return }
      lengths.append(length)
    }
    for device in scenario.devices {
      let bounds = subject.noticeBounds(device, scenario)
      add(bounds.client)
      add(bounds.server)
      durations(device.parameters, subject.deviceParameters).forEach(add)
    }
    durations(scenario.serverParameters, subject.serverParameters).forEach(add)
    add(scenario.path.rtt)
    add(scenario.path.userTimeout)
    add(scenario.path.natTimeout)
    add(scenario.path.keepAliveIdle)
    for step in scenario.steps {
      if case .submit(let submission) = step.action { add(submission.expiry) }
    }
  }

  private func durations(_ parameters: [Parameter], _ kinds: [ParameterKind]) -> [Nanoseconds] {
    kinds.filter { $0.unit == .duration }.map { kind in
      Nanoseconds(parameters.last { $0.name == kind.name }?.value ?? kind.standard)
    }
  }

  private mutating func collectTopics(_ scenario: Scenario) {
    for step in scenario.steps {
      switch step.action {
      case .submit(let submission):
        if !publishedTopics.contains(submission.topic) { publishedTopics.append(submission.topic) }
      case .subscribe(let topic, _):
        if !subscribedTopics.contains(topic) { subscribedTopics.append(topic) }
      case .connect, .disconnect, .unsubscribe, .sleep, .wake, .kill, .launch: break
      }
    }
  }
}
