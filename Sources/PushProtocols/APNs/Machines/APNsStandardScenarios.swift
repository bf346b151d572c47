internal import Simulation
internal import Timeline

/// Seeds for a search: each makes one part of the machines work. Short intervals, so that a calm is
/// short too.
enum APNsStandardScenarios {
  static let all: [Scenario] = [
    notifications, offline, synchronisation, catchUp, management, lockedDevice, tokens, newTokens,
    clocks, apps,
  ]

  private static func seconds(_ count: UInt64) -> UInt64 { count * 1_000_000_000 }

  /// A scenario between the good machines, with short intervals.
  private static func scenario(
    _ about: String, topics: [String], server: [Parameter] = []
  ) -> StandardScenarioBuilder {
    StandardScenarioBuilder(
      about, model: APNsModel.name, client: "apns.device@good", server: "apns.server@good",
      topics: topics,
      serverParameters: [
        Parameter("presumed-interval", seconds(60)), Parameter("silence-grace", seconds(30)),
        Parameter("repush", seconds(60)),
      ] + server,
      deviceParameters: [
        Parameter("keep-alive", seconds(60)), Parameter("back-off-max", seconds(10)),
        Parameter("fetch-interval", seconds(120)), Parameter("request-timeout", seconds(10)),
      ])
  }

  private static let provider = Parameter("provider", 1)

