internal import Simulation
internal import Timeline

/// What a provider's parameters say, read once.
struct APNsProviderClientSettings: Sendable, BitwiseCopyable {
  var pingInterval = Nanoseconds.seconds(60)
  var pingTimeout = Nanoseconds.seconds(10)
  var requestTimeout = Nanoseconds.seconds(15)
  var connectTimeout = Nanoseconds.seconds(10)
  var renewAfter = Nanoseconds.minutes(50)
  var maximumStreams: UInt16 = 100
  var drainTimeout = Nanoseconds.seconds(10)
  var backOffMinimum = Nanoseconds.seconds(1)
  var backOffMaximum = Nanoseconds.seconds(60)
  var jitterPercent: UInt64 = 20
  var durable = false

  init() {}

  init(_ device: Device) {
    for parameter in device.parameters {
      let value = parameter.value
      switch parameter.name {
      case "ping-interval": pingInterval = Nanoseconds(max(1, value))
      case "ping-timeout": pingTimeout = Nanoseconds(max(1, value))
      case "request-timeout": requestTimeout = Nanoseconds(max(1, value))
      case "connect-timeout": connectTimeout = Nanoseconds(max(1, value))
      case "renew-after": renewAfter = Nanoseconds(max(1, value))
      case "max-streams": maximumStreams = UInt16(clamping: max(1, value))
      case "drain-timeout": drainTimeout = Nanoseconds(max(1, value))
      case "back-off-min": backOffMinimum = Nanoseconds(max(1, value))
      case "back-off-max": backOffMaximum = Nanoseconds(max(1, value))
      case "jitter": jitterPercent = min(100, value)
      case "durable": durable = value != 0
      default: break  // Reported when the scenario is read.
      }
    }
    // Apple: not more often than every 20 minutes, not more seldom than every 60.
    renewAfter = min(max(renewAfter, .minutes(20)), .minutes(55))
  }

  static let parameters: [ParameterKind] = [
    .init("ping-interval", .duration, standard: 60_000_000_000, "PING after this much silence"),
    .init(
      "ping-timeout", .duration, standard: 10_000_000_000,
      "leaves the connection when the answer to PING takes longer"),
    .init(
      "request-timeout", .duration, standard: 15_000_000_000,
      "asks again when an answer takes longer: its outcome is not known"),
    .init(
      "connect-timeout", .duration, standard: 10_000_000_000,
      "gives an attempt up when SETTINGS take longer"),
    .init(
      "renew-after", .duration, standard: 3_000_000_000_000,
      "makes a new provider token when the present one is so old (20 to 55 minutes)"),
    .init("max-streams", .count, standard: 100, "requests that may be open at a time"),
    .init(
      "drain-timeout", .duration, standard: 10_000_000_000,
      "leaves a connection so long after its GOAWAY, whatever is open on it"),
    .init("back-off-min", .duration, standard: 1_000_000_000, "pause before the second attempt"),
    .init("back-off-max", .duration, standard: 60_000_000_000, "longest pause between attempts"),
    .init("jitter", .count, standard: 20, "percent by which a pause may be longer"),
    .init("durable", .flag, standard: 0, "what was not answered survives the program"),
  ]
}

/// What the server's parameters say, read once.
struct APNsProviderFrontSettings: Sendable, BitwiseCopyable {
  var maximumStreams: UInt32 = 1000
  var goAwayAfter: UInt64 = 0
  var goAwayAt: UInt64 = 0
  var unansweredEvery: UInt64 = 0
  var answerSpread = Nanoseconds.zero
  var throttle: UInt64 = 0
  var busyFor = Nanoseconds.zero
  var warmUp = Nanoseconds.zero
  var idleDrop = Nanoseconds.hours(1)
  var idleWedge = Nanoseconds.forever
  var tokenLifetime = Nanoseconds.minutes(60)
  var updateInterval = Nanoseconds.minutes(20)
  var clockTolerance = Nanoseconds.seconds(5)
  var goneTopic: UInt16 = .max
  var goneSince = Nanoseconds.zero
  var backAfter = Nanoseconds.forever

  init() {}

  init(_ scenario: Scenario) {
    for parameter in scenario.serverParameters {
      let value = parameter.value
      switch parameter.name {
      case "max-streams": maximumStreams = UInt32(clamping: max(1, value))
      case "goaway-after": goAwayAfter = value
      case "goaway-at": goAwayAt = value
      case "unanswered-every": unansweredEvery = value == 1 ? 2 : value
      case "answer-spread": answerSpread = Nanoseconds(value)
      case "throttle": throttle = value
      case "busy-for": busyFor = Nanoseconds(value)
      case "warm-up": warmUp = Nanoseconds(value)
      case "idle-drop": idleDrop = Nanoseconds(max(1_000_000_000, value))
      case "idle-wedge": idleWedge = Nanoseconds(max(1_000_000_000, value))
      case "gone-topic": goneTopic = UInt16(clamping: value)
      case "gone-since": goneSince = Nanoseconds(value)
      case "back-after": backAfter = Nanoseconds(value)
      default: break  // Reported when the scenario is read.
      }
    }
  }

  static let parameters: [ParameterKind] = [
    .init("max-streams", .count, standard: 1000, "MAX_CONCURRENT_STREAMS"),
    .init("goaway-after", .count, standard: 0, "GOAWAY after so many requests; 0: never"),
    .init("goaway-at", .count, standard: 0, "GOAWAY once, at this request of all; 0: never"),
    .init("unanswered-every", .count, standard: 0, "leaves every so manieth request unanswered"),
    .init("answer-spread", .duration, standard: 0, "every other answer takes so much longer"),
    .init("throttle", .count, standard: 0, "requests a second for one device; 0: any number"),
    .init("busy-for", .duration, standard: 0, "answers 503 for so long after its start"),
    .init("warm-up", .duration, standard: 0, "GOAWAY before SETTINGS for so long after its start"),
    .init("idle-drop", .duration, standard: 3_600_000_000_000, "closes a silent connection"),
    .init(
      "idle-wedge", .duration, standard: .max,
      "after so long without a request a connection answers 500 for ever"),
    .init("gone-topic", .topic, standard: .max, "a device token that becomes invalid"),
    .init("gone-since", .duration, standard: 0, "when, from the beginning"),
    .init("back-after", .duration, standard: .max, "when it is valid again, from the beginning"),
  ]
}
