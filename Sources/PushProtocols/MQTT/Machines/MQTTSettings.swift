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
    for kind in Self.parameters {
      let value = device.parameters.last { $0.name == kind.name }?.value ?? kind.standard
      take(kind.name, value)
    }
    if !version5 {
      sessionExpiry = cleanStart ? .zero : .forever
      receiveMaximum = .max
      willDelay = 0
    }
  }

  private mutating func take(_ name: String, _ value: UInt64) {
    switch name {
    case "version": version5 = value >= 5
    case "keep-alive": keepAlive = Nanoseconds(value)
    case "ping-timeout": pingTimeout = Nanoseconds(value)
    case "connect-timeout": connectTimeout = Nanoseconds(value)
    case "clean-start": cleanStart = value != 0
    case "session-expiry": sessionExpiry = Nanoseconds(value)
    case "receive-maximum": receiveMaximum = UInt16(clamping: max(1, value))
    case "max-in-flight": maximumInFlight = UInt16(clamping: max(1, value))
    case "will-topic": willTopic = UInt16(clamping: value)
    case "will-quality": willQuality = UInt8(clamping: min(2, value))
    case "will-delay": willDelay = Nanoseconds(value).wireSeconds
    case "durable": durable = value != 0
    case "resubscribe": resubscribes = value != 0
    case "fight-takeover": fightsTakeover = value != 0
    case "back-off-min": backOffMinimum = Nanoseconds(max(1, value))
    case "back-off-max": backOffMaximum = Nanoseconds(max(1, value))
    case "jitter": jitterPercent = min(100, value)
    case "credential-lifetime": credentialLifetime = Nanoseconds(value)
    case "refresh-before": refreshBefore = Nanoseconds(value)
    case "credential-timeout": credentialTimeout = Nanoseconds(value)
    default: preconditionFailure("no device parameter \(name)")
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
    for kind in Self.parameters {
      let value =
        scenario.serverParameters.last { $0.name == kind.name }?.value ?? kind.standard
      take(kind.name, value)
    }
  }

  private mutating func take(_ name: String, _ value: UInt64) {
    switch name {
    case "receive-maximum": receiveMaximum = UInt16(clamping: max(1, value))
    case "max-in-flight": maximumInFlight = UInt16(clamping: max(1, value))
    case "queue-limit": queueLimit = UInt32(clamping: value)
    case "session-expiry-limit": sessionExpiryLimit = Nanoseconds(value)
    case "persistence": persistent = value != 0
    case "server-keep-alive": keepAlive = Nanoseconds(value).wireSeconds
    case "enforce-credentials": enforcesCredentials = value != 0
    case "clock-tolerance": clockTolerance = Nanoseconds(value)
    case "retained": retains = value != 0
    case "connect-timeout": connectTimeout = Nanoseconds(max(1, value))
    default: preconditionFailure("no server parameter \(name)")
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
  private(set) var count = 0
  private var matches: [Bool] = []

  init() {}

  init(_ topics: [String]) {
    count = topics.count
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
