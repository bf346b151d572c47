internal import Custody
public import Simulation
public import Timeline

/// MQTT 3.1.1 and 5.0 as a simulation knows it.
public enum MQTTModel: PushModel {
  public typealias Message = MQTTMessage
  public typealias Watcher = MQTTWitness

  public static let name = "mqtt"

  public static let messageKinds =
    ["any"] + MQTTPacketType.allCases.map { $0.name.lowercased() }

  public static var deviceParameters: [ParameterKind] { MQTTDeviceSettings.parameters }
  public static var serverParameters: [ParameterKind] { MQTTServerSettings.parameters }
  public static var rules: [String] { MQTTConduct.allCases.map(\.text) }

  /// For rounding, and for the reaction of a program.
  private static let slack = Nanoseconds.seconds(5)

  /// What the ends agree on, or would: Server Keep Alive replaces the device's value (5.0).
  private static func keepAlive(of device: MQTTDeviceSettings, _ server: MQTTServerSettings)
    -> Nanoseconds
  {
    .seconds(
      UInt64(
        device.version5 && server.keepAlive != 0
          ? server.keepAlive : device.keepAlive.wireSeconds))
  }

  /// The client notices by a missing PINGRESP, the server after 1.5 × keep-alive of silence
  /// (MQTT-3.1.2-24). Without keep-alive only TCP can notice.
  public static func noticeBounds(of device: Device, in scenario: Scenario) -> NoticeBounds {
    let settings = MQTTDeviceSettings(device)
    let keepAlive = keepAlive(of: settings, MQTTServerSettings(scenario))
    guard keepAlive != .zero else {
      let path = scenario.path
      let probing = path.keepAliveInterval * UInt64(path.keepAliveCount)
      return NoticeBounds(
        client: .forever,
        server: path.keepAliveIdle == .forever
          ? .forever : path.keepAliveIdle + probing + slack)
    }
    return NoticeBounds(
      client: keepAlive + settings.pingTimeout + slack, server: keepAlive * 3 / 2 + slack)
  }

  /// Both ends notice, the client comes back from its longest pause and fails once more; twice.
  public static func calm(for scenario: Scenario) -> Nanoseconds {
    let server = MQTTServerSettings(scenario)
    var longest = server.connectTimeout
    for device in scenario.devices {
      let settings = MQTTDeviceSettings(device)
      let keepAlive = keepAlive(of: settings, server)
      var bound =
        max(keepAlive + settings.pingTimeout, keepAlive * 3 / 2)
        + settings.backOffMaximum * 2 + settings.connectTimeout
      if keepAlive == .zero { bound = bound + scenario.path.userTimeout }
      if settings.usesCredential {
        bound = bound + settings.credentialTimeout + settings.backOffMaximum
      }
      longest = max(longest, bound)
    }
    return (longest + scenario.path.rtt * 16) * 2 + slack
  }

