internal import Custody
public import Simulation
internal import Timeline

/// What makes one failing scenario better than another: shortlex. Fewer parts come first, since
/// every part is something to understand; among equally many, weaker, rounder and smaller ones.
public struct ScenarioSize: Hashable, Comparable, Sendable {
  /// From the most to the least important.
  private var parts:
    (events: Int, devices: Int, faults: Int, settings: Int, kinds: Int, anchors: Int) =
      (0, 0, 0, 0, 0, 0)
  private var sizes:
    (
      roughMagnitudes: Int, magnitudes: UInt64, roughTimes: Int, times: UInt64, details: UInt64
    ) = (0, 0, 0, 0, 0)

  public init(_ scenario: Scenario) {
    // One fault more is worth two steps less.
    parts.events = scenario.faults.count + scenario.steps.count
    parts.devices = scenario.devices.count
    parts.faults = scenario.faults.count
    countSettings(scenario)
    for fault in scenario.faults { add(fault) }
    for step in scenario.steps {
      add(step.time)
      add(step.action)
    }
  }

  private mutating func countSettings(_ scenario: Scenario) {
    parts.settings = scenario.topics.count + scenario.serverParameters.count
    parts.settings += PathSetting.allCases.count { !$0.isStandard(in: scenario.path) }
    if scenario.budget != StormBudget() { parts.settings += 1 }
    addRoughness(scenario.path.rtt)
    for parameter in scenario.serverParameters { addRoughness(Nanoseconds(parameter.value)) }
    for device in scenario.devices {
      parts.settings += device.parameters.count + (device.identity == device.name ? 0 : 1)
      for parameter in device.parameters { addRoughness(Nanoseconds(parameter.value)) }
    }
  }

  private mutating func add(_ fault: Fault) {
    parts.kinds += fault.kind.strength
    switch fault.anchor {
    case .at(let time):
      parts.anchors += 1
      add(time)
    case .message(_, _, let ordinal): sizes.details &+= UInt64(ordinal)
    case .state(_, _, let ordinal):
      parts.anchors += 2
      sizes.details &+= UInt64(ordinal)
    }
    for magnitude in [fault.kind.by, fault.kind.length] {
      guard let magnitude else { continue }
      addRoughness(magnitude)
      // Clamped so that a few of "for ever" still add up.
      sizes.magnitudes += min(magnitude.count, 1 << 57)
    }
  }

  private mutating func add(_ action: Action) {
    switch action {
    case .submit(let submission):
      sizes.details &+= UInt64(submission.publication) &+ UInt64(submission.topic)
      sizes.details &+= UInt64(submission.quality) &+ (submission.retain ? 1 : 0)
      if submission.expiry != .forever {
        parts.settings += 1
        addRoughness(submission.expiry)
      }
    case .subscribe(let topic, let quality): sizes.details &+= UInt64(topic) + UInt64(quality)
    case .unsubscribe(let topic): sizes.details &+= UInt64(topic)
    case .kill(let host): parts.kinds += host ? 1 : 0
    case .connect, .disconnect, .sleep, .wake, .launch: break
    }
  }

  private mutating func add(_ time: Instant) {
    sizes.roughTimes += RoundLength.roughness(time)
    sizes.times += min(time.nanoseconds, 1 << 52)
  }

  private mutating func addRoughness(_ length: Nanoseconds) {
    sizes.roughMagnitudes += RoundLength.roughness(length)
  }

  public static func < (a: Self, b: Self) -> Bool {
    if a.parts != b.parts { return a.parts < b.parts }
    return a.sizes < b.sizes
  }

  public static func == (a: Self, b: Self) -> Bool { a.parts == b.parts && a.sizes == b.sizes }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(parts.events)
    hasher.combine(sizes.times)
  }
}

extension FaultKind {
  /// How drastic it is: among kinds that show the same failure the weakest is the best explanation.
  var strength: Int {
    switch self {
    case .delay, .resubmit, .expireCredential: 1
    case .reset(let client, let server): client && server ? 2 : 3
    case .clockJump, .slowRefresh, .refuseRefresh: 2
    case .pause, .slow, .refuse, .staleRefresh, .loseRefresh, .throttleRefresh: 3
    case .cut: 4
    case .lose(let direction, _): direction == .both ? 6 : 5
    case .forgetMapping(let reset): reset ? 6 : 7
    case .halfOpen, .changeNetwork: 7
    case .killClient(_, let host): host ? 9 : 8
    case .restartServer(_, let host, let wipe): 8 + (host ? 1 : 0) + (wipe ? 2 : 0)
    }
  }
}

/// The settings of a path, one by one.
enum PathSetting: CaseIterable {
  case rtt, serverDelay, deviceDelay, natTimeout, natResets, userTimeout
  case keepAliveIdle, keepAliveInterval, keepAliveCount

  func isStandard(in path: PathSettings) -> Bool {
    var other = path
    reset(in: &other)
    return other == path
  }

  func reset(in path: inout PathSettings) {
    let standard = PathSettings()
    switch self {
    case .rtt: path.rtt = standard.rtt
    case .serverDelay: path.serverDelay = standard.serverDelay
    case .deviceDelay: path.deviceDelay = standard.deviceDelay
    case .natTimeout: path.natTimeout = standard.natTimeout
    case .natResets: path.natResets = standard.natResets
    case .userTimeout: path.userTimeout = standard.userTimeout
    case .keepAliveIdle: path.keepAliveIdle = standard.keepAliveIdle
    case .keepAliveInterval: path.keepAliveInterval = standard.keepAliveInterval
    case .keepAliveCount: path.keepAliveCount = standard.keepAliveCount
    }
  }
}
