@testable import Comparison
import Custody
import PushProtocols
import Simulation
import Testing
import Timeline

@Suite struct PairedScenariosTests {
  static func writer(_ scenarios: [Scenario] = ProtocolCatalog.mqtt.standardScenarios) throws
    -> PairedScenarios
  {
    try #require(
      PairedScenarios(
        scenarios, day: MeasuredDay(length: .hours(3)), subject: ProtocolCatalog.mqtt))
  }

  @Test func `every fault strikes at an instant, and every scenario can be written down`() throws {
    let writer = try Self.writer()
    for number in 0..<60 {
      let scenario = writer.scenario(seed: 3, number: number)
      #expect(scenario.flaw == nil)
      #expect(!scenario.faults.isEmpty)
      for fault in scenario.faults {
        guard case .at = fault.anchor else {
          Issue.record("\(fault) waits for a machine to do something")
          continue
        }
      }
      #expect(scenario.steps.last?.action == .wake)
      #expect(scenario.steps.last.map { $0.time >= .start + .hours(3) } == true)
    }
  }

  @Test func `a scenario follows from its seed and number alone`() throws {
    let writer = try Self.writer()
    let scenarios = (0..<6).map { writer.scenario(seed: 5, number: $0) }
    #expect(Set(scenarios).count == 6)
    let other = try Self.writer()
    for number in (0..<6).reversed() {
      #expect(other.scenario(seed: 5, number: number) == scenarios[number])
      #expect(other.scenario(seed: 6, number: number) != scenarios[number])
    }
  }

  @Test func `settings that a user chose are no weather`() throws {
    let given = ProtocolCatalog.mqtt.standardScenarios[0]
    let writer = try Self.writer([given])
    for number in 0..<40 {
      let scenario = writer.scenario(seed: 1, number: number)
      #expect(scenario.devices == given.devices)
      #expect(scenario.steps == writer.healthyDay(of: 0).steps)
    }
  }

  /// What a day of this device holds, by the names of faults.
  private static func weather(lifetime: Nanoseconds?) throws -> [[String]] {
    var given = ProtocolCatalog.mqtt.standardScenarios[0]
    given.devices[0].credentialLifetime = lifetime
    let writer = try Self.writer([given])
    return (0..<20).map { number in
      writer.scenario(seed: 1, number: number).faults
        .filter { $0.node == NodeID(device: 0) || $0.node.isServer }.map(\.kind.name)
    }
  }

  @Test func `every day has every kind of fault for every device`() throws {
    // An app that submits again is no weather.
    let expected = Set(FaultKind.allNames).subtracting(["resubmit"])
    for names in try Self.weather(lifetime: .hours(1)) {
      #expect(Set(names) == expected)
      // Once for the device or the server; both pause, are slow and have two jumps of a clock.
      #expect(names.count == expected.count + 2 + 3)
    }
    let credentials = FaultKind.allNames[14...]
    for names in try Self.weather(lifetime: nil) {
      #expect(Set(names) == expected.subtracting(credentials))
    }
  }

  @Test func `clocks are set right again`() throws {
    let writer = try Self.writer()
    for number in 0..<20 {
      let faults = writer.scenario(seed: 2, number: number).faults
      var skews: [NodeID: Int64] = [:]
      for fault in faults {
        guard case .clockJump(_, let forward, let by) = fault.kind else { continue }
        skews[fault.node, default: 0] += forward ? Int64(by.count) : -Int64(by.count)
      }
      #expect(skews.count > 1 && skews.values.allSatisfy { $0 == 0 })
    }
  }

  @Test func `a credential that outlives the day ends in it, a short one stays`() throws {
    var given = ProtocolCatalog.mqtt.standardScenarios[0]
    given.devices[0].credentialLifetime = .hours(720)
    given.devices[1].credentialLifetime = .minutes(30)
    let writer = try Self.writer([given])
    var lifetimes: Set<Nanoseconds> = []
    for number in 0..<40 {
      let devices = writer.scenario(seed: 1, number: number).devices
      let lifetime = try #require(devices[0].credentialLifetime)
      #expect(lifetime >= .minutes(15) && lifetime < .hours(3))
      #expect(devices[1].credentialLifetime == .minutes(30))
      lifetimes.insert(lifetime)
    }
    #expect(lifetimes.count > 30)
    #expect(writer.healthyDay(of: 0).devices == given.devices)
  }

  @Test func `a fault that is given with an anchor strikes at an instant, too`() throws {
    var given = ProtocolCatalog.mqtt.standardScenarios[0]
    given.faults = [
      Fault(.cut, node: NodeID(device: 0), .message(sender: .server, kind: 0, ordinal: 1))
    ]
    let first = try #require(try Self.writer([given]).scenario(seed: 1, number: 0).faults.first)
    guard case .at(let time) = first.anchor, first.kind == .cut else {
      Issue.record("\(first) waits for a machine to do something")
      return
    }
    #expect(time > .start && time < .start + .minutes(1))
  }

  @Test func `a healthy day has the steps as given and no faults`() throws {
    var given = ProtocolCatalog.mqtt.standardScenarios[0]
    given.faults = [Fault(.halfOpen, node: NodeID(device: 0), .at(.start + .seconds(5)))]
    let day = try Self.writer([given]).healthyDay(of: 0)
    #expect(day.faults.isEmpty)
    #expect(Array(day.steps.prefix(given.steps.count)) == given.steps)
  }
}

