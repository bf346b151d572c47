/// What a device does differently from the machine that is meant to be right. Each property is one
/// defect that was seen in the field, or one that the published description of iOS 26.4.0 tells of
/// (`APNsSpecimens` says where).
struct APNsDevicePolicy: Sendable, BitwiseCopyable {
  // The connection.
  /// A keep-alive that is not answered is only noted; the next one goes out after the interval.
  var ignoresMissingKeepAlive = false
  /// After a keep-alive that was not answered no other is sent.
  var stopsKeepAliveAfterMiss = false
  /// A refused or failed connection is the last one.
  var givesUpAfterNetworkError = false
  var retriesWithoutPause = false
  /// Waits for a connect response as long as it takes.
  var waitsForConnectResponse = false
  // The push token.
  /// Shows the token that the courier has refused again and again.
  var keepsRefusedToken = false
  /// Apps are not told that the push token changed.
  var hidesTokenChange = false
  /// Corrects its clock by what the courier said once, for ever.
  var keepsFirstServerTime = false
  // The identity token.
  /// Does not ask for a new one before the courier has refused the old one. Then it is in a loop:
  /// it shows what it has, and asks, in each round, and heeds no answer that tells it to wait.
  var failsHardOnExpiry = false
  var neverRefreshesCredential = false
  var refreshesWithoutPause = false
  // The filter.
  /// Sends the filter on the first connection only.
  var filtersOnce = false
  /// An app that comes later is not told to the courier.
  var keepsFirstFilter = false
  // Notifications.
  /// Acknowledges before the notification is stored and handed over.
  var acknowledgesBeforeStoring = false
  /// Acknowledges, but the app is not woken.
  var neverWakesApp = false
  /// Notifications are never acknowledged.
  var neverAcknowledges = false
  /// Acknowledges with the id of the last notification, whichever it is about.
  var acknowledgesLatestID = false
  /// Acknowledges on the next connection what came on the last one.
  var acknowledgesAcrossReconnect = false
  /// Every fourth notification is neither stored nor acknowledged, and the connection is closed.
  var chokesOnPayload = false
  /// What is delivered again is given to the app again.
  var forgetsSeen = false
  // Requests of apps.
  /// Waits for an answer for ever.
  var waitsForAnswers = false
  /// A request that was cut off is forgotten.
  var forgetsRequestOnError = false
  /// A push that arrives during a fetch changes nothing.
  var ignoresPushWhileFetching = false
  /// Fetches only when a push comes.
  var fetchesOnlyOnPush = false
  /// Stores the change token before the change.
  var savesCursorFirst = false
  /// Asks again with the expired change token.
  var keepsExpiredCursor = false
  /// Advances the change token by one for each answer, so that a change which both a prefetch and
  /// the fetch after a push bring counts twice, and the next is skipped.
  var prefetchSkips = false
  /// Believes for ever that it is registered once it was.
  var believesRegistered = false
  /// Takes a "wait" as "done".
  var swallowsRateLimit = false
  /// Asks again at once when told to wait.
  var ignoresRetryAfter = false
  /// What the app saves while offline is dropped.
  var losesSavesWhileOffline = false
}

/// What the server (courier and services) does differently.
struct APNsServerPolicy: Sendable, BitwiseCopyable {
  // Courier.
  /// What is not acknowledged when a connection ends is forgotten.
  var forgetsUnacked = false
  /// Counts a notification as delivered, and forgets it, when it is written.
  var countsDoneOnWrite = false
  /// Stores nothing for devices that are offline.
  var storesNothing = false
  /// What is stored is lost when the courier restarts.
  var dropsStoreOnRestart = false
  /// Stored notifications are sent on connect, before the filter is there, and dropped.
  var flushesBeforeFilter = false
  /// The end of an old connection takes the new one of the same device along.
  var oldEndDetachesNew = false
  /// Silent connections are never ended.
  var ignoresSilence = false
  /// Goes on pushing to a token that is not the device's any more.
  var sendsToOldToken = false
  /// Waits for a message that no device sends before it delivers what is stored.
  var waitsForState = false
  /// A device that was connected before is sent to another courier at each connect.
  var redirectsInCircle = false
  // Services.
  /// Registrations are lost when the service restarts.
  var losesRegistrations = false
  /// The change token does not advance.
  var cursorStands = false
  /// Says that nothing more is coming when something is.
  var endsEarly = false
  /// A change that is saved while a device fetches is counted as fetched.
  var skipsConcurrentChange = false
  // Management.
  /// A command that was answered NotNow is not pushed again.
  var forgetsNotNow = false
  /// A command is taken off the queue when it is handed out.
  var dequeuesOnSend = false
  /// No push for a command that comes while the device is thought to be asking anyway.
  var assumesAsking = false
  /// The dashboard shows success when the push is accepted, and nobody looks any further.
  var dashboardCountsPush = false
  /// A command that failed stays at the head of the queue, and nothing behind it is given out.
  var blocksOnFailure = false
}
