internal import Custody
public import Simulation
public import Timeline

/// Scenarios without sense but without a flaw, to try everything that reads or rewrites them.
public enum RandomScenario {
  static let words = [
    "gk", "t/x", "sensors/#", "+/a", "#", "all", "server", "fault", "none", "", "two words",
    "quo\"te", "back\\slash", "ü", "line\nbreak", "\u{301}accent", "tab\t", "12", "qos", "état",
    "\u{e33}thai", "👩‍👩‍👧", "a\r\nb", "expect", "\"", "+1s", "retain",
  ]

  public static func make(seed: UInt64) -> Scenario {
    var random = SeededRandom(seed: seed)
    var scenario = Scenario(
      model: "toy",
      client: random.chance(1, in: 2) ? "toy.client@good" : "toy.client@bad client",
      server: random.chance(1, in: 2) ? "toy.server@good" : "toy.server@bad")
    if random.chance(1, in: 2) {
      scenario.source = word(&random) + " " + word(&random) + (random.chance(1, in: 4) ? " " : "")
    }
    for _ in 0..<random.below(6) {
      let topic = word(&random)
      if !scenario.topics.contains(topic) { scenario.topics.append(topic) }
    }
    settings(&scenario, &random)
    for _ in 0..<random.below(4) {
      let name = word(&random)
      guard !name.isEmpty, !scenario.devices.contains(where: { $0.name == name }) else { continue }
      scenario.devices.append(
        Device(
          name: name, identity: random.chance(1, in: 2) ? name : word(&random),
          parameters: parameters(ToyModel.deviceParameters, scenario, &random)))
    }
    steps(&scenario, &random)
    for _ in 0..<random.below(6) {
      scenario.faults.append(
        Fault(
          kind(&random), node: NodeID(UInt16(random.below(scenario.devices.count + 1))),
          anchor(&random)))
    }
    for _ in 0..<random.below(3) {
      scenario.expectations.append(
        Expectation(
          oracle: random.chance(1, in: 2) ? "ghost" : "zombie",
          publication: UInt16(random.below(3)),
          node: NodeID(UInt16(random.below(scenario.devices.count + 1)))))
    }
    return scenario
  }

  static func word(_ random: inout SeededRandom) -> String { words[random.below(words.count)] }

  public static func length(_ random: inout SeededRandom) -> Nanoseconds {
    switch random.below(5) {
    case 0: .forever
    case 1: .seconds(UInt64(random.below(5000)))
    case 2: .milliseconds(UInt64(random.below(100_000)))
    case 3: Nanoseconds(random.next() >> 20)
    default: .zero
    }
  }

  static func settings(_ scenario: inout Scenario, _ random: inout SeededRandom) {
    if random.chance(1, in: 2) { scenario.path.rtt = length(&random) }
    if random.chance(1, in: 4) { scenario.path.serverDelay = length(&random) }
    if random.chance(1, in: 4) { scenario.path.deviceDelay = length(&random) }
    if random.chance(1, in: 4) { scenario.path.natTimeout = length(&random) }
    scenario.path.natResets = random.chance(1, in: 4)
    if random.chance(1, in: 4) { scenario.path.userTimeout = length(&random) }
    if random.chance(1, in: 4) { scenario.path.keepAliveIdle = length(&random) }
    if random.chance(1, in: 4) { scenario.path.keepAliveInterval = length(&random) }
    if random.chance(1, in: 4) { scenario.path.keepAliveCount = UInt16(random.below(99)) }
    if random.chance(1, in: 4) { scenario.budget.connects = UInt16(random.below(99)) }
    if random.chance(1, in: 4) { scenario.budget.per = length(&random) }
    scenario.serverParameters = parameters(ToyModel.serverParameters, scenario, &random)
  }

  static func parameters(
    _ kinds: [ParameterKind], _ scenario: Scenario, _ random: inout SeededRandom
  ) -> [Parameter] {
    var chosen: [Parameter] = []
    for kind in kinds where random.chance(1, in: 2) {
      switch kind.unit {
      case .duration: chosen.append(Parameter(kind.name, length(&random).count))
      case .count: chosen.append(Parameter(kind.name, random.next() >> UInt64(random.below(64))))
      case .flag: chosen.append(Parameter(kind.name, UInt64(random.below(3))))
      case .topic:
        if !scenario.topics.isEmpty {
          chosen.append(Parameter(kind.name, UInt64(random.below(scenario.topics.count))))
        }
      }
    }
    return chosen
  }

  static func steps(_ scenario: inout Scenario, _ random: inout SeededRandom) {
    guard !scenario.devices.isEmpty else { return }
    var time = Instant.start
    for index in 0..<random.below(12) {
      if random.chance(2, in: 3) { time = time + Nanoseconds(random.next() >> 30) }
      let node = NodeID(device: random.below(scenario.devices.count))
      scenario.steps.append(
        Step(time, node, action(UInt16(index + 1), topics: scenario.topics.count, &random)))
    }
  }

  static func action(
    _ publication: UInt16, topics: Int, _ random: inout SeededRandom
  ) -> Action {
    let topic = topics > 0 ? UInt16(random.below(topics)) : 0
    switch random.below(topics > 0 ? 9 : 6) {
    case 0: return .connect
    case 1: return .disconnect
    case 2: return .sleep
    case 3: return .wake
    case 4: return .kill(host: random.chance(1, in: 2))
    case 5: return .launch
    case 6: return .subscribe(topic: topic, quality: UInt8(random.below(3)))
    case 7: return .unsubscribe(topic: topic)
    default:
      return .submit(
        Submission(
          publication: publication, topic: topic, quality: UInt8(random.below(3)),
          retain: random.chance(1, in: 4), expiry: length(&random)))
    }
  }

  public static func anchor(_ random: inout SeededRandom) -> Anchor {
    let side: Side = random.chance(1, in: 2) ? .client : .server
    let ordinal = UInt16(1 + random.below(5))
    switch random.below(3) {
    case 0: return .at(Instant(nanoseconds: random.next() >> 20))
    case 1:
      let kind = UInt8(random.below(ToyModel.messageKinds.count))
      return .message(sender: side, kind: kind, ordinal: ordinal)
    default: return .state(side: side, state: UInt16(random.below(9)), ordinal: ordinal)
    }
  }

  public static func kind(_ random: inout SeededRandom) -> FaultKind {
    let side: Side = random.chance(1, in: 2) ? .client : .server
    let flag = random.chance(1, in: 2)
    switch random.below(FaultKind.allNames.count) {
    case 0: return .delay(by: length(&random))
    case 1: return .pause(side, for: length(&random))
    case 2: return .slow(side, by: length(&random), for: length(&random))
    case 3: return .clockJump(side, forward: flag, by: length(&random))
    case 4: return .lose(LossDirection.allCases[random.below(3)], for: length(&random))
    case 5: return .cut
    case 6: return .halfOpen
    case 7: return .reset(client: flag, server: random.chance(1, in: 2))
    case 8: return .forgetMapping(reset: flag)
    case 9: return .changeNetwork
    case 10: return .refuse(for: length(&random))
    case 11:
      return .restartServer(
        downFor: length(&random), host: flag, wipe: random.chance(1, in: 2))
    case 12: return .killClient(downFor: length(&random), host: flag)
    case 13: return .resubmit
    case 14: return .expireCredential
    case 15: return .slowRefresh(by: length(&random), for: length(&random))
    case 16: return .refuseRefresh(for: length(&random))
    case 17: return .staleRefresh(for: length(&random))
    case 18: return .loseRefresh(for: length(&random))
    default: return .throttleRefresh(for: length(&random))
    }
  }
}
