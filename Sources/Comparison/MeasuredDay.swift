internal import Custody
internal import Search
public import Simulation
public import Timeline

/// What happens to a scenario so that rates can be told of it: it goes on for a day.
///
/// After the scenario's own steps everybody who subscribes or submits comes back and stays, as in
/// a calm, but while faults may still last; every so often each publisher submits again what it
/// submitted first. All of it is steps, so it can be written to a file like any scenario.
public struct MeasuredDay: Hashable, Sendable {
  /// From the beginning of a run; rates are those of this time.
  public var length = Nanoseconds.hours(24)
  /// Between two submissions of a publisher; `.forever`: none but the scenario's own.
  public var submitsEvery = Nanoseconds.hours(1)

  /// Between a scenario's own end and everybody's return.
  static let pause = Nanoseconds.minutes(1)
  /// No submission comes so close to the end: it must be able to arrive.
  static let margin = Nanoseconds.minutes(10)

  public init(length: Nanoseconds = .hours(24), submitsEvery: Nanoseconds = .hours(1)) {
    self.length = length
    self.submitsEvery = submitsEvery
  }

  /// The scenario, made to last a day; longer where its own steps take longer.
  public func prolonging(_ scenario: Scenario) -> Scenario { ending(filling(scenario)) }

  /// What happens in the rest of the day.
  private func filling(_ scenario: Scenario) -> Scenario {
    var day = scenario
    day.expectations = []
    let back = scenario.lastTime + Self.pause
    day.steps += Self.returns(scenario, at: back)
    day.steps += submissions(scenario, from: back, until: .start + length - Self.margin)
    return day
  }

  /// Makes a run last until the end of the day.
  private func ending(_ scenario: Scenario) -> Scenario {
    guard !scenario.devices.isEmpty else { return scenario }
    var day = scenario
    let end = max(.start + length, scenario.lastTime + Self.margin)
    // Waking who is awake does nothing else.
    day.steps.append(Step(end, NodeID(device: 0), .wake))
    return day
  }

  /// What brings back those who are away, in the order of devices; of several with one identity,
  /// who would fight for it all day, all but the last one go.
  private static func returns(_ scenario: Scenario, at time: Instant) -> [Step] {
    let publishers = scenario.publishers.map(\.device)
    let subscribers = scenario.subscribers
    var steps: [Step] = []
    for index in scenario.devices.indices
    where subscribers.contains(index) || publishers.contains(index) {
      let node = NodeID(device: index)
      var (wants, isUp, isAsleep) = (false, true, false)
      for step in scenario.steps where step.node == node {
        switch step.action {
        case .connect: wants = true
        case .disconnect: wants = false
        case .kill: isUp = false
        case .launch:
          isUp = true
          isAsleep = false
        case .sleep: isAsleep = true
        case .wake: isAsleep = false
        case .subscribe, .unsubscribe, .submit: break
        }
      }
      guard scenario.keepsIdentity(index) else {
        if wants { steps.append(Step(time, node, .disconnect)) }
        continue
      }
      if isAsleep { steps.append(Step(time, node, .wake)) }
      if !isUp { steps.append(Step(time, node, .launch)) }
      if !wants { steps.append(Step(time, node, .connect)) }
    }
    return steps
  }

  private func submissions(_ scenario: Scenario, from: Instant, until: Instant) -> [Step] {
    guard submitsEvery != .forever, submitsEvery > .zero else { return [] }
    var publication = scenario.highestPublication
    var steps: [Step] = []
    var time = Instant.start + submitsEvery
    while time < until {
      if time > from {
        for (device, submission) in scenario.publishers where publication < 49_999 {
          publication += 1
          var again = submission
          again.publication = publication
          steps.append(Step(time, NodeID(device: device), .submit(again)))
        }
      }
      time = time + submitsEvery
    }
    return steps
  }
}

extension Scenario {
  /// Devices that subscribe to something, by position.
  var subscribers: Set<Int> {
    var found: Set<Int> = []
    for step in steps {
      if case .subscribe = step.action, !step.node.isServer { found.insert(step.node.device) }
    }
    return found
  }

  /// The devices that are measured: those that subscribe to something; all, where none does.
  var receivers: Set<Int> {
    let subscribers = subscribers
    return subscribers.isEmpty ? Set(devices.indices) : subscribers
  }

  /// Devices that submit something, each with the first that it does, in the order of devices.
  var publishers: [(device: Int, first: Submission)] {
    devices.indices.compactMap { index in
      for step in steps where step.node == NodeID(device: index) {
        if case .submit(let submission) = step.action { return (index, submission) }
      }
      return nil
    }
  }

  var highestPublication: UInt16 {
    steps.reduce(0) { highest, step in
      if case .submit(let submission) = step.action { return max(highest, submission.publication) }
      return highest
    }
  }

  /// Whether no other device with the same identity connects later.
  func keepsIdentity(_ device: Int) -> Bool {
    func lastConnect(_ index: Int) -> Int {
      steps.lastIndex { $0.node == NodeID(device: index) && $0.action == .connect } ?? -1
    }
    return devices.indices.allSatisfy { other in
      other == device || devices[other].identity != devices[device].identity
        || (lastConnect(other), other) < (lastConnect(device), device)
    }
  }
}
