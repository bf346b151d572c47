internal import Custody
internal import Simulation
internal import Timeline

/// Goes back to what is standard: parameters, path, topics, expiry, retain, identities.
public struct DropSettings: ShrinkPass {
  public static let name = "drop-settings"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    _ = target.consider { $0.budget = StormBudget() }
    _ = target.consider { $0.path = PathSettings() }
    for setting in PathSetting.allCases where !setting.isStandard(in: target.scenario.path) {
      _ = target.consider { setting.reset(in: &$0.path) }
    }
    removeFromBack(count: target.scenario.serverParameters.count) { range in
      target.consider { $0.serverParameters.removeSubrange(range) }
    }
    for device in target.scenario.devices.indices {
      removeFromBack(count: target.scenario.devices[device].parameters.count) { range in
        target.consider { $0.devices[device].parameters.removeSubrange(range) }
      }
      _ = target.consider { $0.devices[device].identity = $0.devices[device].name }
    }
    roundValues(&target)
    simplifySubmissions(&target)
    joinTopics(&target)
  }

  /// Durations among the parameters, to a round neighbour.
  private func roundValues(_ target: inout ShrinkTarget) {
    for device in target.scenario.devices.indices {
      for index in target.scenario.devices[device].parameters.indices {
        for value in neighbours(of: target.scenario.devices[device].parameters[index].value) {
          if target.consider({ $0.devices[device].parameters[index].value = value }) { break }
        }
      }
    }
    for index in target.scenario.serverParameters.indices {
      for value in neighbours(of: target.scenario.serverParameters[index].value) {
        if target.consider({ $0.serverParameters[index].value = value }) { break }
      }
    }
  }

  /// The unit of a parameter is the protocol's business; below a millisecond it is a count.
  private func neighbours(of value: UInt64) -> [UInt64] {
    let length = Nanoseconds(value)
    guard value >= 1_000_000, value < 1 << 62, RoundLength.roughness(length) > 0 else { return [] }
    let below = RoundLength.below(length)
    let above = RoundLength.all.first { $0 > length }
    return [below, above].compactMap { $0?.count }
  }

  private func simplifySubmissions(_ target: inout ShrinkTarget) {
    for index in target.scenario.steps.indices {
      guard case .submit(let submission) = target.scenario.steps[index].action else { continue }
      var plain = submission
      plain.expiry = .forever
      if plain != submission { _ = target.consider { $0.steps[index].action = .submit(plain) } }
      guard case .submit(var kept) = target.scenario.steps[index].action else { continue }
      kept.retain = false
      _ = target.consider { $0.steps[index].action = .submit(kept) }
      for value in neighbours(of: kept.expiry.count) {
        kept.expiry = Nanoseconds(value)
        if target.consider({ $0.steps[index].action = .submit(kept) }) { break }
      }
    }
  }

  private func joinTopics(_ target: inout ShrinkTarget) {
    let subject = target.subject
    var topic = target.scenario.topics.count - 1
    while topic >= 0 {
      let old = UInt16(topic)
      var gone = false
      if !target.scenario.usedTopics(subject).contains(old) {
        gone = target.consider { $0.removeTopic(old, subject) }
      }
      for other in UInt16(0)..<UInt16(target.scenario.topics.count) where !gone && other != old {
        gone = target.consider { scenario in
          scenario.replaceTopic(old, by: other)
          if !scenario.usedTopics(subject).contains(old) { scenario.removeTopic(old, subject) }
        }
      }
      topic -= 1
    }
  }
}