@Suite struct MeasuredDayTests {
  /// A device that stays and publishes, one that is killed, one that sleeps, one that goes; and one
  /// that is no subscriber.
  static func scenario() -> Scenario {
    var scenario = Scenario(model: "mqtt", client: "mqtt.client@good", server: "mqtt.broker@good")
    scenario.topics = ["t"]
    for name in ["stays", "killed", "sleeps", "goes", "stranger"] {
      scenario.devices.append(Device(name: name, identity: name))
    }
    for device in 0..<4 {
      scenario.steps.append(Step(.start, NodeID(device: device), .connect))
      scenario.steps.append(
        Step(.start, NodeID(device: device), .subscribe(topic: 0, quality: 1)))
    }
    let second = Instant.start + .seconds(1)
    scenario.steps += [
      Step(second, NodeID(device: 0), .submit(Submission(publication: 7, topic: 0, quality: 1))),
      Step(second, NodeID(device: 1), .kill(host: false)), Step(second, NodeID(device: 2), .sleep),
      Step(second, NodeID(device: 3), .disconnect),
      Step(second, NodeID(device: 4), .connect), Step(second, NodeID(device: 4), .disconnect),
    ]
    return scenario
  }

  @Test func `who is away comes back a minute later, and nobody else`() {
    let day = MeasuredDay(length: .hours(4), submitsEvery: .forever).prolonging(Self.scenario())
    let back = Instant.start + .seconds(61)
    #expect(
      day.steps.suffix(4) == [
        Step(back, NodeID(device: 1), .launch), Step(back, NodeID(device: 2), .wake),
        Step(back, NodeID(device: 3), .connect),
        Step(.start + .hours(4), NodeID(device: 0), .wake),
      ])
    #expect(day.flaw == nil)
  }

  @Test func `publishers go on until shortly before the end`() {
    let day = MeasuredDay(length: .hours(4), submitsEvery: .hours(1)).prolonging(Self.scenario())
    let submissions = day.steps.compactMap { step -> String? in
      guard case .submit(let submission) = step.action else { return nil }
      return "\(step.time) \(submission.publication)"
    }
    #expect(submissions == ["+1s 7", "+1h 8", "+2h 9", "+3h 10"])
    #expect(day.flaw == nil)
  }

  @Test func `of two devices with one identity only the later one comes back`() {
    var scenario = Self.scenario()
    scenario.devices[3].identity = "stays"
    let day = MeasuredDay(length: .hours(4), submitsEvery: .forever).prolonging(scenario)
    // Both connect at once, and device 3 after device 0.
    #expect(day.steps.contains(Step(.start + .seconds(61), NodeID(device: 0), .disconnect)))
    #expect(day.steps.contains(Step(.start + .seconds(61), NodeID(device: 3), .connect)))
    scenario.steps.append(Step(.start + .seconds(1), NodeID(device: 0), .connect))
    let other = MeasuredDay(length: .hours(4), submitsEvery: .forever).prolonging(scenario)
    #expect(!other.steps.contains(Step(.start + .seconds(61), NodeID(device: 3), .connect)))
    #expect(!other.steps.contains(Step(.start + .seconds(61), NodeID(device: 0), .disconnect)))
  }

  @Test func `a scenario that takes longer than the day makes the day longer`() {
    var scenario = Self.scenario()
    scenario.steps.append(Step(.start + .hours(5), NodeID(device: 0), .disconnect))
    let day = MeasuredDay(length: .hours(4), submitsEvery: .hours(1)).prolonging(scenario)
    #expect(day.steps.last?.time == .start + .hours(5) + .minutes(11))
    #expect(day.flaw == nil)
  }
}
