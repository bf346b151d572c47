internal import Custody
internal import Simulation
internal import Timeline

/// Words for writing the standard scenarios of a protocol.
struct StandardScenarioBuilder {
  private var scenario: Scenario
  /// Of every device that does not say otherwise.
  private let deviceParameters: [Parameter]
  private var publication: UInt16 = 0

  init(
    _ about: String, model: String, client: String, server: String, topics: [String],
    serverParameters: [Parameter], deviceParameters: [Parameter]
  ) {
    scenario = Scenario(model: model, client: client, server: server)
    scenario.source = "standard: " + about
    scenario.topics = topics
    scenario.serverParameters = serverParameters
    self.deviceParameters = deviceParameters
  }

  /// - Returns: the device's position.
  mutating func device(
    _ name: String, identity: String? = nil, _ parameters: [Parameter] = []
  ) -> Int {
    scenario.devices.append(
      Device(
        name: name, identity: identity ?? name,
        parameters: deviceParameters.filter { one in
          !parameters.contains { $0.name == one.name }
        } + parameters))
    return scenario.devices.count - 1
  }

  mutating func at(_ milliseconds: UInt64, _ device: Int, _ action: Action) {
    scenario.steps.append(
      Step(.start + .milliseconds(milliseconds), NodeID(device: device), action))
  }

  mutating func join(_ milliseconds: UInt64, _ device: Int, topic: UInt16, quality: UInt8) {
    at(milliseconds, device, .connect)
    at(milliseconds, device, .subscribe(topic: topic, quality: quality))
  }

  /// Publications are numbered from 1 in the order of these calls.
  mutating func submit(
    _ milliseconds: UInt64, _ device: Int, topic: UInt16, quality: UInt8,
    expiry: Nanoseconds = .forever
  ) {
    publication += 1
    at(
      milliseconds, device,
      .submit(
        Submission(publication: publication, topic: topic, quality: quality, expiry: expiry)))
  }

  mutating func strike(_ milliseconds: UInt64, _ device: Int, _ kind: FaultKind) {
    scenario.faults.append(
      Fault(kind, node: NodeID(device: device), .at(.start + .milliseconds(milliseconds))))
  }

  func build() -> Scenario {
    var scenario = scenario
    // Stable, so that what was written first happens first.
    let ordered = scenario.steps.enumerated().sorted {
      ($0.element.time, $0.offset) < ($1.element.time, $1.offset)
    }
    scenario.steps = ordered.map(\.element)
    return scenario
  }
}
