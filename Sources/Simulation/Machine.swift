public import BasicContainers
public import Custody
public import Timeline

/// One protocol message inside a simulation: plain bits, no payload. What it says about deliveries
/// it says with publication numbers.
public protocol WireMessage: Sendable, BitwiseCopyable {
  /// From 1; position in `PushModel.messageKinds`. Anchors name messages by it.
  var kind: UInt8 { get }
  /// The publication that it carries or answers, as the *simulation* knows it; 0 for none.
  var publication: UInt16 { get }
}

/// Which service of the server a connection is for.
@frozen
public struct Port: Hashable, Sendable, BitwiseCopyable {
  public var number: UInt8
  @inlinable public init(_ number: UInt8) { self.number = number }

  /// The connection that a protocol is about.
  @inlinable public static var push: Port { Port(0) }
  /// A long-lived connection, which a device has one of. The others are opened for a request and
  /// closed after its answer: nobody counts them as connects, and nobody believes in them.
  @inlinable public var isStanding: Bool { number < 8 }
}

/// A connection of a run, numbered from 0 in the order of opening.
@frozen
public struct LinkID: Hashable, Sendable, BitwiseCopyable {
  public var index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
}

/// The two times a machine may know. It never asks a clock.
@frozen
public struct Clock: Hashable, Sendable, BitwiseCopyable {
  /// Monotonic, the same for all nodes.
  public var now: Instant
  /// This node's wall clock, skewed by the scenario. Credentials carry wall-clock times.
  public var wall: Instant

  @inlinable public init(now: Instant, wall: Instant) {
    self.now = now
    self.wall = wall
  }
}

/// A timer of a machine: what it is for, and which of its subjects (a link, a peer…) it is about.
@frozen
public struct TimerID: Hashable, Sendable, BitwiseCopyable {
  /// 0…7, the machine's own meaning.
  public var kind: UInt8
  /// The machine's own meaning; keep it small, timers are kept in a table.
  public var subject: UInt16

  @inlinable public init(kind: UInt8, subject: UInt16 = 0) {
    self.kind = kind
    self.subject = subject
  }
}

/// Why a connection did not come about: the host said no, or nobody answered.
@frozen
public enum OpenFailure: UInt8, Hashable, Sendable, BitwiseCopyable { case refused, timedOut }

/// How an end learned that its connection is over.
@frozen
public enum CloseCause: UInt8, Hashable, Sendable, BitwiseCopyable {
  /// The peer's FIN; everything that it had sent has arrived.
  case finished
  case reset
  /// Own TCP gave up (user timeout or keep-alive probes).
  case timedOut
  /// The own network went away.
  case aborted
}

/// The answer of the token service.
@frozen
public enum CredentialAnswer: Hashable, Sendable, BitwiseCopyable {
  /// Valid until this wall-clock time of the token service.
  case issued(expires: Instant)
  case refused
  case throttled(retryAfter: Nanoseconds)
}

/// Everything that can happen to a machine.
@frozen
public enum Input<Message: WireMessage>: Sendable, BitwiseCopyable {
  /// The program starts, for the first time or after `crash()`.
  case launched
  /// The app or user does something. Only `connect`, `disconnect`, `subscribe`, `unsubscribe` and
  /// `submit` reach a machine; the simulation does the others.
  case action(Action)
  /// A connection is up. At the server: somebody's; who it is, the protocol has to say.
  case opened(LinkID, Port)
  case openFailed(OpenFailure, Port)
  case message(Message, LinkID)
  /// A connection ended, not by this machine's own `close`.
  case closed(LinkID, CloseCause)
  case timer(TimerID)
  case credential(CredentialAnswer)
  /// To the server only: credentials of this identity that expire at or before the wall-clock time
  /// are not valid any more.
  case revoked(identity: UInt16, upTo: Instant)
}

/// Everything that a machine can ask for.
@frozen
public enum Effect<Message: WireMessage>: Sendable, BitwiseCopyable {
  case open(Port)
  case send(Message, LinkID)
  /// Graceful: FIN after what was sent.
  case close(LinkID)
  /// Abortive: RST, unsent bytes are dropped.
  case reset(LinkID)
  /// Replaces an earlier deadline of the same timer.
  case setTimer(TimerID, Nanoseconds)
  /// Those of one subject, by the bits of their kinds.
  case cancelTimers(kinds: UInt8, subject: UInt16)
  /// Ask the token service for a new credential.
  case requestCredential
  /// Give a received publication to the app. `receiver` is the own node.
  case handOver(publication: UInt16)
  /// The app is done with what a publication was about: a change is fetched and stored together
  /// with the place it was fetched up to, a command is carried out.
  case apply(publication: UInt16)
  /// Count a delivery to `device` as done. Servers say so on the way down, clients (about
  /// `.server`) on the way up.
  case countDone(publication: UInt16, receiver: NodeID)
  /// Drop a delivery that was held, for a reason the machine believes to be legal.
  case drop(publication: UInt16, receiver: NodeID, DropReason)
  /// The app is told that this end will not try to connect any more.
  case giveUp(GiveUpReason)
  /// The peer broke a rule: an index into the protocol's table of rules.
  case blame(rule: UInt16, LinkID)
}

