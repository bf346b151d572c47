public import Wire

/// One field of a header block, pseudo-fields such as `:path` among them.
public struct HTTP2Field: Hashable, Sendable {
  /// In lower case (RFC 9113 §8.2).
  public var name: String
  public var value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// What a header block says.
public enum HTTP2Fields: Hashable, Sendable {
  case known([HTTP2Field])
  /// It was there, and can't be read; why, in words. HPACK keeps state from block to block, so all
  /// blocks behind one that is missing stay unknown too: nothing is guessed.
  case unknown(String)
}

/// What a frame says, or a header block in several frames.
public enum HTTP2Event: Sendable {
  /// The client's preface (RFC 9113 §3.4).
  case preface
  /// - Parameters:
  ///   - content: without padding.
  ///   - missing: bytes of the frame that are not in `content`: a hole, or more than is kept.
  case data(stream: UInt32, content: [UInt8], missing: Int, endsStream: Bool)
  case headers(stream: UInt32, HTTP2Fields, endsStream: Bool)
  case priority(stream: UInt32)
  case reset(stream: UInt32, HTTP2ErrorCode)
  case settings([HTTP2Setting])
  case settingsAcknowledged
  case pushPromise(stream: UInt32, promised: UInt32, HTTP2Fields)
  case ping(UInt64)
  case pingAcknowledged(UInt64)
  /// - Parameter debug: the first bytes of what stands behind the code.
  case goAway(lastStream: UInt32, HTTP2ErrorCode, debug: [UInt8])
  /// For stream 0 the window of the connection.
  case windowUpdate(stream: UInt32, increment: UInt32)
  /// A type that RFC 9113 does not know.
  case unknown(type: UInt8, stream: UInt32)
  /// Not all of the frame is there, or it breaks the rules of its type.
  case damaged(type: UInt8, stream: UInt32)
}

/// Where a frame, or a header block, stands in its direction.
public struct HTTP2Place: Hashable, Sendable {
  public var direction: Direction
  /// Stream offsets of TCP.
  public var bytes: Range<UInt64>
  /// Of the packet with its last byte.
  public var moment: Moment

  public init(_ direction: Direction, bytes: Range<UInt64>, _ moment: Moment) {
    self.direction = direction
    self.bytes = bytes
    self.moment = moment
  }
}

/// A rule of HTTP/2 that one end broke.
public struct HTTP2Violation: Hashable, Sendable {
  /// `RFC 9113 §6.5`.
  public var rule: String
  public var text: String
  public var sender: Direction
  public var moment: Moment
}

/// Is told what the frames of a connection say, in the order of the capture.
public protocol HTTP2Listener: AnyObject {
  /// Every frame, but those of a header block: the first and CONTINUATION.
  func receive(_ frame: HTTP2Frame, _ direction: Direction)
  func receive(_ event: HTTP2Event, _ place: HTTP2Place)
  /// Each rule once in each direction.
  func receive(_ violation: HTTP2Violation)
  /// Frames can't be told apart any more, until some are found again.
  func lostTrack(_ direction: Direction, _ why: String, at moment: Moment)
}

extension HTTP2Listener {
  public func receive(_ frame: HTTP2Frame, _ direction: Direction) {}
}
