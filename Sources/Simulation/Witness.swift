public import Custody
public import Timeline

/// What a witness is told. Seen from outside, never from a machine's own words.
@frozen
public enum Sighting<Message: WireMessage>: Sendable, BitwiseCopyable {
  /// An app or user acted. Also told for a submission that a sleeping or dead device can't take
  /// (`reached` false: it never happened).
  case action(Action, reached: Bool)
  /// A machine wrote a message. `peerHadClosed`: the peer's FIN or RST had already arrived here.
  case wrote(Message, by: Side, link: LinkID, peerHadClosed: Bool)
  /// The peer's TCP has it (told when it arrives, to the process or not).
  case transportAcknowledged(Message, by: Side, link: LinkID)
  /// The machine of `side` got it.
  case got(Message, by: Side, link: LinkID)
  case handedOver(publication: UInt16)
  case applied(publication: UInt16)
  case countedDone(publication: UInt16, receiver: NodeID, by: Side)
  case dropped(publication: UInt16, receiver: NodeID, DropReason, by: Side)
  /// `side` knows that the link is over (own close included).
  case linkOver(LinkID, side: Side)
  case opened(LinkID)
  case clientDied
  /// `behindSince`: whatever came due since then the program may not have looked at before it
  /// died; the present unless it was paused or slow.
  case serverDied(wiped: Bool, behindSince: Instant)
  case gaveUp(GiveUpReason)
}

/// Keeps the ledger of a run by the protocol's rules, from what crosses the wire and what apps see.
///
/// One per protocol, never part of a machine: built-in machines, specimens and a user's machine are
/// all judged by the same witness. It must know what is owed to whom, so it follows subscriptions
/// and session states on its own.
public protocol Witness: Sendable {
  associatedtype Message: WireMessage
  init()
  /// Reads devices, topics and parameters: once per set of devices, not once per run.
  mutating func configure(scenario: Scenario)
  mutating func reset()

  /// - Parameter device: the device concerned; `.server` for `serverDied` and for what the server
  ///   does on its own.
  mutating func see(
    _ sighting: Sighting<Message>, device: NodeID, at now: Instant, ledger: inout Ledger)

  /// When something will be owed though nobody acts (a delayed will); `.never`: nothing will.
  var nextObligation: Instant { get }

  /// The run is over: whatever depends on the time since (expiry…) is entered now.
  mutating func finish(at now: Instant, ledger: inout Ledger)
}

/// What a protocol promises about noticing that the other end is gone.
@frozen
public struct NoticeBounds: Hashable, Sendable, BitwiseCopyable {
  /// The longest that the client may believe in a connection that the server has ended.
  public var client: Nanoseconds
  /// The longest that the server may.
  public var server: Nanoseconds

  @inlinable public init(client: Nanoseconds, server: Nanoseconds) {
    self.client = client
    self.server = server
  }
}

/// What a protocol brings to a simulation besides its machines. An empty enum conforms.
public protocol PushModel<Message>: Sendable {
  associatedtype Message: WireMessage
  associatedtype Watcher: Witness where Watcher.Message == Message

  /// Name in the catalog and in scenario files.
  static var name: String { get }
  /// By `kind` of the message, 0 being "any": `["any", "connect", …]`.
  static var messageKinds: [String] { get }
  static var deviceParameters: [ParameterKind] { get }
  static var serverParameters: [ParameterKind] { get }
  /// Text of a rule that a machine blames its peer for, such as `MQTT-3.1.0-2 second CONNECT`.
  static var rules: [String] { get }

  static func noticeBounds(of device: Device, in scenario: Scenario) -> NoticeBounds
  /// How long the calm must last so that everything bounded has happened twice: keep-alive,
  /// back-off cap, refresh.
  static func calm(for scenario: Scenario) -> Nanoseconds
  /// For reports: `PUBLISH 3 id 7 (QoS 1, DUP)`.
  static func describe(_ message: Message, in scenario: Scenario) -> String
  /// For reports and anchors: the name of an abstract state, and its number again.
  static func stateName(_ state: UInt16, of side: Side) -> String
  /// The states that an anchor may name, for text and for mutators.
  static func states(of side: Side) -> [UInt16]
  /// Whether something may be published to it: a filter can only be subscribed to.
  static func isPublishable(topic: String) -> Bool
  /// The credential lifetime of a device, `.forever` without credentials.
  static func credentialLifetime(of device: Device) -> Nanoseconds
}

extension PushModel {
  /// For protocols whose subscriptions are topics themselves.
  public static func isPublishable(topic: String) -> Bool { true }
}

extension Witness {
  /// For protocols in which nothing is owed without somebody's doing.
  @inlinable public var nextObligation: Instant { .never }
}
