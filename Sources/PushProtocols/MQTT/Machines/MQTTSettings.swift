internal import Custody
internal import Simulation
internal import Timeline

/// What a device's parameters say, read once.
struct MQTTDeviceSettings: Sendable, BitwiseCopyable {
  var version5 = false
  var keepAlive = Nanoseconds.seconds(60)
  var pingTimeout = Nanoseconds.seconds(10)
  var connectTimeout = Nanoseconds.seconds(10)
  var cleanStart = false
  /// As the server will count it: with 3.1.1 it follows from the clean session flag.
  var sessionExpiry = Nanoseconds.forever
  var receiveMaximum: UInt16 = .max
  var maximumInFlight: UInt16 = 20
  var willTopic: UInt16 = .max
  var willQuality: UInt8 = 1
  var willDelay: UInt16 = 0
  var durable = false
  var resubscribes = false
  var fightsTakeover = false
  var backOffMinimum = Nanoseconds.seconds(1)
  var backOffMaximum = Nanoseconds.seconds(60)
  var jitterPercent: UInt64 = 20
  var credentialLifetime = Nanoseconds.forever
  var refreshBefore = Nanoseconds.seconds(60)
  var credentialTimeout = Nanoseconds.seconds(10)

  init() {}

  init(_ device: Device) {
    for parameter in device.parameters { take(parameter.name, parameter.value) }
    if !version5 {
      sessionExpiry = cleanStart ? .zero : .forever
      receiveMaximum = .max
      willDelay = 0
    }
  }

  // Lengths first: most names are told apart without comparing strings, and a search reads settings
  // for every other scenario.
  private mutating func take(_ name: String, _ value: UInt64) {
    switch (name.utf8.count, name) {
    case (7, "version"): version5 = value >= 5
    case (10, "keep-alive"): keepAlive = Nanoseconds(value)
    case (12, "ping-timeout"): pingTimeout = Nanoseconds(value)
    case (15, "connect-timeout"): connectTimeout = Nanoseconds(value)
    case (11, "clean-start"): cleanStart = value != 0
    case (14, "session-expiry"): sessionExpiry = Nanoseconds(value)
    case (15, "receive-maximum"): receiveMaximum = UInt16(clamping: max(1, value))
    case (13, "max-in-flight"): maximumInFlight = UInt16(clamping: max(1, value))
    case (10, "will-topic"): willTopic = UInt16(clamping: value)
    case (12, "will-quality"): willQuality = UInt8(clamping: min(2, value))
    case (10, "will-delay"): willDelay = Nanoseconds(value).wireSeconds
    case (7, "durable"): durable = value != 0
    case (11, "resubscribe"): resubscribes = value != 0
    case (14, "fight-takeover"): fightsTakeover = value != 0
    case (12, "back-off-min"): backOffMinimum = Nanoseconds(max(1, value))
    case (12, "back-off-max"): backOffMaximum = Nanoseconds(max(1, value))
    case (6, "jitter"): jitterPercent = min(100, value)
    case (19, "credential-lifetime"): credentialLifetime = Nanoseconds(value)
    case (14, "refresh-before"): refreshBefore = Nanoseconds(value)
    case (18, "credential-timeout"): credentialTimeout = Nanoseconds(value)
    default: break  // Reported when the scenario is read.
    }
  }

  var usesCredential: Bool { credentialLifetime != .forever }
  /// Session state that ends with the connection.
  var isTransient: Bool { sessionExpiry == .zero }

  static let parameters: [ParameterKind] = [
    .init("version", .count, standard: 4, "4 for MQTT 3.1.1, 5 for MQTT 5.0"),
    .init("keep-alive", .duration, standard: 60_000_000_000, "0: off"),
    .init(
      "ping-timeout", .duration, standard: 10_000_000_000,
      "closes the connection when PINGRESP takes longer"),
    .init(
      "connect-timeout", .duration, standard: 10_000_000_000,
      "gives an attempt up when CONNACK takes longer"),
    .init("clean-start", .flag, standard: 0, "clean session of 3.1.1, clean start of 5.0"),
    .init(
      "session-expiry", .duration, standard: .max,
      "5.0: how long the session state outlives a connection"),
    .init(
      "receive-maximum", .count, standard: 65535, "5.0: what the device allows to be in flight"),
    .init("max-in-flight", .count, standard: 20, "what the device itself lets be in flight"),
    .init("will-topic", .topic, standard: .max, "a will is published there"),
    .init("will-quality", .count, standard: 1, "quality of service of the will"),
    .init("will-delay", .duration, standard: 0, "5.0: how long the will waits for the device"),
    .init("durable", .flag, standard: 0, "the device's session state survives its program"),
    .init("resubscribe", .flag, standard: 0, "subscribes anew after every connect"),
    .init("fight-takeover", .flag, standard: 0, "5.0: reconnects after \"session taken over\""),
    .init("back-off-min", .duration, standard: 1_000_000_000, "pause before the second attempt"),
    .init("back-off-max", .duration, standard: 60_000_000_000, "longest pause between attempts"),
    .init("jitter", .count, standard: 20, "percent by which a pause may be longer"),
    .init(
      "credential-lifetime", .duration, standard: .max, "of what the token service issues"),
    .init(
      "refresh-before", .duration, standard: 60_000_000_000,
      "asks for the next credential this long before the end of the present one"),
    .init(
      "credential-timeout", .duration, standard: 10_000_000_000,
      "asks again when the token service takes longer"),
  ]
}

