internal import Custody
internal import Simulation
internal import Timeline

/// Seeds for a search: each makes one part of the machines work. All hold, the one whose clock is
/// wrong too.
enum APNsProviderStandardScenarios {
  static let all: [Scenario] = [
    bursts, goAways, warmUp, unanswered, outOfOrder, longTokens, idleWedge, deadTokens, throttled,
    expiring, silent, asleep, ahead,
  ]

  private static func scenario(
    _ about: String, topics: [String] = ["device/a", "device/b"], server: [Parameter] = []
  ) -> StandardScenarioBuilder {
    StandardScenarioBuilder(
      about, model: APNsProviderModel.name, client: "apns-provider.client@good",
      server: "apns-provider.front@good", topics: topics, serverParameters: server,
      deviceParameters: [
        Parameter("ping-interval", 30_000_000_000), Parameter("back-off-max", 10_000_000_000),
      ])
  }

  private static let durable = Parameter("durable", 1)

  private static func duration(_ name: String, seconds: UInt64) -> Parameter {
    Parameter(name, seconds * 1_000_000_000)
  }

  static let bursts: Scenario = {
    var made = scenario("bursts of pushes over one connection, four at a time")
    let provider = made.device("provider", [durable, Parameter("max-streams", 4)])
    made.at(0, provider, .connect)
    for index: UInt64 in 0..<8 { made.submit(1000 + index * 10, provider, topic: 0, quality: 1) }
    for index: UInt64 in 0..<4 { made.submit(20_000 + index * 30, provider, topic: 1, quality: 1) }
    made.submit(60_000, provider, topic: 0, quality: 1)
    return made.build()
  }()

  static let goAways: Scenario = {
    var made = scenario("GOAWAY after every third request", server: [Parameter("goaway-after", 3)])
    let provider = made.device("provider", [durable])
    made.at(0, provider, .connect)
    for index: UInt64 in 0..<6 { made.submit(1000 + index * 15, provider, topic: 0, quality: 1) }
    for index: UInt64 in 0..<4 { made.submit(30_000 + index * 15, provider, topic: 1, quality: 1) }
    made.submit(60_000, provider, topic: 0, quality: 1)
    return made.build()
  }()

  static let warmUp: Scenario = {
    var made = scenario(
      "GOAWAY before SETTINGS while the server warms up", server: [duration("warm-up", seconds: 3)])
    let provider = made.device("provider", [durable])
    made.at(500, provider, .connect)
    for second: UInt64 in [1, 5, 20, 40] {
      made.submit(second * 1000, provider, topic: 0, quality: 1)
    }
    return made.build()
  }()

  static let unanswered: Scenario = {
    var made = scenario(
      "every fourth request is not answered", server: [Parameter("unanswered-every", 4)])
    let provider = made.device("provider", [durable])
    made.at(0, provider, .connect)
    for index: UInt64 in 0..<9 { made.submit(1000 + index * 400, provider, topic: 0, quality: 1) }
    return made.build()
  }()

  static let outOfOrder: Scenario = {
    var made = scenario(
      "answers overtake each other", server: [Parameter("answer-spread", 300_000_000)])
    let provider = made.device("provider", [durable])
    made.at(0, provider, .connect)
    for index: UInt64 in 0..<6 { made.submit(1000 + index * 50, provider, topic: 0, quality: 1) }
    made.submit(10_000, provider, topic: 1, quality: 1)
    return made.build()
  }()

  static let longTokens: Scenario = {
    var made = scenario("provider tokens over two hours")
    let provider = made.device(
      "provider", [durable, duration("ping-interval", seconds: 600)])
    made.at(0, provider, .connect)
    for minute: UInt64 in [1, 25, 49, 51, 70, 102, 125] {
      made.submit(minute * 60_000, provider, topic: 0, quality: 1)
    }
    return made.build()
  }()

