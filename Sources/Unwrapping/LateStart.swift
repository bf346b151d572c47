import Wire

/// A connection that began in the clear and may turn to TLS: STARTTLS of SMTP, IMAP and XMPP, the
/// SSLRequest of PostgreSQL and MySQL, a proxy's CONNECT. A ClientHello at the beginning of a
/// segment shows it.
struct LateStart {
  enum Turn {
    case clear, begins
    /// It would have turned by now.
    case over
  }

  /// All of these turn within a few hundred bytes.
  private static let longestPrelude: UInt64 = 16 << 10

  private(set) var toServer: UInt64 = 0
  private(set) var toClient: UInt64 = 0

  init() {}

  /// `nil` for what never turns: MQTT begins with CONNECT.
  ///
  /// - Parameter earlier: was told what came before, if anything did.
  init?(_ event: ConnectionEvent, _ bytes: UnsafeRawBufferPointer, after earlier: LateStart?) {
    guard case .bytes(let direction, _) = event else { return nil }
    if direction == .toServer, unsafe bytes.first == 0x10 { return nil }
    if let earlier { self = earlier } else { self.init() }
    unsafe _ = judge(event, bytes)
  }

  /// Call it with each event before TLS could see it.
  mutating func judge(_ event: ConnectionEvent, _ bytes: UnsafeRawBufferPointer) -> Turn {
    switch event {
    case .bytes(.toServer, let offset):
      if offset > 0, unsafe isClientHello(bytes) {
        toServer = offset
        return .begins
      }
      toServer = offset &+ UInt64(bytes.count)
    case .bytes(.toClient, let offset):
      toClient = offset &+ UInt64(bytes.count)
    case .gap(let direction, let offset, let length, _):
      if direction == .toServer {
        toServer = offset &+ length
      } else {
        toClient = offset &+ length
      }
    case .ended: return .over
    case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
      .finished, .secured, .reset:
      return .clear
    }
    return max(toServer, toClient) > Self.longestPrelude ? .over : .clear
  }

  /// A record of TLS 1.0 to 1.3 with a ClientHello in it (RFC 8446 §5.1, §4).
  private func isClientHello(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 5 else { return false }
    return unsafe bytes[0] == 0x16 && bytes[1] == 3 && bytes[2] <= 4 && bytes[5] == 1
  }
}
