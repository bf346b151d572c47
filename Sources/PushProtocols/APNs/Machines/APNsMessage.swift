public import Simulation

/// What the ends of an APNs simulation say to each other. The first twelve are commands of the
/// courier protocol; the others are requests on connections of their own: an app's to its service
/// (registration, CloudKit), a managed device's to its server (MDM), and a provider's to APNs.
@frozen
public enum APNsMessageKind: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  // Courier.
  case connect = 1
  case connectResponse, filter, notification, ack, keepAlive, keepAliveResponse, noStorage
  case setState
  // Requests of apps.
  case register, registered, fetch, changes, save, saved
  // Management.
  case idle, command, result
  // Provider.
  case push, pushAnswer

  /// The word of reports and anchors.
  public var name: String {
    switch self {
    case .connect: "connect"
    case .connectResponse: "connect-response"
    case .filter: "filter"
    case .notification: "notification"
    case .ack: "ack"
    case .keepAlive: "keep-alive"
    case .keepAliveResponse: "keep-alive-response"
    case .noStorage: "no-storage"
    case .setState: "set-state"
    case .register: "register"
    case .registered: "registered"
    case .fetch: "fetch"
    case .changes: "changes"
    case .save: "save"
    case .saved: "saved"
    case .idle: "idle"
    case .command: "command"
    case .result: "result"
    case .push: "push"
    case .pushAnswer: "push-answer"
    }
  }
}

/// A message of an APNs simulation: its meaning without its bytes.
///
/// 40 plain bytes. Fields whose meaning depends on the kind say so.
@frozen
public struct APNsMessage: WireMessage, Hashable {
  public var what: APNsMessageKind
  /// An `APNsStatus`, by its number on the wire where there is one.
  public var status: UInt8 = 0
  public var flags: Flags = []
  /// `push`, `notification`: quality of service of the submission.
  public var quality: UInt8 = 0
  /// The push token, by its number; 0: none is said.
  public var token: UInt16 = 0
  public var publication: UInt16 = 0
  /// Position in `Scenario.topics`.
  public var topic: UInt16 = 0
  /// Whose device; the number that `ClientMachine.configure` was given.
  public var identity: UInt16 = 0
  /// Message id of a notification and of its ack.
  public var id: UInt32 = 0
  /// `fetch`, `changes`: the change token, as a position in the zone.
  public var cursor: UInt32 = 0
  /// `connect`: wall-clock end of the identity credential. `filter`: the topics, as bits.
  /// `push`, `notification`: expiry in nanoseconds after acceptance, `.max` for none; 0: try once.
  /// `connectResponse`: the server's wall clock, or after how long to try again. `changes`: retry
  /// after. `keepAlive`: the interval.
  public var first: UInt64 = 0
  /// `connect`: the nonce's wall-clock time.
  public var second: UInt64 = 0

  @frozen
  public struct Flags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `notification`: it came from storage.
    public static var stored: Self { .init(rawValue: 1 << 0) }
    /// `connectResponse`: another courier is to be asked.
    public static var redirect: Self { .init(rawValue: 1 << 1) }
    /// `changes`: more is coming.
    public static var moreComing: Self { .init(rawValue: 1 << 2) }
    /// `changes`: the service knows the device's registration.
    public static var isRegistered: Self { .init(rawValue: 1 << 3) }
  }

  @inline(__always)
  init(_ what: APNsMessageKind, status: APNsStatus = .ok) {
    self.what = what
    self.status = status.rawValue
  }

  public var kind: UInt8 { what.rawValue }

  /// `connectResponse`: the device may stay, here.
  @inline(__always)
  var letsIn: Bool { status == APNsStatus.ok.rawValue && !flags.contains(.redirect) }
}

/// What answers say. Below 0x80 as on the wire of the courier protocol where known.
enum APNsStatus: UInt8, Sendable {
  case ok = 0
  /// `connectResponse`: bad push token or identity credential. `ack`: the device refuses it.
  case refused = 2
  /// `connectResponse`: the nonce's time is too far off. Which number the courier uses is unknown.
  case badNonce = 4
  /// `connectResponse`: not heard, because too many connects were refused; with a time to wait.
  /// Which number the courier uses is unknown.
  case triedTooOften = 5
  /// `changes`: the change token is too old (CKError 21).
  case changeTokenExpired = 21
  /// `changes`: too many requests, with a time to wait (CKError 7).
  case rateLimited = 7
  /// `result`: the device can't now and doesn't keep the command.
  case notNow = 40
  case failed = 41
  /// `pushAnswer`: no registration of the topic is known (410).
  case unregistered = 141
}
