public import Custody
public import Simulation
public import Timeline

/// A protocol with words and no behaviour.
public enum ToyModel: PushModel {
  public struct Message: WireMessage {
    public var kind: UInt8
    public var publication: UInt16
  }

  public struct Watcher: Witness {
    public init() {}
    public mutating func configure(scenario: Scenario) {}
    public mutating func reset() {}
    public mutating func see(
      _ sighting: Sighting<Message>, device: NodeID, at now: Instant, ledger: inout Ledger
    ) {}
    public mutating func finish(at now: Instant, ledger: inout Ledger) {}
  }

  public static let name = "toy"
  public static let messageKinds = ["any", "hello", "push", "ack", "state", "12"]
  public static let deviceParameters = [
    ParameterKind("keep-alive", .duration, standard: 60_000_000_000, "a message at least so often"),
    ParameterKind("clean", .flag, standard: 0, "forgets at every connect"),
    ParameterKind("window", .count, standard: 100, "how many at once"),
    ParameterKind("will", .topic, standard: .max, "where the will goes"),
    ParameterKind("lifetime", .duration, standard: .max, "of credentials"),
  ]
  public static let serverParameters = [
    ParameterKind("queue", .count, standard: 1000, "how many for one device"),
    ParameterKind("patience", .duration, standard: 1_000_000_000, "before a repetition"),
  ]
  public static let rules = ["none", "TOY-1 two hellos"]
  static let stateNames = ["idle", "waiting for ack", "state", "gone", "7"]

  public static func noticeBounds(of device: Device, in scenario: Scenario) -> NoticeBounds {
    NoticeBounds(client: .minutes(2), server: .minutes(2))
  }
  public static func calm(for scenario: Scenario) -> Nanoseconds { .minutes(5) }
  public static func describe(_ message: Message, in scenario: Scenario) -> String {
    "\(messageKinds[Int(message.kind)]) \(message.publication)"
  }
  public static func stateName(_ state: UInt16, of side: Side) -> String {
    Int(state) < stateNames.count ? stateNames[Int(state)] : "other"
  }
  public static func states(of side: Side) -> [UInt16] { [0, 1, 2, 3, 4] }
  public static func credentialLifetime(of device: Device) -> Nanoseconds { .forever }
}

/// What a planted defect makes of a scenario.
public typealias ToyRule = @Sendable (Scenario, inout Ledger) -> Void

extension ProtocolUnderTest {
  /// Its machine `toy.server@bad` has the rule, `toy.server@good` has not.
  public static func toy(_ rule: @escaping ToyRule = { _, _ in }) -> ProtocolUnderTest {
    ProtocolUnderTest(
      ToyModel.self,
      machines: [
        ProtocolUnderTest.MachineName(
          name: "toy.client@good", side: .client, summary: "does nothing wrong"),
        ProtocolUnderTest.MachineName(
          name: "toy.client@bad client", side: .client, summary: "has a space in its name"),
        ProtocolUnderTest.MachineName(
          name: "toy.server@good", side: .server, summary: "does nothing wrong"),
        ProtocolUnderTest.MachineName(
          name: "toy.server@bad", side: .server, summary: "has the planted defect",
          citation: "made up"),
      ],
      standardClient: "toy.client@good", standardServer: "toy.server@good",
      makeBench: { _, server in
        let harmless: ToyRule = { _, _ in }
        return ToyBench(rule: server == "toy.server@bad" ? rule : harmless)
      })
  }
}