  static let idleWedge: Scenario = {
    var made = scenario(
      "a connection that was idle for ten minutes answers 500",
      server: [duration("idle-wedge", seconds: 600)])
    let provider = made.device("provider", [durable, duration("ping-interval", seconds: 120)])
    made.at(0, provider, .connect)
    made.submit(1000, provider, topic: 0, quality: 1)
    for index: UInt64 in 0..<3 { made.submit(700_000 + index * 50, provider, topic: 0, quality: 1) }
    return made.build()
  }()

  static let deadTokens: Scenario = {
    var made = scenario(
      "a device token becomes invalid, and valid again",
      server: [
        Parameter("gone-topic", 0), duration("gone-since", seconds: 5),
        duration("back-after", seconds: 20),
      ])
    let provider = made.device("provider", [durable])
    made.at(0, provider, .connect)
    for second: UInt64 in [1, 8, 12] { made.submit(second * 1000, provider, topic: 0, quality: 1) }
    // The app tells its new token a second before APNs knows of it.
    made.at(19_000, provider, .subscribe(topic: 0, quality: 1))
    made.submit(19_010, provider, topic: 0, quality: 1)
    for second: UInt64 in [25, 30] { made.submit(second * 1000, provider, topic: 0, quality: 1) }
    made.submit(26_000, provider, topic: 1, quality: 1)
    return made.build()
  }()

  static let throttled: Scenario = {
    var made = scenario(
      "two requests a second for one device, and 503 at the start",
      server: [Parameter("throttle", 2), duration("busy-for", seconds: 2)])
    let provider = made.device("provider", [durable])
    made.at(0, provider, .connect)
    for index: UInt64 in 0..<7 { made.submit(500 + index * 20, provider, topic: 0, quality: 1) }
    made.submit(9000, provider, topic: 1, quality: 1)
    return made.build()
  }()

  static let expiring: Scenario = {
    var made = scenario("pushes that expire, and a provider that goes away")
    let provider = made.device("provider", [durable])
    let other = made.device("other", [])
    made.at(0, provider, .connect)
    made.at(0, other, .connect)
    made.submit(1000, provider, topic: 0, quality: 1, expiry: .seconds(60))
    made.submit(2000, other, topic: 0, quality: 1)
    made.at(5000, provider, .disconnect)
    made.submit(6000, provider, topic: 0, quality: 1, expiry: .seconds(3))
    made.submit(6500, provider, topic: 1, quality: 1, expiry: .seconds(600))
    made.at(15_000, provider, .connect)
    made.at(20_000, other, .kill(host: false))
    made.at(22_000, other, .launch)
    made.submit(25_000, other, topic: 1, quality: 1)
    return made.build()
  }()

  static let silent: Scenario = {
    var made = scenario(
      "a server that ends what is silent for five minutes",
      server: [duration("idle-drop", seconds: 300)])
    let provider = made.device("provider", [durable])
    made.at(0, provider, .connect)
    made.submit(1000, provider, topic: 0, quality: 1)
    made.submit(400_000, provider, topic: 0, quality: 1)
    made.at(410_000, provider, .disconnect)
    made.submit(800_000, provider, topic: 0, quality: 1)
    made.at(900_000, provider, .connect)
    return made.build()
  }()

  static let asleep: Scenario = {
    var made = scenario("a host that sleeps for more than an hour between two pushes")
    let provider = made.device("provider", [durable, duration("ping-interval", seconds: 600)])
    made.at(0, provider, .connect)
    made.submit(1000, provider, topic: 0, quality: 1)
    made.at(600_000, provider, .sleep)
    made.at(4_800_000, provider, .wake)
    for index: UInt64 in 0..<2 {
      made.submit(4_860_000 + index * 30_000, provider, topic: 1, quality: 1)
    }
    return made.build()
  }()

  static let ahead: Scenario = {
    var made = scenario("a wall clock that is two hours ahead when the first token is made")
    let provider = made.device("provider", [durable])
    made.at(0, provider, .connect)
    for second: UInt64 in [60, 61, 90] {
      made.submit(second * 1000, provider, topic: 0, quality: 1)
    }
    made.strike(0, provider, .clockJump(.client, forward: true, by: .hours(2)))
    return made.build()
  }()
}
