internal import Custody
internal import Simulation
internal import Timeline

/// Edits that keep a scenario without flaw.
extension Scenario {
  /// Removes a device with its steps and faults; those behind it move up.
  mutating func removeDevice(_ device: Int) {
    let node = NodeID(device: device)
    steps.removeAll { $0.node == node }
    faults.removeAll { $0.node == node }
    devices.remove(at: device)
    func moved(_ other: NodeID) -> NodeID {
      other.index > node.index ? NodeID(other.index - 1) : other
    }
    for index in steps.indices { steps[index].node = moved(steps[index].node) }
    for index in faults.indices { faults[index].node = moved(faults[index].node) }
  }

  /// Lets another device do everything that this one does.
  mutating func merge(device: Int, into other: Int) {
    let from = NodeID(device: device)
    let to = NodeID(device: other)
    for index in steps.indices where steps[index].node == from { steps[index].node = to }
    for index in faults.indices where faults[index].node == from { faults[index].node = to }
    removeDevice(device)
  }

  /// Positions of the topics that a step or a parameter refers to.
  func usedTopics(_ subject: ProtocolUnderTest) -> [UInt16] {
    var used = steps.compactMap(\.action.topic)
    for device in devices {
      used += device.parameters.compactMap { $0.topic(among: subject.deviceParameters) }
    }
    return used + serverParameters.compactMap { $0.topic(among: subject.serverParameters) }
  }

  /// Whether something is published where one can only subscribe.
  func publishesToFilters(_ subject: ProtocolUnderTest) -> Bool {
    var targets: [UInt16] = []
    for step in steps {
      if case .submit(let submission) = step.action { targets.append(submission.topic) }
    }
    for device in devices {
      targets += device.parameters.compactMap { $0.topic(among: subject.deviceParameters) }
    }
    return targets.contains { Int($0) < topics.count && !subject.isPublishable(topics[Int($0)]) }
  }

  /// Takes an unused topic out of the table; those behind it move up.
  mutating func removeTopic(_ topic: UInt16, _ subject: ProtocolUnderTest) {
    topics.remove(at: Int(topic))
    for index in steps.indices {
      if let other = steps[index].action.topic, other > topic {
        steps[index].action.topic = other - 1
      }
    }
    for device in devices.indices {
      for index in devices[device].parameters.indices {
        let other = devices[device].parameters[index].topic(among: subject.deviceParameters)
        if let other, other > topic { devices[device].parameters[index].value -= 1 }
      }
    }
    for index in serverParameters.indices {
      let other = serverParameters[index].topic(among: subject.serverParameters)
      if let other, other > topic { serverParameters[index].value -= 1 }
    }
  }

  /// Points all steps from one topic to another.
  mutating func replaceTopic(_ old: UInt16, by new: UInt16) {
    for index in steps.indices where steps[index].action.topic == old {
      steps[index].action.topic = new
    }
  }

  /// All points in time, sorted, each once.
  var times: [Instant] {
    var times = steps.map(\.time)
    for fault in faults { if case .at(let time) = fault.anchor { times.append(time) } }
    times.sort()
    var distinct: [Instant] = []
    for time in times where distinct.last != time { distinct.append(time) }
    return distinct
  }

  mutating func mapTimes(_ change: (Instant) -> Instant) {
    for index in steps.indices { steps[index].time = change(steps[index].time) }
    for index in faults.indices {
      if case .at(let time) = faults[index].anchor { faults[index].anchor = .at(change(time)) }
    }
  }
}

extension Parameter {
  /// The position that it names, if it is one of those that name topics.
  func topic(among kinds: [ParameterKind]) -> UInt16? {
    guard kinds.contains(where: { $0.name == name && $0.unit == .topic }) else { return nil }
    return UInt16(exactly: value)
  }
}

extension Action {
  var topic: UInt16? {
    get {
      switch self {
      case .subscribe(let topic, _), .unsubscribe(let topic): topic
      case .submit(let submission): submission.topic
      case .connect, .disconnect, .sleep, .wake, .kill, .launch: nil
      }
    }
    set {
      guard let newValue else { return }
      switch self {
      case .subscribe(_, let quality): self = .subscribe(topic: newValue, quality: quality)
      case .unsubscribe: self = .unsubscribe(topic: newValue)
      case .submit(var submission):
        submission.topic = newValue
        self = .submit(submission)
      case .connect, .disconnect, .sleep, .wake, .kill, .launch: return
      }
    }
  }
}

/// Finds which elements of a list are needed, from the back, by bisection: about log2(n) runs for
/// each that stays, whatever the number of those that go.
func removeFromBack(count: Int, tryRemoving: (Range<Int>) -> Bool) {
  // `end` elements at the front are undecided; all behind them are needed.
  var end = count
  while end > 0 {
    if tryRemoving(0..<end) { return }
    // Removing low..<end is known to fail for low = 0; find the smallest that works.
    var failing = 0
    var working = end
    while working - failing > 1 {
      let middle = (failing + working) / 2
      if tryRemoving(middle..<working) {
        working = middle
      } else {
        failing = middle
      }
    }
    // The element at `failing` could not go with those behind it, which are gone now.
    end = working - 1
  }
}