  /// MQTT-3.3.2-2: a topic name has no wildcards.
  public static func isPublishable(topic: String) -> Bool {
    !topic.utf8.contains { $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: "+") }
  }

  public static func credentialLifetime(of device: Device) -> Nanoseconds {
    MQTTDeviceSettings(device).credentialLifetime
  }

  // MARK: - Words

  public static func describe(_ message: MQTTMessage, in scenario: Scenario) -> String {
    let topic =
      Int(message.topic) < scenario.topics.count ? scenario.topics[Int(message.topic)] : "?"
    let name = message.type.name
    switch message.type {
    case .publish:
      var marks = ["QoS \(message.quality)"]
      if message.flags.contains(.duplicate) { marks.append("DUP") }
      if message.flags.contains(.retain) { marks.append("retain") }
      if message.expiry != .forever { marks.append("expires \(message.expiry)") }
      let packet = message.quality > 0 ? " id \(message.packet)" : ""
      return "\(name) \(message.publication) \(topic)\(packet) (\(marks.joined(separator: ", ")))"
    case .puback, .pubrec, .pubrel, .pubcomp:
      return "\(name) id \(message.packet)" + reason(message)
    case .subscribe:
      return "\(name) \(topic) QoS \(message.quality) id \(message.packet)"
    case .unsubscribe:
      return "\(name) \(topic) id \(message.packet)"
    case .suback, .unsuback:
      return "\(name) id \(message.packet)" + reason(message)
    case .connect:
      return "\(name) " + describe(connect: message, topic: topic)
    case .connack:
      return name + (message.flags.contains(.sessionPresent) ? " session present" : "")
        + reason(message)
    case .pingreq, .pingresp:
      return name
    case .disconnect, .auth:
      return name + reason(message)
    }
  }

  private static func describe(connect message: MQTTMessage, topic: String) -> String {
    let isVersion5 = message.flags.contains(.version5)
    var parts = [isVersion5 ? "5.0" : "3.1.1"]
    if message.flags.contains(.cleanStart) {
      parts.append(isVersion5 ? "clean start" : "clean session")
    }
    parts.append("keep-alive \(message.keepAlive)s")
    if isVersion5 { parts.append("session expiry \(message.expiry)") }
    if isVersion5, message.packet != .max { parts.append("receive maximum \(message.packet)") }
    if message.flags.contains(.hasWill) { parts.append("will \(topic) QoS \(message.quality)") }
    if message.flags.contains(.hasCredential) { parts.append("credential") }
    return parts.joined(separator: ", ")
  }

  private static func reason(_ message: MQTTMessage) -> String {
    guard message.reason > 2 || (message.reason > 0 && message.type == .connack) else { return "" }
    let digits = String(message.reason, radix: 16, uppercase: true)
    return " reason 0x" + (digits.count < 2 ? "0" : "") + digits
  }

  // MARK: - States

  private static let clientPhases = [
    "idle", "preparing", "opening", "handshake", "connected", "waiting", "taken-over", "?",
  ]
  private static let serverPhases = ["unknown", "over", "fresh", "served"]
  private static let amounts = ["", "+one", "+more", "+?"]

  /// Such as `connected+one-outgoing+awaits-pubrel` or `served+one-in-flight`.
  public static func stateName(_ state: UInt16, of side: Side) -> String {
    switch side {
    case .client:
      var name = clientPhases[Int(state & 7)]
      if state >> 3 & 3 > 0 { name += amounts[Int(state >> 3 & 3)] + "-outgoing" }
      if state >> 5 & 1 > 0 { name += "+awaits-pubrel" }
      if state >> 6 & 1 > 0 { name += "+pinging" }
      if state >> 7 & 1 > 0 { name += "+asks-credential" }
      if state >> 8 & 1 > 0 { name += "+replaces-credential" }
      return name
    case .server:
      var name = serverPhases[Int(state & 3)]
      if state >> 2 & 3 > 0 { name += amounts[Int(state >> 2 & 3)] + "-in-flight" }
      if state >> 4 & 3 > 0 { name += amounts[Int(state >> 4 & 3)] + "-waiting" }
      if state >> 6 & 1 > 0 { name += "+awaits-pubcomp" }
      if state >> 7 & 1 > 0 { name += "+awaits-pubrel" }
      if state >> 8 & 1 > 0 { name += "+will-pending" }
      return name
    }
  }

  private static let clientStates: [UInt16] = {
    var states: [UInt16] = [1, 2, 3, 4, 5, 6]
    for phase: UInt16 in [4, 5] {
      for outgoing: UInt16 in 0...2 {
        for received: UInt16 in 0...1 { states.append(phase | outgoing << 3 | received << 5) }
      }
    }
    states += [4 | 1 << 6, 4 | 1 << 7, 4 | 2 << 7, 4 | 1 << 3 | 2 << 7, 5 | 1 << 7]
    return states.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }()

  private static let serverStates: [UInt16] = {
    var states: [UInt16] = [1, 2]
    for inFlight: UInt16 in 0...2 {
      for waiting: UInt16 in 0...2 {
        for release: UInt16 in 0...1 where release == 0 || inFlight > 0 {
          states.append(3 | inFlight << 2 | waiting << 4 | release << 6)
        }
      }
    }
    states += [3 | 1 << 7, 3 | 1 << 2 | 1 << 7, 1 | 1 << 4, 1 | 2 << 4, 1 | 1 << 8]
    return states
  }()

  public static func states(of side: Side) -> [UInt16] {
    side == .client ? clientStates : serverStates
  }
}
