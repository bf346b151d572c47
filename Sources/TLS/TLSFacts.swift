public import Wire

/// What is known of the TLS of one connection, read or not.
public struct TLSFacts: Hashable, Sendable {
  /// What became of early data (RFC 8446 §4.2.10).
  public enum ZeroRoundTrip: String, Sendable {
    case none
    /// The server's answer was not seen.
    case offered
    case accepted, rejected
  }

  /// One direction: what its records prove by themselves.
  public struct Traffic: Hashable, Sendable {
    /// `nil` while nothing was encrypted.
    public var secrecy: Secrecy?
    public var records: UInt64 = 0
    /// Records of application data. Without secrets, TLS 1.3 lets nobody tell them from the rest of
    /// the handshake: those are left out by their place.
    public var applicationRecords: UInt64 = 0
    /// Bytes of application data in the clear, or about as many when they stay encrypted.
    public var applicationBytes: UInt64 = 0
    /// The last record of application data.
    public var lastApplicationRecord: Moment?
    /// The description of the last alert that could be read (RFC 8446 §6); 0 is `close_notify`.
    public var alert: UInt8?
    public var keyUpdates: UInt64 = 0

    init() {}
  }

  /// As on the wire: 0x0303 is TLS 1.2. `nil` when no ServerHello was seen.
  public var versionNumber: UInt16?
  public var suiteNumber: UInt16?
  /// 32 bytes, or empty when no ClientHello was seen.
  public var clientRandom: [UInt8] = []
  /// The name that the client asked for (SNI).
  public var serverName: String?
  /// ALPN, in the client's order.
  public var offeredProtocols: [String] = []
  public var chosenProtocol: String?
  public var isResumed = false
  public var earlyData = ZeroRoundTrip.none
  /// Handshakes after the first on the same connection (TLS 1.2 and before).
  public var renegotiations = 0
  public var toServer = Traffic()
  public var toClient = Traffic()

  init() {}

  public subscript(direction: Direction) -> Traffic {
    get { direction == .toServer ? toServer : toClient }
    set { if direction == .toServer { toServer = newValue } else { toClient = newValue } }
  }

  /// `TLS 1.3`.
  public var version: String? { versionNumber.map(ProtocolVersion.name) }
  /// `TLS_AES_128_GCM_SHA256`, or the number of a suite without a known name.
  public var suite: String? { suiteNumber.map { CipherSuite($0).name } }

  /// Why a direction can't be read, in words; `nil` when it can, or when there is nothing to read.
  public func reason(_ direction: Direction) -> String? {
    switch self[direction].secrecy {
    case nil, .decrypted: nil
    case .noSecrets:
      clientRandom.isEmpty
        ? "no secrets" : "no secrets for client random \(hexadecimal(clientRandom.prefix(4)))…"
    case .beganMidStream: "the TLS handshake is not in the capture"
    case .suiteNotSupported: "cipher suite \(suite ?? "unknown") is not supported"
    case .versionNotSupported: "\(version ?? "this version of TLS") is not supported"
    case .bytesMissing: "bytes are missing in the capture"
    case .authenticationFailed: "the secrets don't open the records"
    case .malformed: "these are no TLS records any more"
    }
  }

  private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
