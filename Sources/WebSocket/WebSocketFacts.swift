public import Wire

/// What is known of the WebSocket of one connection (RFC 6455).
public struct WebSocketFacts: Sendable {
  /// The frames of one direction, by kind.
  public struct Flow: Hashable, Sendable {
    public var text: UInt64 = 0
    public var binary: UInt64 = 0
    public var continuation: UInt64 = 0
    public var ping: UInt64 = 0
    public var pong: UInt64 = 0
    public var close: UInt64 = 0
    /// Bytes of messages, inflated.
    public var bytes: UInt64 = 0
    /// The status code of the close frame (RFC 6455 §7.4), if it has one.
    public var closeCode: UInt16?

    public init() {}
  }

  /// A rule that somebody broke.
  public struct Violation: Hashable, Sendable {
    /// `RFC 6455 §5.1`.
    public var rule: String
    public var text: String
    public var sender: Direction
    public var moment: Moment
  }

  /// Of the request; `nil` when it is not in the capture.
  public var path: String?
  /// What the client offered and what the server chose.
  public var offeredProtocols: [String] = []
  public var chosenProtocol: String?
  /// Messages may be compressed (RFC 7692).
  public var isCompressed = false
  public var toServer = Flow()
  public var toClient = Flow()
  /// The first of them, in the order of the capture.
  public var violations: [Violation] = []
  public var violationCount = 0

  static let keptViolations = 16

  init() {}

  public subscript(direction: Direction) -> Flow {
    get { direction == .toServer ? toServer : toClient }
    set { if direction == .toServer { toServer = newValue } else { toClient = newValue } }
  }

  mutating func count(_ frame: WebSocketFrame, _ direction: Direction) {
    switch frame.kind {
    case .continuation: self[direction].continuation += 1
    case .text: self[direction].text += 1
    case .binary: self[direction].binary += 1
    case .close: self[direction].close += 1
    case .ping: self[direction].ping += 1
    case .pong: self[direction].pong += 1
    case nil: break
    }
  }

  mutating func note(_ violation: Violation) {
    violationCount += 1
    if violations.count < Self.keptViolations { violations.append(violation) }
  }
}
