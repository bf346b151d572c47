import Wire

/// One direction of a connection in HTTP/2: where its framing stands, and what is not complete.
final class HTTP2Flow {
  enum Framing: Equatable {
    /// The client's first 24 bytes.
    case preface
    case head
    case body(HTTP2Frame)
    /// Behind a hole, or before the first byte that was captured: frames have to be found.
    case searching
    /// Something that is no HTTP/2; nothing more is read.
    case broken
  }

  /// A header block that goes on in CONTINUATION.
  struct Block {
    var stream: UInt32
    var promised: UInt32?
    var endsStream: Bool
    var start: UInt64
    var bytes: [UInt8] = []
    var isWhole = true
  }

  var framing: Framing
  /// Of a preface or a head.
  var head: [UInt8] = []
  /// Of the payload, as far as it is kept.
  var body: [UInt8] = []
  /// Bytes of the payload that went by, kept or not.
  var passed = 0
  /// Of those, the ones that are in no capture, or were given up.
  var missing = 0
  var frameStart: UInt64 = 0
  var block: Block?
  var blocks = HeaderBlocks()
  /// SETTINGS were the first frame, or the beginning is not known.
  var hasBegun = false
  /// SETTINGS that the other end has not acknowledged yet, the oldest first.
  var unacknowledgedSettings: [[HTTP2Setting]] = []
  /// Rules that were broken and told.
  var brokenRules: Set<String> = []
  /// What `UnfinishedBytes` knows of.
  var counted = 0
  init(_ framing: Framing) { self.framing = framing }

  /// What waits to be complete.
  var unfinished: Int { head.count + body.count + (block?.bytes.count ?? 0) }

  func begin(_ frame: HTTP2Frame, at start: UInt64) {
    head = []
    body = []
    passed = 0
    missing = 0
    frameStart = start
    framing = .body(frame)
  }
}
