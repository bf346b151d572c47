/// What nearly every packet of a connection is: a segment in its order, with bytes or without them,
/// that acknowledges what came the other way.
///
/// It says what two events say, in this order: `.acknowledged(direction.opposite, upTo:
/// acknowledged)` if it `acknowledges`, and `.bytes(direction, offset: offset)` if bytes come
/// beside it. At least one of the two holds.
@frozen
public struct PlainSegment: Sendable, BitwiseCopyable {
  /// The stream offset of its bytes.
  public var offset: UInt64
  /// What the sender's TCP has of the other direction; counts only if `acknowledges`.
  public var acknowledged: UInt64
  public var direction: Direction
  /// Something is acknowledged that was not before.
  public var acknowledges: Bool

  @inlinable public init(
    _ direction: Direction, offset: UInt64, acknowledges: Bool, acknowledged: UInt64
  ) {
    self.direction = direction
    self.offset = offset
    self.acknowledges = acknowledges
    self.acknowledged = acknowledged
  }
}

extension ConnectionSink {
  /// Tells a segment by its events.
  @inlinable public func receive(
    eventsOf segment: PlainSegment, of connection: ConnectionID,
    _ description: ConnectionDescription, bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if segment.acknowledges {
      unsafe receive(
        .acknowledged(segment.direction.opposite, upTo: segment.acknowledged), of: connection,
        description, bytes: UnsafeRawBufferPointer(start: nil, count: 0), at: moment)
    }
    if bytes.count > 0 {
      unsafe receive(
        .bytes(segment.direction, offset: segment.offset), of: connection, description,
        bytes: bytes, at: moment)
    }
  }
}
