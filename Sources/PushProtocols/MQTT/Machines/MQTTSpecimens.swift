internal import Simulation

/// All MQTT machines by name: the standard ones and the specimens, each one change of policy.
enum MQTTSpecimens {
  typealias Client = Specimen<MQTTClientPolicy>
  typealias Broker = Specimen<MQTTBrokerPolicy>

  private static func client(
    _ name: String, _ defect: WritableKeyPath<MQTTClientPolicy, Bool>?, _ summary: String,
    seen citation: String = ""
  ) -> Client {
    var policy = MQTTClientPolicy()
    if let defect { policy[keyPath: defect] = true }
    return Client(
      name: "mqtt.client@" + name, summary: summary, citation: citation, policy: policy)
  }

  private static func broker(
    _ name: String, _ defect: WritableKeyPath<MQTTBrokerPolicy, Bool>?, _ summary: String,
    seen citation: String = ""
  ) -> Broker {
    var policy = MQTTBrokerPolicy()
    if let defect { policy[keyPath: defect] = true }
    return Broker(
      name: "mqtt.broker@" + name, summary: summary, citation: citation, policy: policy)
  }

  static let clients: [Client] = [
    client("good", nil, "3.1.1 and 5.0 by the standard, with back-off and credentials"),
    client(
      "acks-before-hand-over", \.acknowledgesBeforeHandOver,
      "acknowledges when a message arrives; what the app had not got at a kill is gone",
      seen: "emqx #9188 (why clients have manual acknowledgement)"),
    client(
      "reconnects-without-resubscribe", \.neverResubscribes,
      "does not subscribe anew when the server has no session",
      seen: "MQTT-3.2.2-5; paho.c #640"),
    client(
      "ignores-session-present", \.ignoresSessionPresent,
      "keeps its half of a session that the server has lost",
      seen: "MQTT-3.2.2-5; hivemq-mqtt-client #377"),
    client(
      "loses-publishes-while-offline", \.losesSubmissionsWhileOffline,
      "what the app publishes during a reconnect is dropped", seen: "paho.mqtt.cpp #384"),
    client(
      "forgets-received-on-disconnect", \.forgetsReceivedOnDisconnect,
      "forgets which QoS 2 messages it has, so a re-delivery is handed over again",
      seen: "hivemq-mqtt-client #428; paho.c #1114"),
    client(
      "no-ping-timeout", \.ignoresMissingPingResponse,
      "never minds a missing PINGRESP, so a half-open connection stays unnoticed",
      seen: "microG #31, #490 (the same on MCS)"),
    client(
      "token-never-refreshed", \.neverRefreshesCredential,
      "shows the same credential for ever", seen: "pushok #92 (the same on APNs)"),
    client(
      "token-refreshed-too-late", \.refreshesTooLate,
      "refreshes by an interval that is longer than the lifetime",
      seen: "apns2 #16 (interval from construction)"),
    client(
      "token-refresh-storm", \.refreshesWithoutPause,
      "asks the token service again at once when it refuses or throttles",
      seen: "apns2 #44 (429 TooManyProviderTokenUpdates)"),
    client(
      "retries-without-pause", \.retriesWithoutPause, "reconnects ten times a second",
      seen: "paho.java #582 (reconnect loop)"),
    client(
      "gives-up-after-network-error", \.givesUpAfterNetworkError,
      "a refused or timed-out connection is the last one", seen: "rumqtt #664"),
    client(
      "forgets-pubrel-on-resume", \.forgetsPubrelOnResume,
      "PUBREL is not sent again; the exchange keeps its place in the window for ever",
      seen: "paho.c #429"),
    client(
      "leaks-window-on-reconnect", \.leaksWindowOnReconnect,
      "the count of what is in flight is not set back", seen: "paho.java #582"),
    client(
      "resends-without-dup", \.resendsWithoutDuplicate,
      "sends again with DUP 0", seen: "MQTT-3.3.1-1; wolfMQTT #494"),
    client(
      "fights-for-session", \.fightsForSession,
      "reconnects at once when another connection takes its session over",
      seen: "recorded with paho: two clients, one identifier"),
  ]

