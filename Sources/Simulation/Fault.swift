public import Custody
public import Timeline

/// The two ends of a connection.
@frozen
public enum Side: UInt8, Hashable, Sendable, BitwiseCopyable, CaseIterable {
  case client = 0
  case server = 1
  @inlinable public var peer: Side { self == .client ? .server : .client }
}

/// When a fault strikes. Anchored so that removing another fault moves it as little as possible.
@frozen
public enum Anchor: Hashable, Sendable, BitwiseCopyable {
  /// At an instant of the run.
  case at(Instant)
  /// When `sender` is about to write its `ordinal`th message (from 1) of `kind` on any connection
  /// of the fault's device; `kind` 0 counts messages of every kind.
  case message(sender: Side, kind: UInt8, ordinal: UInt16)
  /// When the machine of `side` enters the abstract state for the `ordinal`th time (from 1).
  case state(side: Side, state: UInt16, ordinal: UInt16)
}

/// Which way a path loses segments.
@frozen
public enum LossDirection: UInt8, Hashable, Sendable, BitwiseCopyable, CaseIterable {
  case toServer, toClient, both
}

/// What goes wrong. Closed on purpose: a new kind makes the compiler name every `switch`.
///
/// None of them does what TCP can't do: no hole in a stream, no reordering within one.
@frozen
public enum FaultKind: Hashable, Sendable, BitwiseCopyable {
  // Timing.
  /// The path takes this much longer, once: the anchored message and, TCP being in order, whatever
  /// follows it. Anchored at a time or a state, the next message of the device's connections.
  case delay(by: Nanoseconds)
  /// The node stops processing (SIGSTOP, device sleep); its kernel still acknowledges. Timers that
  /// come due fire late, in order, when it goes on.
  case pause(Side, for: Nanoseconds)
  /// Each input is processed this much later, for a time (a loaded server).
  case slow(Side, by: Nanoseconds, for: Nanoseconds)
  /// The node's wall clock jumps; monotonic time goes on.
  case clockJump(Side, forward: Bool, by: Nanoseconds)
  // Drops.
  /// The device's path loses every segment in these directions for a time; TCP retransmits.
  case lose(LossDirection, for: Nanoseconds)
  /// The connection breaks inside the anchored message: its end never arrives, both ends get a
  /// reset. Anchored elsewhere: inside the next message.
  case cut
  /// The path forgets the connection, silently and for ever (firewall, NAT without RST).
  case halfOpen
  /// A reset reaches these ends.
  case reset(client: Bool, server: Bool)
  /// A middlebox forgets the device's mapping: the next segment from the device is answered with a
  /// reset (`true`) or dropped, segments towards the device are dropped.
  case forgetMapping(reset: Bool)
  /// The device gets a new address: its connections are gone for it, half-open for the server.
  case changeNetwork
  /// Connection attempts of the device are refused for a time.
  case refuse(for: Nanoseconds)
  /// The server stops (its kernel resets or, when the host goes, says nothing) and starts again;
  /// `wipe` loses its durable state, which excuses what was stored there.
  case restartServer(downFor: Nanoseconds, host: Bool, wipe: Bool)
  /// The device's program ends, with its host or without, and is started again after a while.
  /// Anchored at a message of the device: just before that message leaves.
  case killClient(downFor: Nanoseconds, host: Bool)
  /// The app submits its last submission again, as a new one (duplicate submit).
  case resubmit
  // Credentials.
  /// The device's present credential is not valid any more from now on.
  case expireCredential
  /// Answers of the token service take this much longer for a time.
  case slowRefresh(by: Nanoseconds, for: Nanoseconds)
  /// The token service refuses for a time.
  case refuseRefresh(for: Nanoseconds)
  /// The token service answers with an already expired credential for a time.
  case staleRefresh(for: Nanoseconds)
  /// Answers of the token service get lost for a time.
  case loseRefresh(for: Nanoseconds)
  /// The token service throttles for a time: it says so, with a retry-after of what is left.
  case throttleRefresh(for: Nanoseconds)
}

/// One typed change of a run.
@frozen
public struct Fault: Hashable, Sendable, BitwiseCopyable {
  /// The device whose path, program or credential is concerned; `.server` for all devices.
  public var node: NodeID
  public var anchor: Anchor
  public var kind: FaultKind

  @inlinable public init(_ kind: FaultKind, node: NodeID, _ anchor: Anchor) {
    self.node = node
    self.anchor = anchor
    self.kind = kind
  }
}

extension FaultKind {
  /// The three families of the design.
  public enum Family: String, Sendable, CaseIterable { case timing, drops, credentials }

  /// Dense number of the kind, for tables: the position in `allNames`.
  @inlinable public var number: Int {
    switch self {
    case .delay: 0
    case .pause: 1
    case .slow: 2
    case .clockJump: 3
    case .lose: 4
    case .cut: 5
    case .halfOpen: 6
    case .reset: 7
    case .forgetMapping: 8
    case .changeNetwork: 9
    case .refuse: 10
    case .restartServer: 11
    case .killClient: 12
    case .resubmit: 13
    case .expireCredential: 14
    case .slowRefresh: 15
    case .refuseRefresh: 16
    case .staleRefresh: 17
    case .loseRefresh: 18
    case .throttleRefresh: 19
    }
  }

  /// The words of scenario files and reports, by `number`.
  public static let allNames = [
    "delay", "pause", "slow", "clock-jump", "lose", "cut", "half-open", "reset", "forget-mapping",
    "change-network", "refuse", "restart-server", "kill-client", "resubmit", "expire-credential",
    "slow-refresh", "refuse-refresh", "stale-refresh", "lose-refresh", "throttle-refresh",
  ]

  public var name: String { Self.allNames[number] }

  public var family: Family {
    number < 4 ? .timing : number < 14 ? .drops : .credentials
  }
}
