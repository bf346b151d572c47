@testable import Comparison
import Custody
import PushProtocols
import Search
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
    let writer = try Self.writer([ProtocolCatalog.mqtt.standardScenarios[0]])
    for number in 0..<40 {
      let scenario = writer.scenario(seed: 1, number: number)
      #expect(scenario.devices == ProtocolCatalog.mqtt.standardScenarios[0].devices)
    }
    // The names of what is left out are those of mutators.
    #expect(Set(PairedScenarios.leftOut).isSubset(of: MutatorCatalog.names))
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
