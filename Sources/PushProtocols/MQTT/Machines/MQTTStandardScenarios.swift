internal import Custody
internal import Simulation
internal import Timeline

/// Seeds for a search: each makes one part of the machines work. Short keep-alives and pauses, so
/// that a calm is short too.
enum MQTTStandardScenarios {
  static let all: [Scenario] = [
    offlineQueue, exactlyOnce, smallWindow, expiry, credentials, passwords, wills, takeover,
    cleanSessions,
  ]

  /// A scenario between the good machines, with short keep-alives and pauses.
  private static func scenario(
    _ about: String, topics: [String], server: [Parameter] = []
  ) -> StandardScenarioBuilder {
    StandardScenarioBuilder(
      about, model: MQTTModel.name, client: "mqtt.client@good", server: "mqtt.broker@good",
      topics: topics, serverParameters: server,
      deviceParameters: [
        Parameter("keep-alive", 30_000_000_000), Parameter("back-off-max", 10_000_000_000),
      ])
  }

  private static let version5 = Parameter("version", 5)
  private static let durable = Parameter("durable", 1)

  static let offlineQueue: Scenario = {
    var made = scenario("QoS 1, messages wait for a subscriber that is offline", topics: ["t/x"])
    let subscriber = made.device("gk", [durable])
    let publisher = made.device("pub", [durable])
    made.join(0, subscriber, topic: 0, quality: 1)
    made.at(0, publisher, .connect)
    for second: UInt64 in [1, 2] { made.submit(second * 1000, publisher, topic: 0, quality: 1) }
    made.at(4000, subscriber, .disconnect)
    for index: UInt64 in 0..<5 {
      made.submit(6000 + index * 500, publisher, topic: 0, quality: 1)
    }
    made.at(12_000, subscriber, .connect)
    for index: UInt64 in 0..<3 {
      made.submit(13_000 + index * 2000, publisher, topic: 0, quality: 1)
    }
    return made.build()
  }()

  static let exactlyOnce: Scenario = {
    var made = scenario(
      "QoS 2 in both directions through a window of two", topics: ["a/b", "b/a"],
      server: [Parameter("receive-maximum", 2)])
    let window = Parameter("receive-maximum", 2)
    let first = made.device("a", [version5, durable, window])
    let second = made.device("b", [version5, durable, window])
    made.join(0, first, topic: 1, quality: 2)
    made.join(0, second, topic: 0, quality: 2)
    for index: UInt64 in 0..<4 {
      made.submit(1000 + index * 20, first, topic: 0, quality: 2)
      made.submit(1010 + index * 20, second, topic: 1, quality: 2)
    }
    made.at(5000, second, .disconnect)
    for index: UInt64 in 0..<3 { made.submit(6000 + index * 50, first, topic: 0, quality: 2) }
    made.at(9000, second, .connect)
    made.submit(45_000, first, topic: 0, quality: 2)
    made.submit(45_100, second, topic: 1, quality: 2)
    return made.build()
  }()

  static let smallWindow: Scenario = {
    var made = scenario(
      "QoS 1 and 2 in bursts through a window of one", topics: ["t/burst"],
      server: [Parameter("max-in-flight", 1)])
    let subscriber = made.device("sub", [durable])
    let publisher = made.device("pub", [durable, Parameter("max-in-flight", 1)])
    made.join(0, subscriber, topic: 0, quality: 2)
    made.at(0, publisher, .connect)
    for index: UInt64 in 0..<6 {
      made.submit(1000 + index * 10, publisher, topic: 0, quality: UInt8(1 + index % 2))
    }
    for index: UInt64 in 0..<4 {
      made.submit(20_000 + index * 10, publisher, topic: 0, quality: UInt8(1 + index % 2))
    }
    return made.build()
  }()

  static let expiry: Scenario = {
    var made = scenario("MQTT 5 session expiry and message expiry, mixed", topics: ["t/news"])
    let subscriber = made.device(
      "sub", [version5, durable, Parameter("session-expiry", 20_000_000_000)])
    let publisher = made.device("pub", [version5, durable])
    made.join(0, subscriber, topic: 0, quality: 1)
    made.at(0, publisher, .connect)
    made.submit(1000, publisher, topic: 0, quality: 1, expiry: .seconds(5))
    made.at(15_000, subscriber, .disconnect)
    made.submit(16_000, publisher, topic: 0, quality: 1, expiry: .seconds(3))
    made.submit(16_500, publisher, topic: 0, quality: 1)
    made.submit(17_000, publisher, topic: 0, quality: 1, expiry: .seconds(60))
    made.at(26_000, subscriber, .connect)
    made.submit(28_000, publisher, topic: 0, quality: 1, expiry: .seconds(3))
    made.at(30_000, subscriber, .disconnect)
    made.submit(32_000, publisher, topic: 0, quality: 1)
    made.at(55_000, subscriber, .connect)
    made.submit(58_000, publisher, topic: 0, quality: 1)
    return made.build()
  }()

