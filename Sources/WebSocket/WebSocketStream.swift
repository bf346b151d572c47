import Wire

/// One direction of a WebSocket. A class for the same reason as `TLSStream`.
final class WebSocketStream {
  /// How the bytes are cut into frames.
  enum Framing: Equatable {
    /// A head comes next; its first bytes may be in `head`.
    case heads
    /// Inside of a frame.
    case payload(WebSocketFrame, read: UInt64)
    /// Bytes are missing: a segment that is all frames shows where to go on.
    case searching
    /// What comes is no frame any more.
    case broken
  }

  /// The message that has begun and is not complete.
  struct Message {
    /// Inflating needs all of it, joined here; `nil` when it is not compressed.
    var compressed: [UInt8]?
    /// A part of it is missing or too long, so it can't be inflated.
    var isDamaged = false
    /// What came of it was given up, and told.
    var isGivenUp = false
    /// Where it began in the stream outside.
    var start: UInt64
  }

  var framing = Framing.heads
  var head: [UInt8] = []
  var control: [UInt8] = []
  var message: Message?
  /// Frames were missing: which message goes on is not known.
  var lostTrack = false
  var hasClosed = false
  var inflation: MessageInflation?
  /// What `UnfinishedBytes` knows of.
  var counted = 0
  /// Behind the last byte that came, in the stream outside.
  var outerOffset: UInt64 = 0
  /// Behind the last byte of content.
  var contentOffset: UInt64 = 0
  var marks = EnvelopeMarks()
}

/// Where the events of one connection go.
struct ContentOutlet {
  let sink: any ConnectionSink
  let connection: ConnectionID
  let description: ConnectionDescription

  func send(_ event: ConnectionEvent, _ bytes: [UInt8] = [], at moment: Moment) {
    unsafe bytes.withUnsafeBytes {
      unsafe sink.receive(event, of: connection, description, bytes: $0, at: moment)
    }
  }
}
