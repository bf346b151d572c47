/// Something that has just become known of a capture that is still being made.
public struct LiveEvent: Hashable, Sendable {
  public enum Kind: String, Sendable, BitwiseCopyable, CaseIterable {
    case sessionOpened
    case sessionClosed
    /// A delivery waits for its acknowledgement longer than it should.
    case unacknowledged
    /// One that had waited so long was acknowledged after all.
    case acknowledgedLate
    case ghost, lost, zombie
    /// A connection that no protocol claims: in TLS and not decrypted, or a WebSocket.
    case connectionOpened
    case connectionClosed
    /// The client of such a connection spoke regularly, and has stopped.
    case clientSilent
    /// The kernel had no room for packets: what was not seen from here on proves nothing.
    case packetsDropped
  }

  public var kind: Kind
  /// What shows it; its frame is 0 when that is only the time that has passed.
  public var moment: RecordedMoment
  public var session: SessionID?
  /// The TCP connection, from 0, where there is no session.
  public var connection: UInt32?
  /// Empty when it concerns all.
  public var subscriber: String
  public var delivery: DeliveryID?
  /// What happened, in words.
  public var text: String

  public init(
    _ kind: Kind, _ moment: RecordedMoment, session: SessionID? = nil, connection: UInt32? = nil,
    subscriber: String = "", delivery: DeliveryID? = nil, text: String
  ) {
    self.kind = kind
    self.moment = moment
    self.session = session
    self.connection = connection
    self.subscriber = subscriber
    self.delivery = delivery
    self.text = text
  }
}