  static let credentials: Scenario = {
    var made = scenario("MQTT 5 with a credential, re-authenticated", topics: ["t/token"])
    let token = [
      version5, durable, Parameter("credential-lifetime", 60_000_000_000),
      Parameter("refresh-before", 15_000_000_000),
    ]
    let subscriber = made.device("sub", token)
    let publisher = made.device("pub", [version5, durable])
    made.join(0, subscriber, topic: 0, quality: 1)
    made.at(0, publisher, .connect)
    for second: UInt64 in [5, 44, 46, 61, 95] {
      made.submit(second * 1000, publisher, topic: 0, quality: 1)
    }
    return made.build()
  }()

  static let passwords: Scenario = {
    var made = scenario(
      "3.1.1 with a password that lasts an hour, renewed by a reconnect", topics: ["t/token"])
    let token = [
      durable, Parameter("keep-alive", 60_000_000_000),
      Parameter("credential-lifetime", 3_600_000_000_000),
      Parameter("refresh-before", 300_000_000_000),
    ]
    let subscriber = made.device("sub", token)
    let publisher = made.device("pub", [durable, Parameter("keep-alive", 60_000_000_000)])
    made.join(0, subscriber, topic: 0, quality: 1)
    made.at(0, publisher, .connect)
    made.submit(10_000, publisher, topic: 0, quality: 1)
    made.submit(3_299_990, publisher, topic: 0, quality: 1)
    made.submit(3_600_500, publisher, topic: 0, quality: 1)
    return made.build()
  }()

  static let wills: Scenario = {
    var made = scenario("wills, at once and delayed", topics: ["t/gone", "t/x"])
    let watcher = made.device("watch", [version5, durable])
    let mortal = made.device("mortal", [Parameter("will-topic", 0), durable])
    let delayed = made.device(
      "delayed",
      [
        version5, durable, Parameter("will-topic", 0), Parameter("will-delay", 5_000_000_000),
        Parameter("session-expiry", 60_000_000_000),
      ])
    made.join(0, watcher, topic: 0, quality: 1)
    made.at(0, mortal, .connect)
    made.at(0, delayed, .connect)
    made.submit(2000, mortal, topic: 1, quality: 1)
    made.at(5000, mortal, .disconnect)
    made.at(8000, mortal, .connect)
    made.at(10_000, delayed, .kill(host: false))
    made.at(12_000, delayed, .launch)
    made.at(20_000, mortal, .kill(host: true))
    made.at(70_000, mortal, .launch)
    return made.build()
  }()

  static let takeover: Scenario = {
    var made = scenario("two devices with one client identifier", topics: ["t/x", "t/gone"])
    let will = Parameter("will-topic", 1)
    let first = made.device("phone", identity: "me", [version5, durable, will])
    let second = made.device("tablet", identity: "me", [version5, durable, will])
    let publisher = made.device("pub", [durable])
    made.join(0, first, topic: 0, quality: 1)
    made.join(0, publisher, topic: 1, quality: 1)
    made.submit(2000, publisher, topic: 0, quality: 1)
    made.join(4000, second, topic: 0, quality: 1)
    made.submit(4030, publisher, topic: 0, quality: 1)
    made.submit(6000, publisher, topic: 0, quality: 1)
    made.at(8000, first, .connect)
    made.submit(8030, publisher, topic: 0, quality: 1)
    made.submit(14_000, publisher, topic: 0, quality: 1)
    return made.build()
  }()

  static let cleanSessions: Scenario = {
    var made = scenario("sessions that end with their connection", topics: ["t/x"])
    let clean = Parameter("clean-start", 1)
    let subscriber = made.device("sub", [clean, durable])
    let publisher = made.device(
      "pub", [version5, clean, durable, Parameter("session-expiry", 0)])
    made.join(0, subscriber, topic: 0, quality: 2)
    made.at(0, publisher, .connect)
    for second: UInt64 in [1, 2] { made.submit(second * 1000, publisher, topic: 0, quality: 2) }
    made.at(5000, publisher, .disconnect)
    made.at(7000, publisher, .connect)
    for second: UInt64 in [9, 10, 24, 25] {
      made.submit(second * 1000, publisher, topic: 0, quality: 2)
    }
    return made.build()
  }()
}
