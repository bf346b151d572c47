internal import Custody
internal import Simulation
internal import Timeline

/// What a topic of a scenario is for, by the word before its colon.
enum APNsTopicKind: UInt8, Sendable, BitwiseCopyable {
  /// `push:`: notifications that are the message themselves.
  case push
  /// `sync:`: silent pushes about changes in a zone, which the app has to fetch.
  case sync
  /// `mdm:`: pushes about commands, which the device has to ask for.
  case mdm

  init(_ topic: String) {
    if topic.utf8.starts(with: "sync:".utf8) {
      self = .sync
    } else if topic.utf8.starts(with: "mdm:".utf8) {
      self = .mdm
    } else {
      self = .push
    }
  }

  /// Where the app registers and asks.
  var port: Port { self == .mdm ? .management : .service }
}

extension Port {
  /// HTTP/2 to APNs, from providers.
  static var provider: Port { Port(1) }
  /// HTTPS to the services of apps, CloudKit among them.
  static var service: Port { Port(8) }
  /// HTTPS to the MDM server.
  static var management: Port { Port(9) }
}

/// What a device's parameters say, read once.
struct APNsDeviceSettings: Sendable, BitwiseCopyable {
  var isProvider = false
  var keepAlive = Nanoseconds.minutes(10)
  var keepAliveMaximum = Nanoseconds.minutes(30)
  var keepAliveGrowth: UInt64 = 0
  var keepAliveTimeout = Nanoseconds.seconds(20)
  var connectTimeout = Nanoseconds.seconds(15)
  var requestTimeout = Nanoseconds.seconds(30)
  var backOffMinimum = Nanoseconds.seconds(1)
  var backOffMaximum = Nanoseconds.seconds(60)
  var credentialLifetime = Nanoseconds.forever
  var refreshBefore = Nanoseconds.zero
  var credentialTimeout = Nanoseconds.seconds(10)
  var fetchInterval = Nanoseconds.minutes(15)
  var prefetchInterval = Nanoseconds.forever
  var lockedUntil = Nanoseconds.zero
  var failsEvery: UInt16 = 0
  var asksAfterUnlock = true

  init() {}

  init(_ device: Device) {
    for parameter in device.parameters { take(parameter.name, parameter.value) }
    keepAliveMaximum = keepAliveGrowth == 0 ? keepAlive : max(keepAlive, keepAliveMaximum)
    backOffMaximum = max(backOffMinimum, backOffMaximum)
    // A provider signs its tokens itself.
    if isProvider { credentialLifetime = .forever }
    if refreshBefore == .zero { refreshBefore = max(.seconds(60), credentialLifetime / 4) }
  }

  // Lengths first: most names are told apart without comparing strings, and a search reads settings
  // for every other scenario.
  private mutating func take(_ name: String, _ value: UInt64) {
    let length = Nanoseconds(max(1, value))
    switch (name.utf8.count, name) {
    case (8, "provider"): isProvider = value != 0
    case (10, "keep-alive"): keepAlive = max(length, .seconds(1))
    case (14, "keep-alive-max"): keepAliveMaximum = length
    case (17, "keep-alive-growth"): keepAliveGrowth = min(value, 1000)
    case (18, "keep-alive-timeout"): keepAliveTimeout = length
    case (15, "connect-timeout"): connectTimeout = length
    case (15, "request-timeout"): requestTimeout = length
    case (12, "back-off-min"): backOffMinimum = length
    case (12, "back-off-max"): backOffMaximum = length
    case (19, "credential-lifetime"): credentialLifetime = length
    case (14, "refresh-before"): refreshBefore = Nanoseconds(value)
    case (18, "credential-timeout"): credentialTimeout = length
    case (14, "fetch-interval"): fetchInterval = max(length, .seconds(10))
    case (17, "prefetch-interval"): prefetchInterval = max(length, .seconds(10))
    case (12, "locked-until"): lockedUntil = Nanoseconds(value)
    case (17, "asks-after-unlock"): asksAfterUnlock = value != 0
    case (11, "fails-every"): failsEvery = UInt16(clamping: value)
    default: break  // Reported when the scenario is read.
    }
  }

  var usesCredential: Bool { credentialLifetime != .forever }

  static let parameters: [ParameterKind] = [
    .init(
      "provider", .flag, standard: 0,
      "a provider with a standing HTTP/2 connection to APNs, not a device"),
    .init(
      "keep-alive", .duration, standard: 600_000_000_000,
      "first interval of keep-alives (a provider's: of PINGs)"),
    .init(
      "keep-alive-max", .duration, standard: 1_800_000_000_000,
      "the interval grows no further; without growth it stays as it is"),
    .init(
      "keep-alive-growth", .count, standard: 0,
      "percent by which the interval grows after each answered keep-alive"),
    .init(
      "keep-alive-timeout", .duration, standard: 20_000_000_000,
      "the connection is over when an answer takes longer"),
    .init(
      "connect-timeout", .duration, standard: 15_000_000_000,
      "gives an attempt up when the connect response takes longer"),
    .init(
      "request-timeout", .duration, standard: 30_000_000_000,
      "gives a request to a service up when its answer takes longer"),
    .init("back-off-min", .duration, standard: 1_000_000_000, "pause before the second attempt"),
    .init("back-off-max", .duration, standard: 60_000_000_000, "longest pause between attempts"),
    .init(
      "credential-lifetime", .duration, standard: .max,
      "of the identity token that the token service issues"),
    .init(
      "refresh-before", .duration, standard: 0,
      "asks for the next identity token this long before the end of the present one; 0: a quarter "
        + "of its lifetime"),
    .init(
      "credential-timeout", .duration, standard: 10_000_000_000,
      "asks again when the token service takes longer"),
    .init(
      "fetch-interval", .duration, standard: 900_000_000_000,
      "apps look for changes this often even when nothing wakes them"),
    .init(
      "prefetch-interval", .duration, standard: .max,
      "predictive prefetch: looks for changes at these times, beside the pushes"),
    .init(
      "locked-until", .duration, standard: 0,
      "until then commands are answered NotNow"),
    .init(
      "asks-after-unlock", .flag, standard: 1,
      "asks for commands by itself when it is not locked any more"),
    .init(
      "fails-every", .count, standard: 0,
      "commands whose number is a multiple of this fail with Error; 0: none"),
  ]
}

