internal import Custody
public import Simulation
internal import Timeline

/// Changes what a device asks of the connection.
///
/// Only what an app may reasonably choose: a back-off of a millisecond would be a storm by order.
public struct ChangeParameter: Mutator {
  public let name = "change-parameter"
  public init() {}

  /// Words that protocols share for what they share, and what may be chosen.
  static let choices: [(name: String, values: [UInt64])] = [
    (
      "keep-alive", [Nanoseconds.seconds(10), .seconds(30), .seconds(60), .minutes(5)].map(\.count)
    ),
    (
      "session-expiry",
      [Nanoseconds.zero, .seconds(30), .minutes(5), .hours(1), .forever].map(\.count)
    ),
    ("clean-start", [0, 1]),
    ("receive-maximum", [1, 2, 3, 10]),
    ("max-in-flight", [1, 2, 3, 20]),
    ("version", [4, 5]),
    (
      "credential-lifetime",
      [Nanoseconds.minutes(5), .minutes(15), .hours(1), .forever].map(\.count)
    ),
    ("durable", [0, 1]),
    ("resubscribe", [0, 1]),
  ]

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard let device = scenario.randomDevice(&random)?.device else { return false }
    let choice = Self.choices[random.below(Self.choices.count)]
    guard ground.hints.parameters.contains(choice.name) else { return false }
    let value = choice.values[random.below(choice.values.count)]
    if let index = scenario.devices[device].parameters.firstIndex(where: { $0.name == choice.name })
    {
      guard scenario.devices[device].parameters[index].value != value else { return false }
      scenario.devices[device].parameters[index].value = value
    } else {
      scenario.devices[device].parameters.append(Parameter(choice.name, value))
    }
    return true
  }
}
