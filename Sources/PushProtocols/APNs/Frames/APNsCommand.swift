/// What a frame of the courier protocol is for: its first byte. Every value is kept; those that
/// nobody has explained have no name.
public struct APNsCommand: RawRepresentable, Hashable, Comparable, Sendable, BitwiseCopyable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public init(_ rawValue: UInt8) { self.rawValue = rawValue }

  /// The device presents itself, or another of its users.
  public static let connect = APNsCommand(0x07)
  public static let connectResponse = APNsCommand(0x08)
  /// The topics that the device wants, for one token.
  public static let filter = APNsCommand(0x09)
  public static let notification = APNsCommand(0x0A)
  public static let ack = APNsCommand(0x0B)
  public static let keepAlive = APNsCommand(0x0C)
  public static let keepAliveResponse = APNsCommand(0x0D)
  /// The courier has nothing in store for a token.
  public static let noStorage = APNsCommand(0x0E)
  public static let flush = APNsCommand(0x0F)
  public static let flushResponse = APNsCommand(0x10)
  public static let appToken = APNsCommand(0x11)
  public static let appTokenResponse = APNsCommand(0x12)
  public static let setActiveInterval = APNsCommand(0x13)
  public static let setState = APNsCommand(0x14)
  public static let channels = APNsCommand(0x1D)

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  public var name: String {
    switch self {
    case .connect: "Connect"
    case .connectResponse: "ConnectResponse"
    case .filter: "Filter"
    case .notification: "Notification"
    case .ack: "Ack"
    case .keepAlive: "KeepAlive"
    case .keepAliveResponse: "KeepAliveResponse"
    case .noStorage: "NoStorage"
    case .flush: "Flush"
    case .flushResponse: "FlushResponse"
    case .appToken: "AppToken"
    case .appTokenResponse: "AppTokenResponse"
    case .setActiveInterval: "SetActiveInterval"
    case .setState: "SetState"
    case .channels: "Channels"
    case _: "0x" + APNsText.hexadecimal([rawValue])
    }
  }

  /// The commands that some client is known to write or read; frames begin with one of these
  /// wherever a reader has to find its place again.
  var isKnown: Bool { (0x07...0x22).contains(rawValue) }

  /// In serial framing, the bytes of an item whose width never varies; `nil` where it does, or
  /// nobody knows.
  func width(of tag: UInt8) -> Int? {
    switch (self, tag) {
    case (.connect, 1), (.connectResponse, 3), (.filter, 1), (.notification, 15), (.noStorage, 1),
      (.appToken, 1), (.channels, 3):
      APNsToken.length
    case (.filter, 2...6), (.appToken, 2): APNsTopic.length
    case (.connect, 2), (.connect, 6), (.connectResponse, 1), (.notification, 7),
      (.notification, 13), (.ack, 8), (.keepAlive, 9), (.keepAlive, 10), (.keepAliveResponse, 1),
      (.appTokenResponse, 1), (.setState, 1), (.channels, 4):
      1
    case (.connect, 16), (.connect, 17), (.connect, 19), (.connect, 20), (.connectResponse, 4),
      (.connectResponse, 5), (.connectResponse, 8), (.notification, 28), (.flush, 1),
      (.appToken, 3), (.appTokenResponse, 4):
      2
    case (.connect, 5), (.connect, 26), (.connectResponse, 6), (.notification, 4),
      (.notification, 5), (.ack, 4), (.keepAliveResponse, 2), (.setState, 2):
      4
    case (.connect, 22), (.connectResponse, 10), (.connectResponse, 12), (.filter, 12),
      (.notification, 6), (.ack, 6):
      8
    case (.connect, 13): 17
    case (.notification, 21): 16
    case _: nil
    }
  }
}

/// Bytes for people.
enum APNsText {
  private static let digits = Array("0123456789abcdef".utf8)

  static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Text that somebody sent, bounded and without what a terminal would obey.
  static func printable(_ bytes: [UInt8], most: Int = 64) -> String {
    let shown = bytes.prefix(most).map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: "?") }
    return String(decoding: shown, as: UTF8.self) + (bytes.count > most ? "…" : "")
  }
}

/// A push token: what a device, one of its users or one of its apps is called. 32 bytes; tokens of
/// apps may be longer.
public struct APNsToken: Hashable, Sendable, CustomStringConvertible {
  public static let length = 32

  public var bytes: [UInt8]
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public var description: String { APNsText.hexadecimal(bytes) }
  /// Enough of it to tell tokens apart.
  public var short: String { APNsText.hexadecimal(bytes.prefix(4)) + "…" }
}
