/// The head of a frame (RFC 9113 §4.1).
public struct HTTP2Frame: Hashable, Sendable, BitwiseCopyable {
  /// Bytes in front of the payload.
  public static let headLength = 9
  /// What a client sends before its first frame (RFC 9113 §3.4).
  public static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// Of the payload, padding included: 24 bits.
  public var length: Int
  public var type: UInt8
  public var flags: UInt8
  /// 31 bits; 0 is the connection.
  public var stream: UInt32

  public init(length: Int, type: UInt8, flags: UInt8, stream: UInt32) {
    self.length = length
    self.type = type
    self.flags = flags
    self.stream = stream
  }

  /// - Parameter head: `headLength` bytes. The reserved bit of the stream is ignored.
  init(head: ArraySlice<UInt8>) {
    let at = head.startIndex
    length = Int(head[at]) << 16 | Int(head[at + 1]) << 8 | Int(head[at + 2])
    type = head[at + 3]
    flags = head[at + 4]
    stream = head[(at + 5)...].prefix(4).reduce(0) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
  }

  /// `nil` for a type that RFC 9113 does not know.
  public var kind: Kind? { Kind(rawValue: type) }
  /// `HEADERS`, `type 42`.
  public var name: String { kind?.name ?? "type \(type)" }

  var hasEndStream: Bool { flags & 0x1 != 0 }
  /// Of SETTINGS and PING.
  var hasAcknowledgement: Bool { flags & 0x1 != 0 }
  var hasEndHeaders: Bool { flags & 0x4 != 0 }
  var hasPadding: Bool { flags & 0x8 != 0 }
  var hasPriority: Bool { flags & 0x20 != 0 }

  /// Types of frames (RFC 9113 §6).
  public enum Kind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case data, headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate
    case continuation

    /// As the RFC writes it.
    public var name: String {
      switch self {
      case .data: "DATA"
      case .headers: "HEADERS"
      case .priority: "PRIORITY"
      case .resetStream: "RST_STREAM"
      case .settings: "SETTINGS"
      case .pushPromise: "PUSH_PROMISE"
      case .ping: "PING"
      case .goAway: "GOAWAY"
      case .windowUpdate: "WINDOW_UPDATE"
      case .continuation: "CONTINUATION"
      }
    }
  }

  // MARK: In the middle of a stream

  /// Whether bytes are frames, one behind the other: writers begin a segment or a record with a
  /// frame. Random bytes pass this in one of many millions of cases.
  ///
  /// The last one may go on behind the bytes, if another one stands before it.
  static func isChain(_ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    var frames = 0
    while rest.count >= headLength {
      let frame = HTTP2Frame(head: rest.prefix(headLength))
      guard rest[rest.startIndex + 5] < 0x80, frame.isUsual else { return false }
      let whole = headLength + frame.length
      if rest.count < whole { return frames > 0 }
      frames += 1
      rest = rest.dropFirst(whole)
    }
    return frames > 0
  }

  /// A frame as every implementation sends them.
  private var isUsual: Bool {
    guard let kind, length <= 65_536 else { return false }
    switch kind {
    case .data: return stream > 0 && flags & ~0x9 == 0
    case .headers: return stream > 0 && flags & ~0x2D == 0
    case .priority: return stream > 0 && length == 5
    case .resetStream: return stream > 0 && length == 4 && flags == 0
    case .settings: return stream == 0 && length % 6 == 0 && flags <= 1 && length <= 120
    case .pushPromise: return stream > 0 && length >= 4 && flags & ~0xC == 0
    case .ping: return stream == 0 && length == 8 && flags <= 1
    case .goAway: return stream == 0 && length >= 8 && flags == 0 && length <= 4096
    case .windowUpdate: return length == 4 && flags == 0
    case .continuation: return stream > 0 && flags & ~0x4 == 0
    }
  }
}

/// Codes of RST_STREAM and GOAWAY (RFC 9113 §7).
public struct HTTP2ErrorCode: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let noError = Self(rawValue: 0)
  /// The stream was not processed: safe to try again.
  public static let refusedStream = Self(rawValue: 7)
  public static let cancel = Self(rawValue: 8)

  private static let names = [
    "NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
    "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR",
    "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
  ]

  /// `REFUSED_STREAM`, `code 99`.
  public var description: String {
    rawValue < Self.names.count ? Self.names[Int(rawValue)] : "code \(rawValue)"
  }
}

/// One parameter of SETTINGS (RFC 9113 §6.5.2).
public struct HTTP2Setting: Hashable, Sendable, BitwiseCopyable {
  public var id: UInt16
  public var value: UInt32

  public init(id: UInt16, value: UInt32) {
    self.id = id
    self.value = value
  }

  public static let headerTableSize: UInt16 = 1
  public static let maxConcurrentStreams: UInt16 = 3
  public static let initialWindowSize: UInt16 = 4
}
