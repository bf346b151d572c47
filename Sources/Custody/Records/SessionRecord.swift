public import Timeline

/// Number of a session in its capture, from 1, in the order in which the sessions were recognised.
@frozen
public struct SessionID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var number: UInt32
  @inlinable public init(_ number: UInt32) { self.number = number }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.number < b.number }
}

/// Where in a capture something was seen.
@frozen
public struct RecordedMoment: Hashable, Sendable, BitwiseCopyable {
  /// Nanoseconds since the Unix epoch, as recorded.
  public var time: Instant
  /// One-based number of the packet, as Wireshark counts; 0 for what no packet shows, such as an
  /// expiry.
  public var frame: UInt32

  @inlinable public init(time: Instant, frame: UInt32) {
    self.time = time
    self.frame = frame
  }
}

/// One push connection as a capture shows it.
public struct SessionRecord: Hashable, Sendable {
  public var id: SessionID
  /// Number of its TCP connection in the capture, from 0, as Wireshark's `tcp.stream`.
  public var connection: UInt32
  /// Name in the catalog, such as `mqtt`.
  public var protocolName: String
  /// `3.1.1`, or `unknown`.
  public var version: String
  /// The identity that outlives the connection (MQTT client identifier). Where the capture does not
  /// show one it is a description of the client's address, and `isIdentified` is false.
  public var subscriber: String
  public var isIdentified: Bool
  /// `10.0.0.1:50000`.
  public var client: String
  public var server: String
  public var began: RecordedMoment
  public var ended: RecordedMoment
  /// The server said that it had kept state for this subscriber; `nil` when it did not say.
  public var resumed: Bool?
  /// The subscriber asked the server to forget what it had kept.
  public var startedClean: Bool
  /// How often the client must be heard; zero: never.
  public var keepAlive: Nanoseconds

  /// Deliveries written to the subscriber on this session that want an acknowledgement, repetitions
  /// on a new connection included.
  public var sent: UInt32 = 0
  /// Those of them that this session acknowledged before its peer closed.
  public var acknowledged: UInt32 = 0
  /// `sent` less `acknowledged`.
  public var unacknowledged: UInt32 { sent > acknowledged ? sent - acknowledged : 0 }
  /// Those of `sent` that had been sent before.
  public var redelivered: UInt32 = 0
  /// Messages to the subscriber that want no acknowledgement (MQTT QoS 0): nothing is owed.
  public var sentAtMostOnce: UInt32 = 0
  /// Messages that the client published with a wish for acknowledgement.
  public var submitted: UInt32 = 0
  /// Those that the server accepted.
  public var accepted: UInt32 = 0
  /// Those that the server refused.
  public var rejected: UInt32 = 0
  public var submittedAtMostOnce: UInt32 = 0
  /// The client subscribed to something here, or was sent deliveries.
  public var receives = false

  public var end = SessionEnd.open
  /// What else is known of the end, such as a reason code; may be empty.
  public var endNote = ""
  /// Why not all of the session is known; empty when all is.
  public var evidenceMissing = ""
  /// `nil` when it was not in TLS.
  public var tls: TLSLayerRecord? {
    get { around.first?.tls }
    set { surround(newValue, webSocket) }
  }
  /// `nil` when it was not in WebSocket.
  public var webSocket: WebSocketLayerRecord? {
    get { around.first?.webSocket }
    set { surround(tls, newValue) }
  }
  /// One of them when there is anything around it, else none: most sessions of a long capture have
  /// nothing, and an optional one would be as large as all the rest.
  private var around: [SessionLayers] = []
  /// How many messages of each kind, in the order of the protocol's numbers, without zeros.
  public var messages: [MessageCount] = []
  /// What else the protocol says of the session, such as a token or a status, for people.
  public var details: [SessionDetail] = []

  public init(
    id: SessionID, connection: UInt32, protocolName: String, subscriber: String,
    isIdentified: Bool, client: String, server: String, began: RecordedMoment
  ) {
    self.id = id
    self.connection = connection
    self.protocolName = protocolName
    self.version = "unknown"
    self.subscriber = subscriber
    self.isIdentified = isIdentified
    self.client = client
    self.server = server
    self.began = began
    self.ended = began
    self.startedClean = false
    self.keepAlive = .zero
  }
}

extension SessionRecord {
  private mutating func surround(_ tls: TLSLayerRecord?, _ webSocket: WebSocketLayerRecord?) {
    let isBare = tls == nil && webSocket == nil
    around = isBare ? [] : [SessionLayers(tls: tls, webSocket: webSocket)]
  }
}

/// What is around a session's protocol.
private struct SessionLayers: Hashable, Sendable {
  var tls: TLSLayerRecord?
  var webSocket: WebSocketLayerRecord?
}

/// One thing that is known of a session in its protocol's own words.
public struct SessionDetail: Hashable, Sendable {
  /// `presented token`.
  public var name: String
  public var text: String

  public init(_ name: String, _ text: String) {
    self.name = name
    self.text = text
  }
}

/// How often a session has a kind of message.
public struct MessageCount: Hashable, Sendable {
  /// As the protocol calls it, such as `PUBLISH`.
  public var name: String
  public var toServer: UInt32
  public var toClient: UInt32

  public init(_ name: String, toServer: UInt32, toClient: UInt32) {
    self.name = name
    self.toServer = toServer
    self.toClient = toClient
  }
}

/// How a session ended, by the first thing that ended it.
public enum SessionEnd: String, Sendable, BitwiseCopyable {
  /// Still open when the capture stopped.
  case open
  /// The client said goodbye by the protocol.
  case disconnected
  /// The server said goodbye by the protocol.
  case dismissed
  /// The client closed the connection without a goodbye.
  case clientClosed = "client closed"
  case clientReset = "client reset"
  case serverClosed = "server closed"
  case serverReset = "server reset"
  /// A new connection with the same identity took its place.
  case takenOver = "taken over"
  /// The server refused it.
  case refused
  /// Nothing more was told of it: the ports were used again, or memory had to be bounded.
  case unknown
}
