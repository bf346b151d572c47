public import Custody
public import Timeline
public import Wire

/// What an observer says to the first bytes of a connection.
public enum Recognition: Sendable, BitwiseCopyable {
  case mine, notMine
  /// More bytes would decide it.
  case undecided
}

/// The first bytes of a connection, as far as they have been seen.
public struct ConnectionOpening: Sendable {
  public let description: ConnectionDescription
  /// The SYN was seen, so both streams begin at their beginning.
  public var handshake = false
  public var toServer: [UInt8] = []
  public var toClient: [UInt8] = []
  /// Nothing more will be shown: whoever is undecided now has no reason to claim it.
  public var isComplete = false
  /// The bytes above are whole: no hole among them.
  public var hasGap = false
  /// The connection is inside TLS; the bytes above are what was inside, as far as it can be read.
  public var secrecy: Secrecy?
  /// What the client asked for in the clear when it began TLS: whom (SNI), and to speak what (ALPN;
  /// the server's choice where that is known).
  public var serverName: String?
  public var applicationProtocols: [String] = []
  /// What is sent this way can't be decrypted, by direction.
  public var isUnreadable = [false, false]

  public init(_ description: ConnectionDescription) { self.description = description }
}

/// Follows the connections of one protocol through a capture, and tells at the end what became of
/// the deliveries.
///
/// It gets the events of the connections that it claimed, in the order of the capture, and of no
/// others. Memory is bounded by what is open.
public protocol CaptureObserver: ConnectionSink {
  /// Judges by content; a port may break a tie, never decide.
  func recognise(_ opening: ConnectionOpening) -> Recognition

  /// The capture is over.
  /// - Parameter end: of the last packet.
  func finish(at end: Moment) -> CaptureObservation

  /// To be called before the first event of a capture that is still being made.
  /// - Parameter patience: how long a delivery may wait for its acknowledgement before that is
  ///   news.
  func watch(patience: Nanoseconds)

  /// What has become known since this was last asked, in the order of sessions and deliveries.
  /// - Parameter now: by the clock of the packets.
  func news(at now: Instant) -> [LiveEvent]

  /// Packets are missing, of whatever was open: what was not seen of that proves nothing.
  func missedPackets(_ why: String, at moment: Moment)
}

extension CaptureObserver {
  public func watch(patience: Nanoseconds) {}
  public func news(at now: Instant) -> [LiveEvent] { [] }
  public func missedPackets(_ why: String, at moment: Moment) {}
}

/// Gives out the numbers of a capture's records, one sequence for all protocols.
public final class RecordNumbers {
  private var sessions: UInt32 = 0
  private var deliveries: UInt32 = 0
  /// Every delivery is to be listed at the end; else they are counted, and memory does not depend
  /// on how many there are.
  public let keepsDeliveries: Bool
  /// What waits to be complete, with all protocols and what is around them.
  public let unfinished: UnfinishedBytes
  /// What the user calls the topics of APNs.
  public let topicNames: APNsTopicNames
  /// What the client of a connection in TLS asked for in the clear.
  public let names: (ConnectionID, ConnectionDescription) -> CaptureObservers.TLSNames?

  public init(
    keepsDeliveries: Bool = true, unfinished: UnfinishedBytes = UnfinishedBytes(),
    topicNames: APNsTopicNames = APNsTopicNames(),
    names: @escaping (ConnectionID, ConnectionDescription) -> CaptureObservers.TLSNames? = {
      _, _ in nil
    }
  ) {
    self.keepsDeliveries = keepsDeliveries
    self.unfinished = unfinished
    self.topicNames = topicNames
    self.names = names
  }

  public func nextSession() -> SessionID {
    sessions += 1
    return SessionID(sessions)
  }

  public func nextDelivery() -> DeliveryID {
    deliveries += 1
    return DeliveryID(deliveries)
  }
}

/// What a protocol brings for `inspect`. One entry a protocol.
public struct ObservedProtocol: Sendable {
  public var name: String
  public var makeObserver: @Sendable (RecordNumbers) -> any CaptureObserver

  public init(
    name: String, makeObserver: @escaping @Sendable (RecordNumbers) -> any CaptureObserver
  ) {
    self.name = name
    self.makeObserver = makeObserver
  }
}

/// The protocols that `inspect` knows.
public enum ObservationCatalog {
  /// In this order they are asked whether a connection is theirs.
  public static let all: [ObservedProtocol] = [
    ObservedProtocol(name: "mqtt") { MQTTCaptureObserver(numbers: $0) },
    ObservedProtocol(name: "apns") { APNsCaptureObserver(numbers: $0) },
    ObservedProtocol(name: APNsProviderObserver.name) { APNsProviderObserver(numbers: $0) },
  ]
}
