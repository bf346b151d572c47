internal import Simulation

/// All APNs machines by name: the ones that are meant to be right, our models of two published
/// configurations, and the specimens, each one change of policy.
enum APNsSpecimens {
  typealias Device = Specimen<APNsDevicePolicy>
  typealias Server = Specimen<APNsServerPolicy>

  private static func device(
    _ name: String, _ defects: [WritableKeyPath<APNsDevicePolicy, Bool>], _ summary: String,
    seen citation: String = ""
  ) -> Device {
    var policy = APNsDevicePolicy()
    for defect in defects { policy[keyPath: defect] = true }
    return Device(
      name: "apns.device@" + name, summary: summary, citation: citation, policy: policy)
  }

  private static func server(
    _ name: String, _ defect: WritableKeyPath<APNsServerPolicy, Bool>?, _ summary: String,
    seen citation: String = ""
  ) -> Server {
    var policy = APNsServerPolicy()
    if let defect { policy[keyPath: defect] = true }
    return Server(
      name: "apns.server@" + name, summary: summary, citation: citation, policy: policy)
  }

  static let devices: [Device] = [
    device("good", [], "a daemon and apps that keep to what is known of the protocols"),
    device(
      "ios-26.4.1", [],
      "our model of the published description: refreshes its token long before it ends and with "
        + "back-off, notices by keep-alive that a connection is half open"),
    device(
      "ios-26.4.0", [\.failsHardOnExpiry, \.ignoresMissingKeepAlive],
      "our model of the published description: an expired token fails hard, in a retry loop that "
        + "minds no throttle; nor is a missing keep-alive answer minded",
      seen: "published description of iOS 26.4.1"),
    device(
      "no-keep-alive-timeout", [\.ignoresMissingKeepAlive],
      "never minds a missing keep-alive answer", seen: "libsignal-service-java PR #49"),
    device(
      "keep-alive-stops", [\.stopsKeepAliveAfterMiss],
      "after one keep-alive without an answer it sends no other",
      seen: "pypush, by reading: a lost answer ends its keep-alives"),
    device(
      "gives-up-after-network-error", [\.givesUpAfterNetworkError],
      "a refused or timed-out connection is the last one", seen: "ValidationRelay #16"),
    device(
      "retries-without-pause", [\.retriesWithoutPause], "reconnects ten times a second",
      seen: "rustpush #29 (reload storm)"),
    device(
      "waits-for-connect-response", [\.waitsForConnectResponse],
      "waits for a connect response as long as it takes",
      seen: "pypush and beeper, by reading: no timeout for 0x08"),
    device(
      "keeps-refused-token", [\.keepsRefusedToken],
      "shows a push token again that the courier refused", seen: "pypush #107"),
    device(
      "hides-token-change", [\.hidesTokenChange],
      "the services of apps are not told of a new push token", seen: "realm-swift #4615"),
    device(
      "keeps-first-server-time", [\.keepsFirstServerTime],
      "corrects its clock by the courier's once, and never again",
      seen: "rustpush #29 (clock goes back)"),
    device(
      "token-never-refreshed", [\.neverRefreshesCredential],
      "shows the same identity token for ever", seen: "realm-swift #4615"),
    device(
      "token-refresh-storm", [\.refreshesWithoutPause],
      "asks the token service again at once when it refuses or throttles",
      seen: "APNSwift #34 (the same with provider tokens)"),
    device(
      "filters-once", [\.filtersOnce], "sends its filter on the first connection only",
      seen: "BigSyncKit PR #33 (a cached \"subscribed\")"),
    device(
      "keeps-first-filter", [\.keepsFirstFilter],
      "an app that comes later is missing in the filter", seen: "beeper, by reading"),
    device(
      "acks-before-storing", [\.acknowledgesBeforeStoring],
      "acknowledges when a notification arrives; what was not stored at a kill is gone",
      seen: "rustpush, by reading: acks in a task of their own"),
    device(
      "never-wakes-app", [\.neverWakesApp], "acknowledges, and the app is not woken",
      seen: "published description of iOS 26.4.0"),
    device(
      "never-acks", [\.neverAcknowledges], "does not acknowledge", seen: "pypush #8"),
    device(
      "acks-other-id", [\.acknowledgesLatestID], "acknowledges under an id that is not the one",
      seen: "beeper, by reading: one waiter, id ignored"),
    device(
      "acks-across-reconnect", [\.acknowledgesAcrossReconnect],
      "acknowledges on the next connection what came on the last one",
      seen: "rustpush, by reading"),
    device(
      "chokes-on-payload", [\.chokesOnPayload],
      "closes the connection on a payload that it can't read, and gets it again and again",
      seen: "pypush #8 (what is not acknowledged comes again, or ends the connection)"),
    device(
      "forgets-seen", [\.forgetsSeen],
      "what is delivered again is handed to the app again", seen: "pushy #878 (retry duplicates)"),
    device(
      "waits-for-answers", [\.waitsForAnswers], "waits for a service's answer for ever",
      seen: "pushy #816; node-apn #449; aioapns #41"),
    device(
      "forgets-request-on-error", [\.forgetsRequestOnError],
      "a request that was cut off counts as done", seen: "pushy #480"),
    device(
      "ignores-push-while-fetching", [\.ignoresPushWhileFetching, \.fetchesOnlyOnPush],
      "a push that comes during a fetch changes nothing",
      seen: "Apple, CloudKit guides: a push may come while the app is busy"),
    device(
      "fetches-only-on-push", [\.fetchesOnlyOnPush],
      "looks for changes only when a push comes",
      seen: "Apple, CloudKit guides: pushes may be dropped"),
    device(
      "saves-cursor-first", [\.savesCursorFirst],
      "stores the change token before the change",
      seen: "apple/sample-cloudkit-privatedb-sync #4"),
    device(
      "keeps-expired-cursor", [\.keepsExpiredCursor],
      "asks again and again with a change token that is expired", seen: "SyncKit #92, #100"),
    device(
      "prefetch-skips", [\.prefetchSkips],
      "counts a change twice when a prefetch races a push, and skips the next",
      seen: "apple/sample-cloudkit-privatedb-sync #4 (token ahead of data)"),
    device(
      "believes-registered", [\.believesRegistered],
      "does not register anew: a flag says that it has", seen: "BigSyncKit PR #33"),
    device(
      "swallows-rate-limit", [\.swallowsRateLimit, \.fetchesOnlyOnPush],
      "takes a \"wait\" as the end of a fetch", seen: "Apple, CKError 6, 7 and 23 (retry after)"),
    device(
      "ignores-retry-after", [\.ignoresRetryAfter], "asks again at once when told to wait",
      seen: "apns2 #44 (429)"),
    device(
      "loses-saves-while-offline", [\.losesSavesWhileOffline],
      "what an app saves while offline is dropped", seen: "paho.mqtt.rust #218"),
  ]

