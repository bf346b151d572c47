public import Timeline

/// The parts of a simulated world, and the subjects of a ledger: 0 is the server, 1… the devices in
/// the order of the scenario.
@frozen
public struct NodeID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var index: UInt16
  @inlinable public init(_ index: UInt16) { self.index = index }
  @inlinable public init(device: Int) { self.index = UInt16(truncatingIfNeeded: device &+ 1) }

  @inlinable public static var server: NodeID { NodeID(0) }
  @inlinable public var isServer: Bool { index == 0 }
  /// Position among the devices, from 0. Only for devices.
  @inlinable public var device: Int { Int(index) &- 1 }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.index < b.index }
}

/// What has happened to one delivery so far. Facts only accumulate.
@frozen
public struct DeliveryFacts: OptionSet, Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt32
  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The server took responsibility towards the publisher (MQTT: PUBACK, or PUBREC < 0x80).
  @inlinable public static var accepted: Self { .init(rawValue: 1 << 0) }
  /// The subscriber had a right to it when it was accepted, by the protocol's rules.
  @inlinable public static var owed: Self { .init(rawValue: 1 << 1) }
  /// The holder wrote it to a connection at least once.
  @inlinable public static var sent: Self { .init(rawValue: 1 << 2) }
  /// The receiver's TCP had all of its bytes at least once.
  @inlinable public static var transportAcknowledged: Self { .init(rawValue: 1 << 3) }
  /// The receiver's machine got the message.
  @inlinable public static var received: Self { .init(rawValue: 1 << 4) }
  /// The receiver gave it to the app (or stored it durably).
  @inlinable public static var handedOver: Self { .init(rawValue: 1 << 5) }
  /// The receiver wrote the protocol's acknowledgement to a connection that its peer had not
  /// closed.
  @inlinable public static var acknowledged: Self { .init(rawValue: 1 << 6) }
  /// The acknowledgement reached the sender.
  @inlinable public static var settled: Self { .init(rawValue: 1 << 7) }
  /// The sender counts it as delivered, whatever the wire says.
  @inlinable public static var countedDone: Self { .init(rawValue: 1 << 8) }
  /// Its time ran out by the protocol's rules (message expiry, session expiry).
  @inlinable public static var expired: Self { .init(rawValue: 1 << 9) }
  /// A newer one took its place where the protocol says so.
  @inlinable public static var superseded: Self { .init(rawValue: 1 << 10) }
  /// Refused with a reason that the protocol allows.
  @inlinable public static var rejected: Self { .init(rawValue: 1 << 11) }
  /// Given up for a reason that the protocol or the scenario allows: the subscriber dropped its
  /// session state, the scenario wiped the server's storage, the sender's app forgot by design.
  @inlinable public static var released: Self { .init(rawValue: 1 << 12) }
  /// At the end: the sender still holds it and may send it (again).
  @inlinable public static var held: Self { .init(rawValue: 1 << 13) }
  /// A session or process end between two hand-overs makes a second one legal.
  @inlinable public static var repeatAllowed: Self { .init(rawValue: 1 << 14) }

  /// The delivery is only a sign that something is there; what counts is that the app gets that
  /// and is done with it (a synchronised change, a command). It is still owed when the sign itself
  /// expired or was superseded.
  @inlinable public static var promisesApplication: Self { .init(rawValue: 1 << 15) }
  /// The app is done with what the delivery was about.
  @inlinable public static var applied: Self { .init(rawValue: 1 << 16) }

  /// Anything that ends the obligation without an acknowledgement.
  @inlinable public static var excused: Self { [.expired, .superseded, .rejected, .released] }
}

/// One delivery: a publication on its way to one receiver.
///
/// `receiver` is a device for the way down, `NodeID.server` for the way up (a publication that an
/// app submitted and the server has yet to accept).
@frozen
public struct DeliveryRow: Hashable, Sendable, BitwiseCopyable {
  public var publication: UInt16
  public var sender: NodeID
  public var receiver: NodeID
  public var facts: DeliveryFacts
  /// 0 at most once, 1 at least once, 2 exactly once.
  public var quality: UInt8
  /// How often it was written to a connection; stays at 255.
  public var sends: UInt8
  /// How often the receiver's app got it; stays at 255.
  public var handOvers: UInt8
  /// `DeliveryStep` of the last thing that happened.
  public var lastStep: DeliveryStep
  public var acceptedAt: Instant
  public var lastAt: Instant

