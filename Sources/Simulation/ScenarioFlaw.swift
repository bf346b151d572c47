internal import Custody
internal import Timeline

extension Scenario {
  /// What makes it impossible to run or to write; `nil` when nothing does.
  ///
  /// Mutators, shrink passes and extraction keep to this, so that a finding always fits in a file.
  public var flaw: String? {
    for (index, device) in devices.enumerated() {
      if device.name.isEmpty { return "device \(index + 1) has no name" }
      if devices[..<index].contains(where: { $0.name == device.name }) {
        return "two devices are called \"\(device.name)\""
      }
    }
    for (index, topic) in topics.enumerated() where topics[..<index].contains(topic) {
      return "topic \"\(topic)\" is listed twice"
    }
    var last = Instant.start
    for step in steps {
      if let flaw = flaw(of: step) { return "\(step.time): \(flaw)" }
      if step.time < last { return "\(step.time): steps are not in order of time" }
      last = step.time
    }
    for fault in faults where fault.node.index > UInt16(clamping: devices.count) {
      return "fault \(fault.kind.name) names device \(fault.node.index) of \(devices.count)"
    }
    return nil
  }

  private func flaw(of step: Step) -> String? {
    if step.time == .never { return "a step needs a time" }
    if step.node.isServer || step.node.device >= devices.count {
      return "device \(step.node.index) of \(devices.count)"
    }
    switch step.action {
    case .subscribe(let topic, _), .unsubscribe(let topic):
      return Int(topic) < topics.count ? nil : "topic \(topic) of \(topics.count)"
    case .submit(let submission):
      let same = steps.count { other in
        if case .submit(let its) = other.action {
          return its.publication == submission.publication
        }
        return false
      }
      if same > 1 { return "publication \(submission.publication) is submitted twice" }
      if submission.publication == 0 || submission.publication >= 60_000 {
        return "publication \(submission.publication) is outside 1…59999"
      }
      return Int(submission.topic) < topics.count
        ? nil : "topic \(submission.topic) of \(topics.count)"
    case .connect, .disconnect, .sleep, .wake, .kill, .launch: return nil
    }
  }
}