  static let servers: [Server] = [
    server("good", nil, "courier and services that keep to what is known of the protocols"),
    server(
      "forgets-unacked", \.forgetsUnacked,
      "what was not acknowledged when a connection ended is never sent again",
      seen: "Yakifo/amqtt #401"),
    server(
      "counts-done-on-write", \.countsDoneOnWrite,
      "counts a notification as delivered when it is written", seen: "pyapns #58, #54"),
    server(
      "stores-nothing", \.storesNothing, "a 200, and nothing is stored for a device that is away",
      seen: "pushy #471"),
    server(
      "drops-store-on-restart", \.dropsStoreOnRestart,
      "what is stored is lost when the courier restarts", seen: "aioapns #55"),
    server(
      "flushes-before-filter", \.flushesBeforeFilter,
      "sends what is stored before the device has said what it wants",
      seen: "pypush #27 (nothing may come before the filter)"),
    server(
      "old-end-detaches-new", \.oldEndDetachesNew,
      "the end of an old connection takes the device's new one along", seen: "airnotifier #92"),
    server(
      "ignores-silence", \.ignoresSilence, "never ends a silent connection",
      seen: "airnotifier #122; linkerd2 #13023"),
    server(
      "pushes-to-old-token", \.sendsToOldToken,
      "goes on with a push token that is not the device's any more", seen: "apns2 #220"),
    server(
      "waits-for-state", \.waitsForState,
      "stored notifications wait for something that no device sends", seen: "pypush #27"),
    server(
      "redirects-in-circle", \.redirectsInCircle,
      "sends a device that comes back from one courier to the next, and never lets it in",
      seen: "courier clients, by reading: 0x08 may name another host"),
    server(
      "loses-registrations", \.losesRegistrations,
      "registrations are gone when the service restarts", seen: "BigSyncKit PR #33"),
    server(
      "cursor-stands", \.cursorStands, "the change token does not advance", seen: "SyncKit #100"),
    server(
      "ends-early", \.endsEarly, "says that nothing more is coming when something is",
      seen: "Apple, CKError 2 (partial failure)"),
    server(
      "skips-concurrent-change", \.skipsConcurrentChange,
      "a change that is saved during a catch-up is never given out",
      seen: "micromdm #716 (the same race)"),
    server(
      "forgets-not-now", \.forgetsNotNow, "a command that was answered NotNow is not pushed again",
      seen: "fleet PR #43814, #23287"),
    server(
      "dequeues-on-send", \.dequeuesOnSend, "a command leaves the queue when it is handed out",
      seen: "nanomdm, by reading: a result may get lost on its way"),
    server(
      "assumes-asking", \.assumesAsking,
      "no push for a command that comes while the device is thought to be asking",
      seen: "micromdm #716"),
    server(
      "dashboard-counts-push", \.dashboardCountsPush,
      "success is shown when the push is accepted, and nobody looks further",
      seen: "published description of iOS 26.4.0 (MDM)"),
    server(
      "blocks-on-failure", \.blocksOnFailure,
      "a command that failed stays at the head of the queue", seen: "micromdm #1040, #1070"),
  ]

  static var machineNames: [ProtocolUnderTest.MachineName] {
    .init(clients: devices, servers: servers)
  }

  /// A bench of two machines by name.
  static func makeBench(client: String, server: String) -> (any Bench)? {
    guard let client = devices.first(where: { $0.name == client }),
      let server = servers.first(where: { $0.name == server })
    else { return nil }
    return MachineBench.make(
      APNsModel.self, client: APNsDevice(policy: client.policy),
      server: APNsServer(policy: server.policy))
  }
}
