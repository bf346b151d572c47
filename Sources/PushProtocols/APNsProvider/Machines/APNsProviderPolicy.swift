/// What a provider does differently from what Apple asks: all `false` is the machine that is meant
/// to be right. Each property is one defect that was seen in the field (`APNsProviderSpecimens`
/// cites where).
struct APNsProviderPolicy: Sendable, BitwiseCopyable {
  // GOAWAY.
  /// The connection stays in the pool, and new streams are opened on it.
  var writesAfterGoAway = false
  /// Requests above the last stream are given up.
  var forgetsRefusedByGoAway = false
  /// Waits for SETTINGS for ever, whatever comes instead.
  var waitsForSettings = false
  // Answers.
  /// No timeout: a request without an answer is waited for as long as the connection lives.
  var waitsForEver = false
  /// What was open is neither done nor failed when the connection ends.
  var losesWaitersAtClose = false
  /// Answers are matched by their order, not by their stream.
  var matchesAnswersInOrder = false
  /// The caller is told that all is well when a request is written.
  var countsDoneOnWrite = false
  // The connection.
  /// Looks after a silent connection only when it writes, and not even then.
  var neverPings = false
  var ignoresMissingPong = false
  /// A connection that answers 500 to everything is kept.
  var keepsWedgedConnection = false
  /// After ExpiredProviderToken the new token is tried on the same connection.
  var keepsConnectionAfterExpired = false
  /// Each waiting request opens a connection of its own.
  var reconnectsPerWaiter = false
  /// A connection that ends before its SETTINGS is not followed by another.
  var forgetsToReconnect = false
  // Provider tokens.
  var makesTokenPerRequest = false
  /// Its age is what the wall clock says, though that goes back; a 403 is no reason.
  var trustsWallClock = false
  /// Its age is counted by a clock that stops while the host sleeps.
  var ageStopsInSleep = false
  // Device tokens and expiry.
  /// 410 is the end of a device token, whatever its timestamp.
  var ignoresTimestamp = false
  /// 410 is an unknown reason: the device token is kept.
  var keepsDeadTokens = false
  /// `apns-expiration` is written as a number of seconds from now.
  var expirationIsRelative = false
}
