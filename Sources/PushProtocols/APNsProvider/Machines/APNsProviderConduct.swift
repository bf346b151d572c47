/// What one end must not do. Raw values are what a ledger keeps and a machine blames its peer for;
/// 0 is "nothing".
enum APNsProviderConduct: UInt16, CaseIterable, Sendable {
  case none
  case prefaceFirst, streamAfterGoAway, streamNumber, tooManyStreams
  case answerOfNothing, answerAboveGoAway, goAwayRises, settingsFirst
  case tokenTooOld, tokenTooNew
  case deadToken, expirationPast
  case wrongDirection

  var text: String {
    switch self {
    case .none: "nothing forbidden"
    case .prefaceFirst: "RFC 9113 §3.4: the provider sends a request before its SETTINGS"
    case .streamAfterGoAway: "RFC 9113 §6.8: the provider opens a stream after it got GOAWAY"
    case .streamNumber: "RFC 9113 §5.1.1: a new stream has a lower number than one before"
    case .tooManyStreams: "RFC 9113 §5.1.2: more streams are open than SETTINGS allow"
    case .answerOfNothing: "RFC 9113 §8.1: an answer on a stream that has no request"
    case .answerAboveGoAway:
      "RFC 9113 §6.8: an answer above the last stream that GOAWAY said was processed"
    case .goAwayRises: "RFC 9113 §6.8: a later GOAWAY names a higher stream"
    case .settingsFirst: "RFC 9113 §3.4: the server answers before its SETTINGS"
    case .tokenTooOld:
      "Apple, token-based connection: a provider token is used for more than an hour"
    case .tokenTooNew:
      "Apple, token-based connection: provider tokens change within 20 minutes on a connection"
    case .deadToken:
      "Apple, notification responses: a push for a device token after 410, without a new "
        + "registration"
    case .expirationPast:
      "Apple, notification requests: apns-expiration lies in the past though the push is to be "
        + "stored"
    case .wrongDirection: "a message that this end never sends"
    }
  }
}