  static let notifications: Scenario = {
    var made = scenario("notifications to two devices", topics: ["push:com.example.chat"])
    let phone = made.device("phone")
    let pad = made.device("pad")
    let server = made.device("provider", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.join(0, pad, topic: 0, quality: 1)
    made.at(0, server, .connect)
    for second: UInt64 in [2, 3] { made.submit(second * 1000, server, topic: 0, quality: 1) }
    made.submit(4000, server, topic: 0, quality: 2)
    made.submit(4010, server, topic: 0, quality: 2)
    made.submit(6000, server, topic: 0, quality: 0)
    made.submit(70_000, server, topic: 0, quality: 1)
    return made.build()
  }()

  static let offline: Scenario = {
    var made = scenario(
      "notifications wait for a device that is away",
      topics: ["push:com.example.chat", "push:com.example.mail"])
    let phone = made.device("phone")
    let server = made.device("provider", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.at(0, phone, .subscribe(topic: 1, quality: 1))
    made.at(0, server, .connect)
    made.submit(2000, server, topic: 0, quality: 1)
    made.at(4000, phone, .disconnect)
    for index: UInt64 in 0..<3 { made.submit(6000 + index * 500, server, topic: 0, quality: 1) }
    made.submit(8000, server, topic: 1, quality: 2)
    made.submit(8500, server, topic: 1, quality: 1, expiry: .seconds(2))
    made.at(12_000, phone, .connect)
    made.submit(14_000, server, topic: 1, quality: 1)
    // Away again, until everybody comes back.
    made.at(15_000, phone, .disconnect)
    made.submit(16_000, server, topic: 0, quality: 1)
    made.submit(25_000, server, topic: 1, quality: 1)
    return made.build()
  }()

  static let synchronisation: Scenario = {
    var made = scenario("changes between two devices of one account", topics: ["sync:Photos"])
    let phone = made.device("phone")
    let pad = made.device("pad")
    made.join(0, phone, topic: 0, quality: 1)
    made.join(0, pad, topic: 0, quality: 1)
    for index: UInt64 in 0..<3 { made.submit(2000 + index * 40, phone, topic: 0, quality: 1) }
    made.submit(3000, pad, topic: 0, quality: 1)
    made.at(4000, pad, .disconnect)
    for index: UInt64 in 0..<6 { made.submit(5000 + index * 100, phone, topic: 0, quality: 1) }
    made.at(8000, pad, .connect)
    // While the pad catches up.
    for index: UInt64 in 0..<4 { made.submit(8060 + index * 40, phone, topic: 0, quality: 1) }
    return made.build()
  }()

  static let catchUp: Scenario = {
    var made = scenario(
      "a device that was long away, and a service that makes it wait",
      topics: ["sync:Photos"],
      server: [Parameter("change-horizon", 3), Parameter("fetch-limit", 4)])
    let phone = made.device("phone", [Parameter("prefetch-interval", seconds(10))])
    let pad = made.device("pad")
    made.join(0, phone, topic: 0, quality: 1)
    made.join(0, pad, topic: 0, quality: 1)
    made.submit(2000, pad, topic: 0, quality: 1)
    made.at(3000, phone, .disconnect)
    for index: UInt64 in 0..<5 { made.submit(4000 + index * 300, pad, topic: 0, quality: 1) }
    made.at(9000, phone, .connect)
    made.submit(10_020, pad, topic: 0, quality: 1)
    made.submit(20_010, pad, topic: 0, quality: 1)
    return made.build()
  }()

  static let management: Scenario = {
    var made = scenario("commands for a managed device", topics: ["mdm:fleet"])
    let phone = made.device("phone", [Parameter("fails-every", 3)])
    let console = made.device("console", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.at(0, console, .connect)
    for index: UInt64 in 0..<4 { made.submit(2000 + index * 60, console, topic: 0, quality: 1) }
    made.at(4000, phone, .disconnect)
    made.submit(5000, console, topic: 0, quality: 1)
    made.submit(5500, console, topic: 0, quality: 1)
    made.at(8000, phone, .connect)
    made.submit(8300, console, topic: 0, quality: 1)
    return made.build()
  }()

  static let lockedDevice: Scenario = {
    var made = scenario("commands that a locked device can't carry out", topics: ["mdm:fleet"])
    let phone = made.device(
      "phone", [Parameter("locked-until", seconds(30)), Parameter("asks-after-unlock", 0)])
    let console = made.device("console", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.at(0, console, .connect)
    made.submit(2000, console, topic: 0, quality: 1)
    made.submit(2500, console, topic: 0, quality: 1)
    made.submit(20_000, console, topic: 0, quality: 1)
    return made.build()
  }()

  static let tokens: Scenario = {
    var made = scenario(
      "an identity token that ends every two minutes",
      topics: ["push:com.example.chat", "sync:Photos"])
    let token = [
      Parameter("credential-lifetime", seconds(120)), Parameter("refresh-before", seconds(30)),
    ]
    let phone = made.device("phone", token)
    let server = made.device("provider", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.at(0, phone, .subscribe(topic: 1, quality: 1))
    made.at(0, server, .connect)
    made.submit(5000, server, topic: 0, quality: 1)
    made.submit(89_990, server, topic: 1, quality: 1)
    made.submit(121_000, server, topic: 0, quality: 1)
    // The service that issues tokens is not itself when the next one is due.
    made.strike(89_000, phone, .refuseRefresh(for: .seconds(10)))
    return made.build()
  }()

  static let newTokens: Scenario = {
    var made = scenario(
      "push tokens that change with every other connect",
      topics: ["push:com.example.chat", "sync:Photos"], server: [Parameter("rotate-every", 2)])
    let phone = made.device("phone")
    let server = made.device("provider", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.at(0, phone, .subscribe(topic: 1, quality: 1))
    made.at(0, server, .connect)
    made.submit(2000, server, topic: 0, quality: 1)
    made.at(4000, phone, .disconnect)
    made.submit(5000, server, topic: 1, quality: 1)
    made.at(6000, phone, .connect)
    made.submit(6050, server, topic: 1, quality: 1)
    made.submit(9000, server, topic: 0, quality: 1)
    made.submit(9500, server, topic: 1, quality: 1)
    return made.build()
  }()

  static let clocks: Scenario = {
    var made = scenario(
      "a courier that minds the time in nonces", topics: ["push:com.example.chat"],
      server: [Parameter("nonce-tolerance", seconds(60))])
    let phone = made.device("phone")
    let server = made.device("provider", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.at(0, server, .connect)
    made.submit(2000, server, topic: 0, quality: 1)
    made.at(4000, phone, .disconnect)
    made.at(6000, phone, .connect)
    made.submit(9000, server, topic: 0, quality: 1)
    made.at(12_000, phone, .disconnect)
    // It is wrong until everybody comes back; then somebody has set it right.
    made.strike(0, phone, .clockJump(.client, forward: false, by: .hours(3)))
    return made.build()
  }()

  static let apps: Scenario = {
    var made = scenario(
      "apps come and go", topics: ["push:com.example.chat", "sync:Photos", "mdm:fleet"])
    let phone = made.device("phone")
    let server = made.device("provider", [provider])
    made.join(0, phone, topic: 0, quality: 1)
    made.at(0, server, .connect)
    made.at(2000, phone, .subscribe(topic: 1, quality: 1))
    made.at(2500, phone, .subscribe(topic: 2, quality: 1))
    made.submit(4000, server, topic: 1, quality: 1)
    made.submit(4100, server, topic: 2, quality: 1)
    made.at(5000, phone, .unsubscribe(topic: 0))
    made.submit(5020, server, topic: 0, quality: 1)
    made.at(8000, phone, .subscribe(topic: 0, quality: 1))
    made.submit(10_000, server, topic: 0, quality: 1)
    made.at(12_000, phone, .kill(host: false))
    made.submit(13_000, server, topic: 1, quality: 1)
    made.at(15_000, phone, .launch)
    return made.build()
  }()
}
