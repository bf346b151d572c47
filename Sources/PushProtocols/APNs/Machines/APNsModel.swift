public import Simulation
public import Timeline

/// Apple push as a simulation knows it: devices, the courier, services of apps, MDM, providers.
///
/// Topics say by their first word what they are for: `push:` notifications, `sync:` zones of
/// changes, `mdm:` commands. A device's app subscribes to a topic (it is installed, wants pushes,
/// and registers with its service); a submission by a provider is a push, a change or a command by
/// its topic, one by a device is a change that its app saves.
public enum APNsModel: PushModel {
  public typealias Message = APNsMessage
  public typealias Watcher = APNsWitness

  public static let name = "apns"

  public static let messageKinds = ["any"] + APNsMessageKind.allCases.map(\.name)

  public static var deviceParameters: [ParameterKind] { APNsDeviceSettings.parameters }
  public static var serverParameters: [ParameterKind] { APNsServerSettings.parameters }
  public static var rules: [String] { APNsConduct.allCases.map(\.text) }

  /// For the reaction of a program.
  private static let slack = Nanoseconds.seconds(5)

  /// The device notices by a keep-alive that is not answered within its time, the courier by
  /// silence: its limit is not known, so it is the scenario's.
  public static func noticeBounds(of device: Device, in scenario: Scenario) -> NoticeBounds {
    let settings = APNsDeviceSettings(device)
    let server = APNsServerSettings(scenario)
    let interval = max(settings.keepAliveMaximum, server.presumedInterval)
    return NoticeBounds(
      client: settings.keepAliveMaximum + settings.keepAliveTimeout + slack,
      server: server.silenceLimit(interval) + slack)
  }

  /// Both ends notice, the device comes back from its longest pause and fails once more, its apps
  /// ask their services again, and the MDM server pushes again; twice.
  public static func calm(for scenario: Scenario) -> Nanoseconds {
    let server = APNsServerSettings(scenario)
    var longest = server.repush
    for device in scenario.devices {
      let settings = APNsDeviceSettings(device)
      let interval = max(settings.keepAliveMaximum, server.presumedInterval)
      let notice = max(
        settings.keepAliveMaximum + settings.keepAliveTimeout, server.silenceLimit(interval))
      var bound = notice + settings.backOffMaximum * 5 / 2 + settings.connectTimeout
      if settings.usesCredential {
        bound = bound + settings.credentialTimeout + settings.backOffMaximum * 5 / 4
      }
      bound = bound + max(settings.fetchInterval, server.repush)
      bound = bound + settings.requestTimeout + max(.minutes(2), server.throttle + .minutes(1))
      longest = max(longest, bound, settings.lockedUntil)
    }
    return (longest + scenario.path.rtt * 16) * 2 + slack
  }

  public static func credentialLifetime(of device: Device) -> Nanoseconds {
    APNsDeviceSettings(device).credentialLifetime
  }

  // MARK: - Words

  public static func describe(_ message: APNsMessage, in scenario: Scenario) -> String {
    let topic =
      Int(message.topic) < scenario.topics.count ? scenario.topics[Int(message.topic)] : "?"
    let name = message.what.name
    switch message.what {
    case .connect:
      return name + (message.token == 0 ? " without token" : " token \(message.token)")
    case .connectResponse:
      if message.flags.contains(.redirect) { return "\(name) to another courier" }
      if message.status == APNsStatus.ok.rawValue { return "\(name) ok, token \(message.token)" }
      let isThrottled = message.status == APNsStatus.triedTooOften.rawValue
      return "\(name) status \(message.status)"
        + (isThrottled ? ": throttled for \(Nanoseconds(message.first))" : "")
    case .filter:
      return "\(name) \(message.first.nonzeroBitCount) topics"
    case .notification:
      let marks = message.flags.contains(.stored) ? ", from storage" : ""
      return "\(name) \(message.publication) \(topic) (id \(message.id)\(marks))"
    case .ack:
      let refused = message.status == APNsStatus.ok.rawValue ? "" : ", status \(message.status)"
      return "\(name) id \(message.id)\(refused)"
    case .keepAlive:
      return "\(name) (interval \(Nanoseconds(message.first)))"
    case .keepAliveResponse, .noStorage, .setState:
      return name
    case .register, .registered:
      return "\(name) \(topic) token \(message.token)"
    case .fetch:
      return "\(name) \(topic) from \(position(message))"
    case .changes:
      return "\(name) \(topic)" + describe(changes: message)
    case .save, .saved, .push, .pushAnswer:
      return "\(name) \(message.publication) \(topic)"
    case .idle:
      return "\(name) \(topic)"
    case .command:
      return message.publication == 0 ? "\(name): none" : "\(name) \(message.publication) \(topic)"
    case .result:
      return "\(name) \(message.publication) " + describe(result: message.status)
    }
  }