/// What the server's parameters say, read once.
struct MQTTServerSettings: Sendable, BitwiseCopyable {
  var receiveMaximum: UInt16 = .max
  var maximumInFlight: UInt16 = 20
  var queueLimit: UInt32 = 0
  var sessionExpiryLimit = Nanoseconds.forever
  var persistent = true
  /// Seconds, 0: not said.
  var keepAlive: UInt16 = 0
  var enforcesCredentials = true
  var clockTolerance = Nanoseconds.seconds(5)
  var retains = true
  var connectTimeout = Nanoseconds.seconds(10)

  init() {}

  init(_ scenario: Scenario) {
    for parameter in scenario.serverParameters { take(parameter.name, parameter.value) }
  }

  private mutating func take(_ name: String, _ value: UInt64) {
    switch (name.utf8.count, name) {
    case (15, "receive-maximum"): receiveMaximum = UInt16(clamping: max(1, value))
    case (13, "max-in-flight"): maximumInFlight = UInt16(clamping: max(1, value))
    case (11, "queue-limit"): queueLimit = UInt32(clamping: value)
    case (20, "session-expiry-limit"): sessionExpiryLimit = Nanoseconds(value)
    case (11, "persistence"): persistent = value != 0
    case (17, "server-keep-alive"): keepAlive = Nanoseconds(value).wireSeconds
    case (19, "enforce-credentials"): enforcesCredentials = value != 0
    case (15, "clock-tolerance"): clockTolerance = Nanoseconds(value)
    case (8, "retained"): retains = value != 0
    case (15, "connect-timeout"): connectTimeout = Nanoseconds(max(1, value))
    default: break  // Reported when the scenario is read.
    }
  }

  static let parameters: [ParameterKind] = [
    .init("receive-maximum", .count, standard: 65535, "5.0: what the server announces"),
    .init("max-in-flight", .count, standard: 20, "what the server itself lets be in flight"),
    .init("queue-limit", .count, standard: 0, "messages a session may hold; 0: any number"),
    .init(
      "session-expiry-limit", .duration, standard: .max,
      "no session state outlives its connection by more"),
    .init("persistence", .flag, standard: 1, "session state survives a restart"),
    .init("server-keep-alive", .duration, standard: 0, "5.0: replaces the device's; 0: not said"),
    .init(
      "enforce-credentials", .flag, standard: 1,
      "disconnects when the credential of a connection ends"),
    .init(
      "clock-tolerance", .duration, standard: 5_000_000_000,
      "a credential is good for this long after its end"),
    .init("retained", .flag, standard: 1, "keeps retained messages"),
    .init(
      "connect-timeout", .duration, standard: 10_000_000_000,
      "closes a connection on which no CONNECT came"),
  ]
}

/// Which topics of a scenario each of its topics matches, taken as a filter.
struct MQTTTopicTable: Sendable {
  private var topics: [String] = []
  private var matches: [Bool] = []

  var count: Int { topics.count }

  /// Works the table out anew, unless it is about these topics already.
  mutating func learn(_ topics: [String]) {
    guard topics != self.topics else { return }
    self.topics = topics
    matches.removeAll(keepingCapacity: true)
    for filter in topics {
      let filter = MQTTTopicFilter(filter)
      for topic in topics { matches.append(filter.matches(topic)) }
    }
  }

  @inline(__always)
  func matches(filter: Int, topic: Int) -> Bool {
    topic < count && matches[filter &* count &+ topic]
  }
}

/// Where the numbers of wills begin in a ledger; the device's position is added.
let firstWillPublication: UInt16 = 60_000