/// What the server's parameters say, read once.
struct APNsServerSettings: Sendable, BitwiseCopyable {
  var enforcesCredentials = true
  var clockTolerance = Nanoseconds.seconds(5)
  var nonceTolerance = Nanoseconds.minutes(10)
  var filterTimeout = Nanoseconds.seconds(10)
  var silenceGrace = Nanoseconds.seconds(60)
  var presumedInterval = Nanoseconds.minutes(10)
  var unackedLimit: UInt16 = 0
  var countsAccepted = true
  var changeHorizon: UInt32 = 0
  var fetchLimit: UInt16 = 0
  var repush = Nanoseconds.minutes(10)
  var rotateEvery: UInt16 = 0
  var redirects: UInt16 = 0
  var storedPerApp = 1
  var refusalLimit: UInt16 = 5
  var throttle = Nanoseconds.minutes(1)

  init() {}

  init(_ scenario: Scenario) {
    for parameter in scenario.serverParameters { take(parameter.name, parameter.value) }
  }

  private mutating func take(_ name: String, _ value: UInt64) {
    let length = Nanoseconds(max(1, value))
    switch (name.utf8.count, name) {
    case (19, "enforce-credentials"): enforcesCredentials = value != 0
    case (15, "clock-tolerance"): clockTolerance = Nanoseconds(value)
    case (15, "nonce-tolerance"): nonceTolerance = max(length, .seconds(30))
    case (14, "filter-timeout"): filterTimeout = max(length, .seconds(5))
    case (13, "silence-grace"): silenceGrace = max(length, .seconds(30))
    case (17, "presumed-interval"): presumedInterval = max(length, .seconds(10))
    case (13, "unacked-limit"): unackedLimit = UInt16(clamping: value)
    case (15, "counts-accepted"): countsAccepted = value != 0
    case (14, "change-horizon"): changeHorizon = UInt32(clamping: value)
    case (11, "fetch-limit"): fetchLimit = UInt16(clamping: value)
    case (12, "rotate-every"): rotateEvery = UInt16(clamping: value)
    case (9, "redirects"): redirects = UInt16(min(value, UInt64(APNsDevice.mostRedirects)))
    case (14, "stored-per-app"): storedPerApp = Int(clamping: max(1, value))
    case (13, "refusal-limit"): refusalLimit = UInt16(clamping: value)
    case (8, "throttle"): throttle = length
    case (6, "repush"): repush = max(length, .seconds(30))
    default: break  // Reported when the scenario is read.
    }
  }

  /// How long a device that announced this interval may be silent.
  func silenceLimit(_ interval: Nanoseconds) -> Nanoseconds { interval * 3 / 2 + silenceGrace }

  static let parameters: [ParameterKind] = [
    .init(
      "enforce-credentials", .flag, standard: 1,
      "closes a connection when the identity token that it was opened with ends"),
    .init(
      "clock-tolerance", .duration, standard: 5_000_000_000,
      "an identity token is good for this long after its end"),
    .init(
      "nonce-tolerance", .duration, standard: 600_000_000_000,
      "how far the time in a connect's nonce may be off"),
    .init(
      "filter-timeout", .duration, standard: 10_000_000_000,
      "closes a connection on which no connect or no filter came"),
    .init(
      "silence-grace", .duration, standard: 60_000_000_000,
      "closes a connection that is silent for this and one and a half keep-alive intervals"),
    .init(
      "presumed-interval", .duration, standard: 600_000_000_000,
      "the keep-alive interval that is expected of a device before it says its own"),
    .init(
      "unacked-limit", .count, standard: 0,
      "closes a connection with more unacknowledged notifications (no fewer than are stored for "
        + "all apps); 0: never"),
    .init(
      "counts-accepted", .flag, standard: 1,
      "the services' books count a push as delivered when APNs accepts it (200)"),
    .init(
      "change-horizon", .count, standard: 0,
      "change tokens further behind are expired; 0: never"),
    .init(
      "fetch-limit", .count, standard: 0,
      "fetches of one device in a minute before it is told to wait; 0: any number"),
    .init(
      "rotate-every", .count, standard: 0,
      "every so many connects of a device it gets another push token; 0: never"),
    .init(
      "redirects", .count, standard: 0,
      "a connect is sent to another courier so often, at most 3 times, before one lets it in"),
    .init(
      "stored-per-app", .count, standard: 1,
      "so many notifications of one app are stored for a device that is away"),
    .init(
      "refusal-limit", .count, standard: 5,
      "connects refused to one device, none of them `throttle` after the last, before it is not "
        + "heard any more; 0: it always is"),
    .init(
      "throttle", .duration, standard: 60_000_000_000,
      "a device that is not heard any more is heard again when it has not tried for this long"),
    .init(
      "repush", .duration, standard: 600_000_000_000,
      "the MDM server pushes again this often while commands wait"),
  ]
}