  static let brokers: [Broker] = [
    broker("good", nil, "3.1.1 and 5.0 by the standard, with persistence"),
    broker(
      "forgets-in-flight", \.forgetsInFlightOnDisconnect,
      "what was in flight when the connection ended is never sent again",
      seen: "emqx #9188; autopush #1070; mozilla autopush #36"),
    broker(
      "counts-done-on-write", \.countsDoneOnWrite,
      "counts a message as delivered when it is written", seen: "autopush #1070"),
    broker(
      "forgets-pubrel-on-resume", \.forgetsPubrelOnResume,
      "PUBREL is not sent again after a reconnect; the exchange keeps its place in the window",
      seen: "emqx #1216, PR #1439"),
    broker(
      "leaks-window", \.leaksWindowOnResume,
      "a missing acknowledgement costs a place in the window for ever",
      seen: "mosquitto #3188; VerneMQ #926"),
    broker(
      "overfills-window", \.overfillsWindowOnResume,
      "re-sends everything at once on resume, over the client's receive maximum",
      seen: "MQTT-3.3.4-9; VerneMQ #944"),
    broker(
      "drops-when-window-is-full", \.dropsWhenWindowIsFull,
      "drops new messages while the window is full", seen: "mosquitto #3188, #2349"),
    broker(
      "reuses-packet-ids", \.freesPacketAtPubrec,
      "gives a packet identifier back at PUBREC, so that it is used twice at a time",
      seen: "HiveMQ CE b56f2eda; VerneMQ #1045"),
    broker(
      "resends-without-dup", \.resendsWithoutDuplicate, "sends again with DUP 0",
      seen: "thingsboard tbmq #320"),
    broker(
      "resends-under-new-id", \.resendsUnderNewPacket,
      "sends again under a new packet identifier", seen: "VerneMQ 1.9.0 changelog"),
    broker(
      "republishes-after-pubrec", \.republishesAfterPubrec,
      "sends PUBLISH again where PUBREL is due", seen: "VerneMQ #750, #762"),
    broker(
      "drops-qos2-in-flight", \.dropsQoS2OnDisconnect,
      "a QoS 2 message in flight is dropped with the connection", seen: "VerneMQ #496"),
    broker(
      "expired-blocks-queue", \.expiredMessageBlocksQueue,
      "an expired message at the head of the queue blocks what is behind it",
      seen: "emqx PR #17698"),
    broker(
      "drops-queue-on-restart", \.dropsQueueOnRestart,
      "sessions survive a restart, what they hold does not",
      seen: "autopush-rs #58; VerneMQ 1.12.6 changelog"),
    broker(
      "redelivers-only-recent", \.redeliversOnlyRecent,
      "after a reconnect only the last ten seconds are delivered", seen: "thingsboard tbmq #320"),
    broker(
      "takeover-leaves-deaf-session", \.takeoverLeavesDeafSession,
      "the end of the old connection detaches the session from the new one",
      seen: "VerneMQ #571, #1369"),
    broker(
      "treats-every-start-as-clean", \.treatsEveryStartAsClean,
      "a session is never resumed", seen: "bifromq #281"),
    broker(
      "forgets-subscriptions-on-resume", \.forgetsSubscriptionsOnResume,
      "says session present and has forgotten the subscriptions", seen: "rmqtt #456"),
    broker(
      "expiry-from-connect", \.countsExpiryFromConnect,
      "counts the session expiry from the connect instead of the disconnect",
      seen: "MQTT-3.1.2-23; monster-mq #162"),
    broker(
      "loses-will-on-takeover", \.losesWillOnTakeover,
      "a will is not published when the session is taken over", seen: "emqx #10551, PR #11868"),
    broker(
      "loses-will-on-timeout", \.losesWillOnKeepAliveTimeout,
      "a will is not published when the keep-alive runs out", seen: "nanomq #2336"),
    broker(
      "ignores-keep-alive", \.ignoresKeepAlive,
      "never ends a silent connection", seen: "MQTT-3.1.2-24; nanomq #2412"),
    broker(
      "keeps-awaited-after-session", \.keepsAwaitedAfterSession,
      "identifiers that await PUBREL outlive the session; new messages under them are refused",
      seen: "emqx #14815"),
    broker(
      "forgets-awaited-after-timeout", \.forgetsAwaitedAfterTimeout,
      "a QoS 2 message that is sent again after half a minute is delivered again",
      seen: "emqx PR #16721"),
  ]

  static var machineNames: [ProtocolUnderTest.MachineName] {
    .init(clients: clients, servers: brokers)
  }

  /// A bench of two machines by name.
  static func makeBench(client: String, server: String) -> (any Bench)? {
    guard let client = clients.first(where: { $0.name == client }),
      let server = brokers.first(where: { $0.name == server })
    else { return nil }
    return MachineBench.make(
      MQTTModel.self, client: MQTTClient(policy: client.policy),
      server: MQTTBroker(policy: server.policy))
  }
}