/// Why an end no longer owes a delivery that was not acknowledged.
@frozen
public enum DropReason: UInt8, Hashable, Sendable, BitwiseCopyable {
  case messageExpired, sessionExpired, sessionReplaced, rejected, queueFull, superseded, tooLarge
}

/// Why a client stops trying to connect.
@frozen
public enum GiveUpReason: UInt8, Hashable, Sendable, BitwiseCopyable {
  case refusedForGood, credentialRefused, tooManyAttempts, protocolError
}

/// The effects of one input, in order. Reused for the whole run, so that a step allocates nothing.
@frozen
public struct Effects<Message: WireMessage>: ~Copyable {
  // As long as its capacity; `count` of them count. Overwriting is cheaper than appending.
  @usableFromInline var list = UniqueArray<Effect<Message>>(repeating: .open(.push), count: 64)
  @usableFromInline var used = 0

  @inlinable public init() {}

  @inlinable public var count: Int { used }

  @inlinable @inline(__always) public mutating func append(_ effect: Effect<Message>) {
    if used == list.count { grow() }
    list[used] = effect
    used &+= 1
  }

  @inlinable @inline(never) mutating func grow() {
    for _ in 0..<list.count { list.append(.open(.push)) }
  }

  @inlinable @inline(__always) public mutating func send(_ message: Message, on link: LinkID) {
    append(.send(message, link))
  }
  @inlinable public mutating func setTimer(_ timer: TimerID, after delay: Nanoseconds) {
    append(.setTimer(timer, delay))
  }
  @inlinable public mutating func cancelTimer(_ timer: TimerID) {
    append(.cancelTimers(kinds: 1 << (timer.kind & 7), subject: timer.subject))
  }
  /// Two of one subject.
  @inlinable public mutating func cancelTimers(_ one: TimerID, _ other: TimerID) {
    cancelTimers(one, other, other)
  }
  /// Three of one subject.
  @inlinable public mutating func cancelTimers(_ one: TimerID, _ two: TimerID, _ three: TimerID) {
    precondition(
      one.subject == two.subject && one.subject == three.subject, "timers of different subjects")
    let kinds = 1 << (one.kind & 7) | 1 << (two.kind & 7) | 1 << (three.kind & 7) as UInt8
    append(.cancelTimers(kinds: kinds, subject: one.subject))
  }

  @inlinable public subscript(index: Int) -> Effect<Message> { list[index] }
  @inlinable public mutating func clear() { used = 0 }
}

/// A protocol state machine of one end: a value, sans I/O, silent about time and chance.
///
/// Three kinds of unexpected input, told apart in every machine:
/// 1. what the simulation never gives (our bug): `preconditionFailure`;
/// 2. what the peer must not do: `blame`, then what the protocol says (mostly `close`);
/// 3. what is legal and means nothing: ignored, with the reason written beside it.
public protocol Machine: Sendable {
  associatedtype Message: WireMessage

  /// The program ends: only what is declared durable stays. Its connections are already gone and
  /// its timers are cancelled by the simulation.
  mutating func crash()

  mutating func receive(
    _ input: Input<Message>, at clock: Clock, into effects: inout Effects<Message>)

  /// Belief: there is a working protocol connection on this link (handshake done, as far as this
  /// end knows).
  func believesConnected(on link: LinkID) -> Bool

  /// Small number for "where it is": phase and buckets, never raw counters. Novelty, anchors and
  /// signatures use it. For a server: as seen from the link.
  func abstractState(on link: LinkID?) -> UInt16

  /// Belief: this end still has to deliver the publication to `receiver`.
  func holds(publication: UInt16, for receiver: NodeID) -> Bool
}

/// The machine of a device.
public protocol ClientMachine: Machine {
  /// Reads its settings out of the scenario: once per set of devices, not once per run.
  mutating func configure(node: NodeID, device: Device, identity: UInt16, scenario: Scenario)
  /// Back to the state after `configure`, keeping the memory. Once per run, so it must be cheap.
  mutating func reset()
}

/// The machine of the server: one for all devices.
public protocol ServerMachine: Machine {
  /// All that a server knows of the world beforehand: its settings and the topic table. Devices
  /// introduce themselves.
  mutating func configure(scenario: Scenario)
  mutating func reset()
  /// The scenario wipes its storage: even what is durable is lost.
  mutating func wipe()
}
