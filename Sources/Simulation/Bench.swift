public import Custody
public import Timeline

/// What one run showed, besides the ledger.
@frozen
public struct RunSummary: Hashable, Sendable, BitwiseCopyable {
  public var events: UInt32 = 0
  public var messages: UInt32 = 0
  public var links: UInt16 = 0
  public var ended = Instant.start
  /// When the calm began: after the last step and the last fault.
  public var calmBegan = Instant.start
  /// Hash of everything that happened, in order: equal on every machine for equal scenarios.
  public var traceHash: UInt64 = 0
  /// Faults that found their anchor, as bits by position in `Scenario.faults` (the first 64).
  public var faultsStruck: UInt64 = 0

  @inlinable public init() {}
}

/// How much of a run is wanted.
@frozen
public struct RunOptions: Hashable, Sendable, BitwiseCopyable {
  /// After the last fault: heal the network, bring every device back, wait for the bounds.
  public var calm = true
  /// Record every event for reports (`Bench.trace`).
  public var tracing = false
  /// Say in the trace what messages are; a search looks at their kinds only.
  public var describing = true
  /// A run that needs more is inconclusive.
  public var eventLimit: UInt32 = 200_000
  /// Without a calm: stop here.
  public var until = Instant.never

  @inlinable public init() {}
}

/// One event of a traced run, in words that every protocol shares.
public struct TraceEntry: Hashable, Sendable {
  public enum What: Hashable, Sendable {
    case action(Action)
    case wrote(Side)
    case arrived(Side)
    case opening(Port), opened(Side), openFailed(OpenFailure)
    /// The end noticed it.
    case closed(Side, CloseCause)
    /// The end did it; `true`: with RST.
    case closing(Side, reset: Bool)
    /// A retransmission by TCP because the path lost the segment.
    case retransmitted(Side)
    case fault(Int)
    case timer(Side, TimerID)
    case requestedCredential, credential(CredentialAnswer)
    case handedOver, applied, countedDone(Side), dropped(Side, DropReason), gaveUp(GiveUpReason)
    case blamed(Side, rule: UInt16)
    case died(Side), launched(Side)
    case paused(Side), resumed(Side)
    /// The end begins or ceases to believe in the link.
    case believes(Side, Bool)
    /// The first SYN of the link was lost, this one was sent after it.
    case openingAgain
    /// Nothing passes on the link any more, for ever, and no end knows.
    case pathLost
    case credentialExpired
    /// Both ends believe in a connection, and the credential that had expired is replaced.
    case backAfterExpiry
    case calm
  }

  public var time: Instant
  public var device: NodeID
  public var link: LinkID?
  public var what: What
  public var publication: UInt16
  /// The protocol's description of the message, empty when there is none.
  public var text: String
  /// `WireMessage.kind`, 0 when there is no message.
  public var kind: UInt8

  public init(
    time: Instant, device: NodeID, link: LinkID?, what: What, publication: UInt16 = 0,
    text: String = "", kind: UInt8 = 0
  ) {
    self.time = time
    self.device = device
    self.link = link
    self.what = what
    self.publication = publication
    self.text = text
    self.kind = kind
  }
}

/// A fault that met a joint state, for the vacuity report.
@frozen
public struct FaultEncounter: Hashable, Sendable, BitwiseCopyable {
  public var fault: UInt8
  public var clientState: UInt16
  public var serverState: UInt16

  @inlinable public init(fault: UInt8, clientState: UInt16, serverState: UInt16) {
    self.fault = fault
    self.clientState = clientState
    self.serverState = serverState
  }
}

/// A client machine, a server machine and their protocol, ready to run scenarios: the one
/// existential between the protocol-neutral layers and the specialised hot loop. Not shared between
/// threads.
public protocol Bench: AnyObject {
  /// Runs a scenario from its beginning. Results stay valid until the next run.
  func run(_ scenario: Scenario, options: RunOptions) -> RunSummary
  var ledger: Ledger { get }
  /// Edges between joint states that the run passed, hashed; may repeat.
  var edges: [UInt32] { get }
  var faultContexts: [FaultEncounter] { get }
  /// Empty unless the run was traced.
  var trace: [TraceEntry] { get }
}

/// What the neutral layers know of a protocol: its words and how to make a bench.
public struct ProtocolUnderTest: Sendable {
  public struct MachineName: Sendable {
    /// Full name, such as `mqtt.broker@forgets-in-flight`.
    public var name: String
    public var side: Side
    /// What it does; for a specimen: what is wrong with it.
    public var summary: String
    /// Where the defect was seen; empty for a machine that is meant to be right.
    public var citation: String

    public init(name: String, side: Side, summary: String, citation: String = "") {
      self.name = name
      self.side = side
      self.summary = summary
      self.citation = citation
    }
  }

  public var name: String
  public var machines: [MachineName]
  public var standardClient: String
  public var standardServer: String
  public var messageKinds: [String]
  public var deviceParameters: [ParameterKind]
  public var serverParameters: [ParameterKind]
  public var rules: [String]
  public var stateName: @Sendable (UInt16, Side) -> String
  public var states: @Sendable (Side) -> [UInt16]
  /// Whether something may be published to this topic.
  public var isPublishable: @Sendable (_ topic: String) -> Bool
  public var noticeBounds: @Sendable (Device, Scenario) -> NoticeBounds
  /// Hand-written seeds for a search, besides what captures give: each says in `source` what it is
  /// about, all hold without faults.
  public var standardScenarios: [Scenario]
  /// `nil` when a name is not one of `machines`.
  public var makeBench: @Sendable (_ client: String, _ server: String) -> (any Bench)?

  /// - Parameter makeBench: called once per worker and pair of machines.
  public init<Model: PushModel>(
    _ model: Model.Type, machines: [MachineName], standardClient: String, standardServer: String,
    standardScenarios: [Scenario] = [],
    makeBench: @escaping @Sendable (_ client: String, _ server: String) -> (any Bench)?
  ) {
    name = Model.name
    self.machines = machines
    self.standardClient = standardClient
    self.standardServer = standardServer
    messageKinds = Model.messageKinds
    deviceParameters = Model.deviceParameters
    serverParameters = Model.serverParameters
    rules = Model.rules
    stateName = { Model.stateName($0, of: $1) }
    states = { Model.states(of: $0) }
    isPublishable = { Model.isPublishable(topic: $0) }
    noticeBounds = { Model.noticeBounds(of: $0, in: $1) }
    self.standardScenarios = standardScenarios
    self.makeBench = makeBench
  }
}
