public import Custody
public import Timeline

/// All that determines a run. Pure data: no randomness is left in it.
public struct Scenario: Hashable, Sendable {
  /// Name of the protocol in the catalog, such as `mqtt`.
  public var model: String
  /// Machines by name, such as `mqtt.client@good`.
  public var client: String
  public var server: String
  /// Where it came from; empty for hand-written ones.
  public var source: String = ""
  public var path = PathSettings()
  /// Settings of the server, in the protocol's own words (`PushModel.serverParameters`).
  public var serverParameters: [Parameter] = []
  public var devices: [Device] = []
  /// Topic names and filters that actions refer to by position.
  public var topics: [String] = []
  /// What apps, users and operators do, in order of time.
  public var steps: [Step] = []
  public var faults: [Fault] = []
  public var budget = StormBudget()
  /// What `run` checks: nothing listed means "no finding".
  public var expectations: [Expectation] = []

  public init(model: String, client: String, server: String) {
    self.model = model
    self.client = client
    self.server = server
  }
}

/// The network between the devices and the server.
@frozen
public struct PathSettings: Hashable, Sendable, BitwiseCopyable {
  /// Round-trip time.
  public var rtt = Nanoseconds.milliseconds(40)
  /// From a message's arrival at the server to the server's reaction.
  public var serverDelay = Nanoseconds.microseconds(100)
  /// From a message's arrival at a device to its reaction.
  public var deviceDelay = Nanoseconds.microseconds(100)
  /// After this long without traffic a middlebox forgets a connection; `.forever`: never.
  public var natTimeout = Nanoseconds.forever
  /// A middlebox that forgot answers the device's next segment with RST rather than silence.
  public var natResets = false
  /// TCP gives up on unacknowledged bytes after this (Linux: `tcp_retries2` = 15, about 924.6 s).
  public var userTimeout = Nanoseconds.milliseconds(924_600)
  /// TCP keep-alive of the server's sockets: first probe after, then every, this many in vain.
  public var keepAliveIdle = Nanoseconds.forever
  public var keepAliveInterval = Nanoseconds.seconds(75)
  public var keepAliveCount: UInt16 = 9

  @inlinable public init() {}
}

/// One named setting. Durations are nanoseconds, flags 0 and 1, topics positions in `topics`.
public struct Parameter: Hashable, Sendable {
  public var name: String
  public var value: UInt64

  public init(_ name: String, _ value: UInt64) {
    self.name = name
    self.value = value
  }
}

/// How a protocol's parameter is written in a scenario.
public struct ParameterKind: Sendable {
  public enum Unit: Sendable { case duration, count, flag, topic }
  public var name: String
  public var unit: Unit
  /// What holds when a scenario leaves it out.
  public var standard: UInt64
  public var meaning: String

  public init(_ name: String, _ unit: Unit, standard: UInt64, _ meaning: String) {
    self.name = name
    self.unit = unit
    self.standard = standard
    self.meaning = meaning
  }
}

/// A client of the server: a subscriber, a publisher, or both.
public struct Device: Hashable, Sendable {
  /// Unique in the scenario; shown in reports.
  public var name: String
  /// The identity that outlives connections (MQTT client identifier). Two devices with one
  /// identity take each other's session over.
  public var identity: String
  public var parameters: [Parameter]

  public init(name: String, identity: String, parameters: [Parameter] = []) {
    self.name = name
    self.identity = identity
    self.parameters = parameters
  }
}

/// Something an app, a user or an operator does.
public struct Step: Hashable, Sendable, BitwiseCopyable {
  public var time: Instant
  /// The device that does it.
  public var node: NodeID
  public var action: Action

  @inlinable public init(_ time: Instant, _ node: NodeID, _ action: Action) {
    self.time = time
    self.node = node
    self.action = action
  }
}

/// What an app, a person or the outside world does at a step.
@frozen
public enum Action: Hashable, Sendable, BitwiseCopyable {
  /// The app wants to be connected from now on (reconnects included).
  case connect
  /// The app wants to be offline: a graceful end.
  case disconnect
  case subscribe(topic: UInt16, quality: UInt8)
  case unsubscribe(topic: UInt16)
  case submit(Submission)
  /// The device processes nothing until `wake`; its kernel still acknowledges.
  case sleep
  case wake
  /// The program ends without a word to the server; `host` takes its kernel along.
  case kill(host: Bool)
  /// The program is started (again); it wants what it wanted before.
  case launch
}

/// What a device's app gives away to be delivered to others.
@frozen
public struct Submission: Hashable, Sendable, BitwiseCopyable {
  /// Unique in the scenario: its name in the ledger. 1 … 59,999; higher ones are the protocol's own
  /// (wills).
  public var publication: UInt16
  public var topic: UInt16
  public var quality: UInt8
  public var retain: Bool
  /// Message expiry; `.forever` for none.
  public var expiry: Nanoseconds

  @inlinable public init(
    publication: UInt16, topic: UInt16, quality: UInt8, retain: Bool = false,
    expiry: Nanoseconds = .forever
  ) {
    self.publication = publication
    self.topic = topic
    self.quality = quality
    self.retain = retain
    self.expiry = expiry
  }
}

/// More than this many in any window of `per` is a storm.
@frozen
public struct StormBudget: Hashable, Sendable, BitwiseCopyable {
  public var connects: UInt16 = 30
  public var refreshes: UInt16 = 10
  public var per = Nanoseconds.minutes(1)

  @inlinable public init() {}
}

/// What a scenario file says that its run must show.
public struct Expectation: Hashable, Sendable {
  /// Name of the oracle, such as `ghost`.
  public var oracle: String
  /// The publication concerned; 0 when the oracle is about a device.
  public var publication: UInt16
  /// The device concerned.
  public var node: NodeID

  public init(oracle: String, publication: UInt16, node: NodeID) {
    self.oracle = oracle
    self.publication = publication
    self.node = node
  }
}
