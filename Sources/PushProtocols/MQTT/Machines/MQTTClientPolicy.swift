/// What a client does differently from the standard: all `false` is the machine that is meant to be
/// right. Each property is one defect that was seen in the field (`MQTTSpecimens` cites where).
struct MQTTClientPolicy: Sendable, BitwiseCopyable {
  /// Acknowledges when a message arrives; the app gets it a moment later.
  var acknowledgesBeforeHandOver = false
  /// Takes it that its subscriptions are still there when the server says that the session is not.
  var neverResubscribes = false
  /// Keeps its half of the session although the server has none.
  var ignoresSessionPresent = false
  var losesSubmissionsWhileOffline = false
  /// Forgets which QoS 2 messages it has got when the connection ends.
  var forgetsReceivedOnDisconnect = false
  /// Sends PINGREQ but does not mind a missing PINGRESP.
  var ignoresMissingPingResponse = false
  var neverRefreshesCredential = false
  /// Refreshes by an interval longer than the lifetime, whatever the server says.
  var refreshesTooLate = false
  /// Asks again at once when the token service refuses.
  var refreshesWithoutPause = false
  var retriesWithoutPause = false
  var givesUpAfterNetworkError = false
  /// Leaves a QoS 2 publication between PUBREC and PUBCOMP where it is on resume.
  var forgetsPubrelOnResume = false
  /// The count of what is in flight is not set back for a new connection.
  var leaksWindowOnReconnect = false
  var resendsWithoutDuplicate = false
  /// Reconnects at once whenever another connection takes its session over.
  var fightsForSession = false
}
