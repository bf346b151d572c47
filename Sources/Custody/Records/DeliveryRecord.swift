public import Timeline

/// How a delivery ended, as far as a capture shows.
public enum DeliveryState: String, Sendable, BitwiseCopyable, CaseIterable {
  /// The subscriber acknowledged it on a connection that the server had not closed.
  case acknowledged
  /// Whoever it was handed to took it over and says no more, by its protocol: APNs answers a
  /// provider with 200, and whether a device ever gets the push is not on that connection.
  case accepted
  /// The capture ended while the server still owed it.
  case pending
  /// Accepted, and nobody will ever send it (again), though nothing entitled the server to drop it.
  case lost
  /// Sent, never acknowledged, and the server went on as though it had been.
  case ghost
  /// Its own time ran out, or the session state that held it ended by the protocol's rules: expiry,
  /// a clean start that the subscriber asked for, a session that lives no longer than its
  /// connection.
  case expired
  /// Something else took its place where the protocol says so.
  case superseded
  /// Refused with a reason.
  case rejected
  /// The capture does not show enough; the reason says what is missing.
  case unknown
}

/// How often a message may arrive.
public enum DeliveryQuality: UInt8, Comparable, Sendable, BitwiseCopyable {
  case atMostOnce = 0
  case atLeastOnce = 1
  case exactlyOnce = 2

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// One link of a custody chain.
public struct CustodyEvent: Hashable, Sendable {
  public enum Step: String, Sendable, BitwiseCopyable, CaseIterable {
    /// The publisher wrote it to the server.
    case submitted
    /// The server took responsibility towards the publisher.
    case accepted
    /// The server refused it, or the subscriber did.
    case rejected
    /// The server wrote it to the subscriber.
    case sent
    /// The server wrote it again.
    case redelivered
    /// TCP on the subscriber's host has all of it. Nobody need have read it.
    case transportAcknowledged
    /// The first half of an acknowledgement in two halves (MQTT: PUBREC).
    case received
    /// The server answered that (MQTT: PUBREL).
    case completing
    case acknowledged
    /// An acknowledgement written after the server had closed the connection: it does not count.
    case lateAcknowledgement
    /// An acknowledgement that TCP never delivered before the connection died: it may not count.
    case unconfirmedAcknowledgement
    case expired
    case superseded
    /// Nobody holds it any more.
    case dropped
  }

  /// Who owes the next step after this one.
  public enum Holder: String, Sendable, BitwiseCopyable {
    case publisher, server, subscriber, nobody
  }

  public var step: Step
  public var moment: RecordedMoment
  /// The session whose packet shows it.
  public var session: SessionID?
  public var holder: Holder
  /// What a person wants to know besides, such as a reason code; may be empty.
  public var note: String

  public init(
    _ step: Step, _ moment: RecordedMoment, session: SessionID?, holder: Holder, note: String = ""
  ) {
    self.step = step
    self.moment = moment
    self.session = session
    self.holder = holder
    self.note = note
  }
}

/// Number of a delivery in its capture, from 1, in the order in which the deliveries became known.
@frozen
public struct DeliveryID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var number: UInt32
  @inlinable public init(_ number: UInt32) { self.number = number }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.number < b.number }
}

/// One message on its way to one subscriber, with its custody chain.
///
/// Messages that promise nothing (MQTT QoS 0) are no deliveries; sessions count them.
public struct DeliveryRecord: Hashable, Sendable {
  public var id: DeliveryID
  public var subscriber: String
  /// `nil` when the capture does not show who published it.
  public var publisher: String?
  public var topic: String
  public var quality: DeliveryQuality
  /// Bytes of payload; the payload itself is not kept.
  public var size: UInt64
  /// A short hash of the payload: equal for equal payloads, good for telling messages apart.
  public var digest: UInt32
  public var state: DeliveryState
  /// Why it is in this state, in words; empty for an ordinary acknowledgement.
  public var reason: String
  /// How often it was written to the subscriber.
  public var attempts: UInt32
  /// From acceptance (or the first sending, when that came first or is all there is) to the
  /// acknowledgement.
  public var lateness: Nanoseconds?
  /// In the order of the capture.
  public var events: [CustodyEvent]

  public init(
    id: DeliveryID, subscriber: String, publisher: String?, topic: String,
    quality: DeliveryQuality, size: UInt64, digest: UInt32
  ) {
    self.id = id
    self.subscriber = subscriber
    self.publisher = publisher
    self.topic = topic
    self.quality = quality
    self.size = size
    self.digest = digest
    self.state = .unknown
    self.reason = ""
    self.attempts = 0
    self.events = []
  }
}
