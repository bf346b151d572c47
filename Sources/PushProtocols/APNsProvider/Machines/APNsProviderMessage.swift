public import Simulation
internal import Timeline

/// A frame of the provider API inside a simulation: its meaning without its bytes.
///
/// HEADERS and DATA of a request are one message, as are those of an answer. 20 plain bytes. Times
/// are whole seconds; those of a token are by the provider's wall clock.
@frozen
public struct APNsProviderMessage: WireMessage, Hashable {
  /// What a message is; positions in `APNsProviderModel.messageKinds`.
  @frozen
  public enum Kind: UInt8, Hashable, Sendable, BitwiseCopyable, CaseIterable {
    /// SETTINGS; of a client with the preface before it.
    case settings = 1
    case request, answer
    case goAway
    case ping, pong
    /// RST_STREAM.
    case reset

    var name: String {
      switch self {
      case .settings: "settings"
      case .request: "request"
      case .answer: "answer"
      case .goAway: "goaway"
      case .ping: "ping"
      case .pong: "pong"
      case .reset: "reset"
      }
    }
  }

  public var type: Kind
  /// Of an answer.
  var status: APNsProviderStatus
  /// Of a request, its answer and RST_STREAM: counts up from 1 (the wire counts odd numbers). Of
  /// GOAWAY the last one that was or may be processed.
  public var stream: UInt16
  var carried: UInt16
  /// Of a request: position in `Scenario.topics`, which are device tokens.
  public var topic: UInt16
  /// Of a request: when its provider token was issued.
  public var issued: UInt32
  /// Of a request its `apns-expiration` (all ones: none), of a 410 its timestamp, of a 429 how long
  /// to wait, of SETTINGS how many streams may be open.
  public var value: UInt32

  public var kind: UInt8 { type.rawValue }
  public var publication: UInt16 { carried }

  @inline(__always)
  init(_ type: Kind, stream: UInt16 = 0) {
    self.type = type
    status = .accepted
    self.stream = stream
    carried = 0
    topic = 0
    issued = 0
    value = .max
  }

  static func answer(
    _ status: APNsProviderStatus, to request: APNsProviderMessage, value: UInt32 = .max
  ) -> APNsProviderMessage {
    var message = APNsProviderMessage(.answer, stream: request.stream)
    message.status = status
    message.carried = request.carried
    message.value = value
    return message
  }
}

/// What APNs answers, with its reason.
@frozen
public enum APNsProviderStatus: UInt8, Hashable, Sendable, BitwiseCopyable, CaseIterable {
  case accepted
  case expiredToken, tokenFromTheFuture
  case unregistered
  case tooManyTokenUpdates, tooManyRequests
  case serverError, unavailable

  var text: String {
    switch self {
    case .accepted: "200"
    case .expiredToken: "403 ExpiredProviderToken"
    case .tokenFromTheFuture: "403 InvalidProviderToken"
    case .unregistered: "410 Unregistered"
    case .tooManyTokenUpdates: "429 TooManyProviderTokenUpdates"
    case .tooManyRequests: "429 TooManyRequests"
    case .serverError: "500 InternalServerError"
    case .unavailable: "503 ServiceUnavailable"
    }
  }
}

extension Instant {
  /// Whole seconds since this clock's beginning.
  var wholeSeconds: UInt32 { UInt32(clamping: nanoseconds / 1_000_000_000) }
}
