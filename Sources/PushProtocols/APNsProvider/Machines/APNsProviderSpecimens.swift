internal import Simulation

/// All machines of the provider API by name: those that are meant to be right and the specimens,
/// each one change of policy. Classes (G1, A1…) and numbers are those of the reports that the
/// citations name.
enum APNsProviderSpecimens {
  typealias Client = Specimen<APNsProviderPolicy>
  typealias Front = Specimen<APNsProviderFrontPolicy>

  private static func client(
    _ name: String, _ defect: WritableKeyPath<APNsProviderPolicy, Bool>?, _ summary: String,
    seen citation: String = ""
  ) -> Client {
    var policy = APNsProviderPolicy()
    if let defect { policy[keyPath: defect] = true }
    return Client(
      name: "apns-provider.client@" + name, summary: summary, citation: citation, policy: policy)
  }

  static let clients: [Client] = [
    client("good", nil, "asks again where no answer came, and renews its token every 50 minutes"),
    client(
      "writes-after-goaway", \.writesAfterGoAway,
      "a connection stays in the pool after GOAWAY, and new requests go there (G1)",
      seen: "pushy #865, fixed in #874"),
    client(
      "forgets-refused-by-goaway", \.forgetsRefusedByGoAway,
      "requests above the last stream of GOAWAY are not asked again (G1)",
      seen: "async-http-client #505; pushy #878"),
    client(
      "waits-for-settings", \.waitsForSettings,
      "a connection that gets GOAWAY where SETTINGS should be is waited for (G2)",
      seen: "pushy #831, #836, #854"),
    client(
      "waits-for-ever", \.waitsForEver,
      "a request without an answer is waited for, and nothing looks at the clock (A1)",
      seen: "pushy #816; node-apn #665; aioapns #41; APNSwift #93"),
    client(
      "loses-waiters", \.losesWaitersAtClose,
      "what was open when a connection ends is neither done nor asked again (A2)",
      seen: "pushy #480; aioapns #55"),
    client(
      "matches-in-order", \.matchesAnswersInOrder,
      "answers are given to the oldest request, whatever their stream (X1)",
      seen: "node-apn #665 (17 answers for 18 requests)"),
    client(
      "counts-done-on-write", \.countsDoneOnWrite,
      "the caller is told of success when the request is written (S2)",
      seen: "pyapns #58, #54"),
    client(
      "never-pings", \.neverPings,
      "a connection that is silent is taken to be well (Z1)",
      seen: "pushy #286; node-apn #449, #451; uniqush-push #47; rpush #607"),
    client(
      "ignores-missing-pong", \.ignoresMissingPong,
      "a PING that is not answered is noted, and the connection kept (Z2)",
      seen: "node-apn (failure only logged); libsignal-service-java PR #49"),
    client(
      "keeps-wedged-connection", \.keepsWedgedConnection,
      "a connection that answers 500 to everything is used on (W1, idle)",
      seen: "pushy #408; Perfect-Notifications #11"),
    client(
      "keeps-connection-after-expired", \.keepsConnectionAfterExpired,
      "after ExpiredProviderToken the new token goes over the old connection (W1)",
      seen: "node-apn #450, #496; pushy (comment: the connection is stuck)"),
    client(
      "reconnects-per-waiter", \.reconnectsPerWaiter,
      "each request that waits opens a connection of its own (R1)",
      seen: "aioapns #55 (attempts exceeded)"),
    client(
      "forgets-to-reconnect", \.forgetsToReconnect,
      "a connection that ends before its SETTINGS is the last one (R2)",
      seen: "APNSwift #125 (no reconnect)"),
    client(
      "token-per-request", \.makesTokenPerRequest,
      "a new provider token for each request (W2)", seen: "APNSwift #34"),
    client(
      "trusts-wall-clock", \.trustsWallClock,
      "a provider token from the future is kept until the wall clock has caught up (C1)",
      seen: "rustpush #29 (clock goes back); APNSwift (iat from the wall clock)"),
    client(
      "age-stops-in-sleep", \.ageStopsInSleep,
      "the age of the provider token is counted by a clock that stops while the host sleeps (C2)",
      seen: "pushy (monotonic timer); Signal-Android #6644"),
    client(
      "ignores-410-timestamp", \.ignoresTimestamp,
      "410 ends a device token that the app has registered again since (T3)",
      seen: "Apple, notification responses (timestamp)"),
    client(
      "keeps-dead-tokens", \.keepsDeadTokens,
      "410 with a reason that it does not know leaves the device token in use (T3)",
      seen: "apns2 #220; APNSwift PR #231"),
    client(
      "expiration-is-relative", \.expirationIsRelative,
      "apns-expiration is a number of seconds from now, so that nothing is ever stored (S1)",
      seen: "pushy #471"),
  ]

  static let fronts: [Front] = [
    Front(
      name: "apns-provider.front@good",
      summary: "answers by Apple's rules for tokens, and ends what is idle", citation: "",
      policy: APNsProviderFrontPolicy()),
    Front(
      name: "apns-provider.front@keeps-silent-connections",
      summary: "a connection on which nothing comes is kept for ever (Z1)",
      citation: "airnotifier #92, #122 (ESTABLISHED on one side only)",
      policy: APNsProviderFrontPolicy(neverEndsSilentConnections: true)),
  ]

  static var machineNames: [ProtocolUnderTest.MachineName] {
    .init(clients: clients, servers: fronts)
  }

  /// A bench of two machines by name.
  static func makeBench(client: String, server: String) -> (any Bench)? {
    guard let client = clients.first(where: { $0.name == client }),
      let server = fronts.first(where: { $0.name == server })
    else { return nil }
    return MachineBench.make(
      APNsProviderModel.self, client: APNsProviderClient(policy: client.policy),
      server: APNsProviderFront(policy: server.policy))
  }
}