  /// Without the mark of a catch-up from the beginning.
  private static func position(_ message: APNsMessage) -> UInt32 { message.cursor & ~(1 << 31) }

  private static func describe(changes message: APNsMessage) -> String {
    switch APNsStatus(rawValue: message.status) {
    case .changeTokenExpired: return ": change token expired"
    case .rateLimited: return ": retry after \(Nanoseconds(message.first))"
    default:
      let more = message.flags.contains(.moreComing) ? ", more coming" : ""
      let change = message.publication == 0 ? "none" : "\(message.publication)"
      return ": \(change) up to \(position(message))\(more)"
    }
  }

  private static func describe(result status: UInt8) -> String {
    switch APNsStatus(rawValue: status) {
    case .notNow: "NotNow"
    case .failed: "Error"
    default: "Acknowledged"
    }
  }

  // MARK: - States

  private static let clientPhases = [
    "idle", "preparing", "opening", "presenting", "ready", "waiting", "?", "?",
  ]
  private static let serverPhases = ["over", "fresh", "presented", "online"]
  private static let amounts = ["", "+one", "+more", "+?"]

  /// Such as `ready+keep-alive-awaited` or `online+one-unacked`.
  public static func stateName(_ state: UInt16, of side: Side) -> String {
    switch side {
    case .client:
      var name = clientPhases[Int(state & 7)]
      if state >> 3 & 1 > 0 { name += "+keep-alive-awaited" }
      if state >> 4 & 1 > 0 { name += "+asks-credential" }
      if state >> 5 & 1 > 0 { name += "+no-token" }
      if state >> 6 & 3 == 1 { name += "+asks-service" }
      if state >> 6 & 3 == 2 { name += "+service-failed" }
      if state >> 8 & 1 > 0 { name += "+asks-mdm" }
      if state >> 9 & 1 > 0 { name += "+outgoing" }
      return name
    case .server:
      var name = serverPhases[Int(state & 3)]
      if state >> 2 & 3 > 0 { name += amounts[Int(state >> 2 & 3)] + "-unacked" }
      if state >> 4 & 3 > 0 { name += amounts[Int(state >> 4 & 3)] + "-stored" }
      if state >> 6 & 3 > 0 { name += amounts[Int(state >> 6 & 3)] + "-command" }
      return name
    }
  }

  private static let clientStates: [UInt16] = {
    var states: [UInt16] = []
    for phase: UInt16 in 1...5 {
      for extra: UInt16 in [0, 1 << 5, 1 << 6, 2 << 6, 1 << 8, 1 << 9] {
        states.append(phase | extra)
      }
    }
    states += [4 | 1 << 3, 4 | 1 << 4, 2 | 1 << 4, 5 | 1 << 4, 4 | 1 << 6 | 1 << 9]
    return states
  }()

  private static let serverStates: [UInt16] = {
    var states: [UInt16] = []
    for phase: UInt16 in 0...3 {
      for unacked: UInt16 in 0...2 {
        for stored: UInt16 in 0...2 { states.append(phase | unacked << 2 | stored << 4) }
      }
    }
    states += [3 | 1 << 6, 3 | 2 << 6, 0 | 1 << 6]
    return states
  }()

  public static func states(of side: Side) -> [UInt16] {
    side == .client ? clientStates : serverStates
  }
}
