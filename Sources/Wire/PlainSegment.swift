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

/// A segment of a connection, and where its bytes lie. Small, a line of memory: there are millions.
@frozen @safe
public struct SegmentOfRun: BitwiseCopyable {
  public var moment: Moment
  public var connection: ConnectionID
  public var segment: PlainSegment
  public var count: UInt32
  /// `nil`: they are in `preparation`.
  @usableFromInline var start: UnsafeRawPointer?
  /// What the sink's preparation made of its bytes, 0 when it has none; or the bytes.
  @usableFromInline var preparation: UInt64

  /// - Parameter bytes: must be there for as long as the segment is.
  @inlinable public init(
    _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
    preparation: UInt64 = 0, at moment: Moment
  ) {
    self.moment = moment
    self.connection = connection
    self.segment = segment
    self.count = UInt32(truncatingIfNeeded: bytes.count)
    unsafe self.start = bytes.baseAddress
    self.preparation = preparation
  }

  /// How many bytes a segment can have in itself.
  public static let shortest = 8

  /// A segment that has its bytes in itself, as many acknowledgements can: to look for them
  /// elsewhere would take longer than all else.
  ///
  /// - Parameter bytes: at most `shortest`.
  @inlinable public init(
    _ segment: PlainSegment, of connection: ConnectionID, short bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) {
    unsafe self.init(
      segment, of: connection, bytes: UnsafeRawBufferPointer(start: nil, count: 0), at: moment)
    count = UInt32(truncatingIfNeeded: bytes.count)
    unsafe withUnsafeMutableBytes(of: &preparation) { unsafe $0.copyMemory(from: bytes) }
  }

  /// Its bytes lie elsewhere now.
  @inlinable public mutating func move(to start: UnsafeRawPointer) { unsafe self.start = start }

  /// Where its bytes lie outside of it, if they do.
  @inlinable public var place: UnsafeRawPointer? {
    @inline(__always) get { unsafe start }
  }
}

extension UnsafePointer<SegmentOfRun> {
  /// The payload, for as long as the segment is there.
  @inlinable public var bytes: UnsafeRawBufferPointer {
    @inline(__always) get {
      if let start = unsafe pointee.start {
        return unsafe UnsafeRawBufferPointer(start: start, count: Int(pointee.count))
      }
      let own =
        unsafe UnsafeRawPointer(self) + MemoryLayout<SegmentOfRun>.offset(of: \.preparation)!
      return unsafe UnsafeRawBufferPointer(start: own, count: Int(pointee.count))
    }
  }

  /// What the sink's preparation made of the bytes; 0 when it has none.
  @inlinable public var preparation: UInt64 {
    @inline(__always) get { unsafe pointee.start == nil ? 0 : pointee.preparation }
  }
}

/// Bytes that stay where and as they are for as long as somebody holds this.
public protocol LastingBytes: AnyObject {
  var bytes: UnsafeRawBufferPointer { get }
}

/// Work on the bytes of a segment that needs nothing but them, so that another thread than the
/// sink's can do it. 0 stands for nothing.
public typealias SegmentPreparation = @Sendable (UnsafeRawBufferPointer, Direction) -> UInt64

/// Segments that came one after the other, of any connections, with nothing but them in between.
/// Valid during the call only.
@frozen @safe
public struct SegmentRun {
  @usableFromInline let segments: UnsafePointer<SegmentOfRun>
  public let count: Int

  @inlinable public init(_ segments: UnsafePointer<SegmentOfRun>, count: Int) {
    unsafe self.segments = segments
    self.count = count
  }

  @inlinable public subscript(index: Int) -> SegmentOfRun {
    @inline(__always) unsafeAddress { unsafe segments + index }
  }

  /// Where a segment lies.
  @inlinable @inline(__always)
  public func at(_ index: Int) -> UnsafePointer<SegmentOfRun> { unsafe segments + index }

  /// How many, from the first one on, are of connections of which something holds.
  @inlinable public func prefix(while holds: (ConnectionID) -> Bool) -> SegmentRun {
    var end = 0
    while unsafe end < count && holds(segments[end].connection) { end += 1 }
    return unsafe SegmentRun(segments, count: end)
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
