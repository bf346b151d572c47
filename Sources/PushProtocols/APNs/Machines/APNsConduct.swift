/// What one end must not say. Raw values are what a ledger keeps and a machine blames its peer for;
/// 0 is "nothing". The courier protocol has no public specification: the rules are those that every
/// independent implementation keeps to.
enum APNsConduct: UInt16, CaseIterable, Sendable {
  case none
  case connectFirst, secondConnect, connectResponseFirst, unaskedConnectResponse
  case notificationBeforeFilter, notificationOutsideFilter, notificationToOtherToken
  case reusesMessageID
  case ackOfNothing, ackTwice
  case unaskedKeepAliveResponse
  case wrongDirection, wrongPort
  case deliversExpired
  case unaskedAnswer
  case successWithoutResult

  var text: String {
    switch self {
    case .none: "nothing forbidden"
    case .connectFirst: "courier: the first command of a device is not connect (0x07)"
    case .secondConnect: "courier: a second connect (0x07) for the same token on one connection"
    case .connectResponseFirst:
      "courier: the courier sends something before the connect response (0x08)"
    case .unaskedConnectResponse: "courier: a connect response (0x08) that nothing asked for"
    case .notificationBeforeFilter:
      "courier: a notification (0x0A) on a connection that has no filter yet"
    case .notificationOutsideFilter:
      "courier: a notification (0x0A) for a topic that is not in the filter"
    case .notificationToOtherToken:
      "courier: a notification (0x0A) for a token that is not the connection's"
    case .reusesMessageID:
      "courier: a message id is given to another notification while it is not acknowledged"
    case .ackOfNothing:
      "courier: an ack (0x0B) of an id that was not sent on this connection"
    case .ackTwice: "courier: a second ack (0x0B) of one id"
    case .unaskedKeepAliveResponse: "courier: a keep-alive response (0x0D) that nothing asked for"
    case .wrongDirection: "a command that this end never sends"
    case .wrongPort: "a command that does not belong on this connection"
    case .deliversExpired: "courier: a notification is sent after its expiry"
    case .unaskedAnswer: "an answer that nothing asked for"
    case .successWithoutResult:
      "MDM: a command is shown as successful that no device has acknowledged"
    }
  }
}
