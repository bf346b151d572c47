/// A connection with something around its protocol: what is known of that.
public struct ConnectionRecord: Hashable, Sendable {
  /// Number of its TCP connection in the capture, from 0, as Wireshark's `tcp.stream`.
  public var connection: UInt32
  /// `10.0.0.1:50000`.
  public var client: String
  public var server: String
  /// `nil` when it has none.
  public var tls: TLSLayerRecord?
  public var webSocket: WebSocketLayerRecord?
  /// What it speaks, and by what that was recognised (`ALPN mqtt`), where its content can't be read
  /// and its client said so in the clear; empty otherwise.
  public var speaks = ""
  public var recognisedBy = ""
  /// Why not all of it could be read, as one word such as `noSecrets`; empty when all could.
  public var obstacle = ""
  /// The same in words.
  public var problem = ""
  /// What a person can do about that, in one sentence.
  public var hint = ""

  public init(connection: UInt32, client: String, server: String) {
    self.connection = connection
    self.client = client
    self.server = server
  }
}

/// The TLS around a connection.
public struct TLSLayerRecord: Hashable, Sendable {
  /// One direction.
  public struct Flow: Hashable, Sendable {
    /// All that was sent this way could be decrypted, or there was nothing to decrypt.
    public var isReadable = true
    public var records: UInt64 = 0
    /// Without secrets, those of the handshake are left out by their place.
    public var applicationRecords: UInt64 = 0
    /// In the clear, or about as many when they stay encrypted.
    public var applicationBytes: UInt64 = 0

    public init() {}
  }

  /// `TLS 1.3`; `nil` when the server's hello is not in the capture.
  public var version: String?
  /// `TLS_AES_128_GCM_SHA256`.
  public var suite: String?
  /// The name that the client asked for (SNI).
  public var serverName: String?
  /// ALPN, in the client's order, and the server's choice.
  public var offeredProtocols: [String] = []
  public var chosenProtocol: String?
  public var isResumed = false
  public var toServer = Flow()
  public var toClient = Flow()

  public init() {}

  public var isReadable: Bool { toServer.isReadable && toClient.isReadable }
}

/// The WebSocket around a connection.
public struct WebSocketLayerRecord: Hashable, Sendable {
  /// Frames of one direction, and the bytes of their messages.
  public struct Flow: Hashable, Sendable {
    public var text: UInt64 = 0
    public var binary: UInt64 = 0
    public var continuation: UInt64 = 0
    public var ping: UInt64 = 0
    public var pong: UInt64 = 0
    public var close: UInt64 = 0
    public var bytes: UInt64 = 0
    /// The status code of the close frame.
    public var closeCode: UInt16?

    public init() {}
  }

  /// Of the request; `nil` when that is not in the capture.
  public var path: String?
  /// Subprotocols, in the client's order, and the server's choice.
  public var offeredProtocols: [String] = []
  public var chosenProtocol: String?
  public var isCompressed = false
  public var toServer = Flow()
  public var toClient = Flow()

  public init() {}
}
