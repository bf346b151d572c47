import HTTP2
import Timeline
import Wire

/// Tells the provider API from everything else in HTTP/2: by a path that only it has, by the host
/// that the client looked for, or by what only APNs says in a GOAWAY.
enum APNsProviderRecognition {
  static func judge(_ opening: ConnectionOpening) -> Recognition {
    // Whether it is HTTP/2 at all shows in the client's first bytes.
    guard opening.handshake, !opening.toServer.isEmpty else {
      return opening.isComplete || !opening.handshake ? .notMine : .undecided
    }
    let preface = HTTP2Frame.preface
    guard opening.toServer.starts(with: preface) || preface.starts(with: opening.toServer) else {
      return .notMine
    }
    if opening.toServer.count >= preface.count, isHost(opening.serverName ?? "") { return .mine }
    let signs = Signs()
    let reader = HTTP2Connection(
      ConnectionID(0), opening.description, handshake: true, shortestStall: .forever,
      unfinished: UnfinishedBytes(), to: signs)
    let moment = Moment(time: .start, frame: 0)
    for (bytes, direction) in [
      (opening.toServer, Direction.toServer), (opening.toClient, .toClient),
    ] {
      unsafe bytes.withUnsafeBytes { all in
        unsafe reader.receive(all, direction, offset: 0, at: moment)
      }
    }
    reader.conclude(at: moment)
    if signs.isAPNs { return .mine }
    if signs.isOther || opening.isComplete { return .notMine }
    return .undecided
  }

  /// `api.push.apple.com`, `api.sandbox.push.apple.com`, and those that broadcast.
  static func isHost(_ name: String) -> Bool {
    let name = name.lowercased()
    return name.hasPrefix("api") && name.hasSuffix(".push.apple.com")
  }

  /// What the first requests show.
  private final class Signs: HTTP2Listener {
    var isAPNs = false
    var isOther = false

    func receive(_ event: HTTP2Event, _ place: HTTP2Place) {
      switch event {
      case .headers(_, .known(let fields), _) where place.direction == .toServer:
        guard let path = fields.first(where: { $0.name == ":path" })?.value else { return }
        if APNsPath(path) != nil { isAPNs = true } else { isOther = true }
      case .goAway(_, _, let debug) where place.direction == .toClient:
        if let body = APNsErrorBody(debug), APNsReason.all[body.reason] != nil { isAPNs = true }
      case .preface, .data, .headers, .priority, .reset, .settings, .settingsAcknowledged,
        .pushPromise, .ping, .pingAcknowledged, .goAway, .windowUpdate, .unknown, .damaged:
        break
      }
    }

    func receive(_ violation: HTTP2Violation) {}
    func lostTrack(_ direction: Direction, _ why: String, at moment: Moment) {
      isOther = isOther || direction == .toServer
    }
  }
}

/// Why APNs says no (Apple, "Handling notification responses from APNs").
enum APNsReason {
  /// The status that each comes with.
  static let all: [String: Int] = [
    "BadCollapseId": 400, "BadDeviceToken": 400, "BadExpirationDate": 400, "BadMessageId": 400,
    "BadPriority": 400, "BadTopic": 400, "DeviceTokenNotForTopic": 400, "DuplicateHeaders": 400,
    "IdleTimeout": 400, "InvalidPushType": 400, "MissingDeviceToken": 400, "MissingTopic": 400,
    "PayloadEmpty": 400, "TopicDisallowed": 400, "BadCertificate": 403,
    "BadCertificateEnvironment": 403, "ExpiredProviderToken": 403, "Forbidden": 403,
    "InvalidProviderToken": 403, "MissingProviderToken": 403, "UnrelatedKeyIdInToken": 403,
    "BadEnvironmentKeyIdInToken": 403, "BadPath": 404, "MethodNotAllowed": 405,
    "ExpiredToken": 410, "Unregistered": 410, "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429, "TooManyRequests": 429, "InternalServerError": 500,
    "ServiceUnavailable": 503, "Shutdown": 503,
  ]

  static let expiredProviderToken = "ExpiredProviderToken"
  static let tooManyUpdates = "TooManyProviderTokenUpdates"
}
