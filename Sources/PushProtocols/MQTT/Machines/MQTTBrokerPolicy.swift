/// What a broker does differently from the standard: all `false` is the machine that is meant to be
/// right. Each property is one defect that was seen in the field (`MQTTSpecimens` cites where).
struct MQTTBrokerPolicy: Sendable, BitwiseCopyable {
  // What is in flight.
  var forgetsInFlightOnDisconnect = false
  var countsDoneOnWrite = false
  var forgetsPubrelOnResume = false
  /// What was unacknowledged at a disconnect keeps its place in the window for ever.
  var leaksWindowOnResume = false
  /// Re-sends everything at once on resume, whatever the client's receive maximum.
  var overfillsWindowOnResume = false
  /// Drops new messages while the window is full.
  var dropsWhenWindowIsFull = false
  /// Gives a packet identifier back at PUBREC and again at PUBCOMP.
  var freesPacketAtPubrec = false
  var resendsWithoutDuplicate = false
  /// Re-sends under a new packet identifier, as if it were new.
  var resendsUnderNewPacket = false
  /// Re-sends PUBLISH where PUBREL is due.
  var republishesAfterPubrec = false
  var dropsQoS2OnDisconnect = false
  // The queue.
  var expiredMessageBlocksQueue = false
  var dropsQueueOnRestart = false
  /// Only what came within the last ten seconds is delivered after a reconnect.
  var redeliversOnlyRecent = false
  // Sessions.
  var takeoverLeavesDeafSession = false
  var treatsEveryStartAsClean = false
  var forgetsSubscriptionsOnResume = false
  var countsExpiryFromConnect = false
  // Wills and keep-alive.
  var losesWillOnTakeover = false
  var losesWillOnKeepAliveTimeout = false
  var ignoresKeepAlive = false
  // The way up.
  /// What awaits PUBREL outlives the session.
  var keepsAwaitedAfterSession = false
  /// Forgets after half a minute what awaits PUBREL.
  var forgetsAwaitedAfterTimeout = false
}
