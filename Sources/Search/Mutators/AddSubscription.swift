internal import Custody
public import Simulation
internal import Timeline

/// Subscribes or unsubscribes a device that is there.
public struct AddSubscription: Mutator {
  public let name = "add-subscription"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    let topics = ground.hints.subscribedTopics
    guard scenario.steps.count < ground.moderation.steps, !topics.isEmpty,
      let node = scenario.randomDevice(&random)
    else { return false }
    let topic = topics[random.below(topics.count)]
    guard Int(topic) < scenario.topics.count else { return false }
    let action: Action =
      random.chance(1, in: 4)
      ? .unsubscribe(topic: topic) : .subscribe(topic: topic, quality: UInt8(random.below(3)))
    scenario.insert(Step(ground.instant(using: &random), node, action))
    return true
  }
}

/// A new device that subscribes to what is published.
public struct AddSubscriber: Mutator {
  public let name = "add-subscriber"
  public init() {}

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    let topics = ground.hints.subscribedTopics
    guard scenario.devices.count < ground.moderation.devices,
      scenario.steps.count + 2 <= ground.moderation.steps, !topics.isEmpty
    else { return false }
    let topic = topics[random.below(topics.count)]
    let name = Self.names[min(scenario.devices.count, Self.names.count - 1)]
    guard Int(topic) < scenario.topics.count, !scenario.devices.contains(where: { $0.name == name })
    else { return false }
    let device = Device(
      name: name, identity: name, parameters: scenario.devices.last?.parameters ?? [])
    let node = NodeID(device: scenario.devices.count)
    scenario.devices.append(device)
    let time = ground.instant(using: &random)
    scenario.insert(Step(time, node, .connect))
    scenario.insert(
      Step(
        time + .milliseconds(1), node, .subscribe(topic: topic, quality: UInt8(1 + random.below(2)))
      ))
    return true
  }

  /// Short enough to need no memory of their own.
  private static let names = ["extra0", "extra1", "extra2", "extra3", "extra4", "extra5", "extra6"]
}