  @inlinable public init(
    publication: UInt16, sender: NodeID, receiver: NodeID, quality: UInt8, at: Instant
  ) {
    self.publication = publication
    self.sender = sender
    self.receiver = receiver
    self.facts = []
    self.quality = quality
    self.sends = 0
    self.handOvers = 0
    self.lastStep = .submitted
    self.acceptedAt = at
    self.lastAt = at
  }
}

/// The steps of a custody chain, simulated or captured.
@frozen
public enum DeliveryStep: UInt8, Hashable, Sendable, BitwiseCopyable, CaseIterable {
  case submitted, accepted, rejected, queued, sent, transportAcknowledged, received, handedOver
  case acknowledged, settled, countedDone, expired, superseded, released, applied
}

/// What is known at the end about one device and its place at the server.
@frozen
public struct DeviceRow: Hashable, Sendable, BitwiseCopyable {
  public var node: NodeID
  /// The app (or the calm) wants it to be connected.
  public var wantsConnection = false
  public var clientBelieves = false
  public var serverBelieves = false
  /// The longest time that one end believed in a connection and the other didn't, beyond what the
  /// protocol's own bound for the deceived end allows; zero when never.
  public var zombieFor = Nanoseconds.zero
  /// The end that was deceived in `zombieFor`: it believed.
  public var deceived = Deceived.nobody
  @frozen public enum Deceived: UInt8, Sendable, BitwiseCopyable { case nobody, client, server }
  /// How often a credential of it expired.
  public var expiries: UInt16 = 0
  /// Connected, with a valid credential, at some time after the last expiry.
  public var backAfterExpiry = true
  public var connects: UInt32 = 0
  public var refreshes: UInt32 = 0
  /// Budgets exceeded (see `StormBudget`); `none` when never.
  public var storm = Storm.none
  @frozen public enum Storm: UInt8, Sendable, BitwiseCopyable {
    case none, connects, refreshes, messages
  }
  /// It wanted a connection in all of the calm, and did not have one for at least half of it
  /// before the end; zero else.
  public var offlineFor = Nanoseconds.zero
  /// At the end both ends were content with their connection, and still the server would not send
  /// the device all that it wants: a filter, a registration or a token that only one end knows.
  public var deaf = false
  /// First forbidden message of each end: an index into the protocol's table of rules, 0 = none.
  public var clientViolation: UInt16 = 0
  public var serverViolation: UInt16 = 0
  /// Machines' abstract states at the end (client high, server low 16 bits).
  public var jointState: UInt32 = 0

  @inlinable public init(node: NodeID) { self.node = node }
}

/// All deliveries and devices of a run: the one thing that oracles judge.
public struct Ledger: Sendable {
  public var deliveries: [DeliveryRow]
  public var devices: [DeviceRow]
  /// The calm went to its end, so liveness can be judged.
  public var calmReached: Bool
  /// Why nothing can be said; `nil` when all can.
  public var inconclusive: Inconclusive?

  public enum Inconclusive: String, Sendable, BitwiseCopyable {
    case eventLimit = "the run reached its event limit"
    case captureGap = "bytes are missing in the capture"
    case encrypted = "encrypted"
    case midStream = "the capture began mid-stream"
  }

  public init() {
    deliveries = []
    devices = []
    calmReached = false
  }

  /// Forgets everything, keeps the memory.
  @inlinable public mutating func clear() {
    deliveries.removeAll(keepingCapacity: true)
    devices.removeAll(keepingCapacity: true)
    calmReached = false
    inconclusive = nil
  }

  /// The row's index; a scenario has few deliveries, so a scan from the newest beats a table.
  @inlinable public func index(of publication: UInt16, to receiver: NodeID) -> Int? {
    var index = deliveries.count
    while index > 0 {
      index &-= 1
      if deliveries[index].publication == publication, deliveries[index].receiver == receiver {
        return index
      }
    }
    return nil
  }
}
