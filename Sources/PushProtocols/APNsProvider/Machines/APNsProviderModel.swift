internal import Custody
public import Simulation
public import Timeline

/// The provider API of APNs (HTTP/2) as a simulation knows it: the devices are providers, the
/// server is APNs, and topics are device tokens. A submission is a push that an app asks for, and a
/// 200 accepts it; what becomes of it at a device is another protocol.
public enum APNsProviderModel: PushModel {
  public typealias Message = APNsProviderMessage
  public typealias Watcher = APNsProviderWitness

  public static let name = APNsProviderObserver.name

  public static let messageKinds = ["any"] + APNsProviderMessage.Kind.allCases.map(\.name)

  public static var deviceParameters: [ParameterKind] { APNsProviderClientSettings.parameters }
  public static var serverParameters: [ParameterKind] { APNsProviderFrontSettings.parameters }
  public static var rules: [String] { APNsProviderConduct.allCases.map(\.text) }

  private static let slack = Nanoseconds.seconds(5)

  /// A provider notices by a missing answer to PING; APNs by silence.
  public static func noticeBounds(of device: Device, in scenario: Scenario) -> NoticeBounds {
    let settings = APNsProviderClientSettings(device)
    let front = APNsProviderFrontSettings(scenario)
    return NoticeBounds(
      client: settings.pingInterval + settings.pingTimeout + slack,
      server: front.idleDrop + slack)
  }

  /// The longest wait, a failure after it, and the way back; twice. TCP may take a minute to try
  /// once more to connect.
  public static func calm(for scenario: Scenario) -> Nanoseconds {
    var longest = Nanoseconds.seconds(75)
    for device in scenario.devices {
      let settings = APNsProviderClientSettings(device)
      longest = max(
        longest,
        settings.pingInterval + settings.pingTimeout + settings.requestTimeout
          + settings.drainTimeout + settings.connectTimeout + settings.backOffMaximum * 3)
    }
    let front = APNsProviderFrontSettings(scenario)
    return (longest + front.answerSpread + front.busyFor + front.warmUp + scenario.path.rtt * 16)
      * 2 + slack
  }

  public static func credentialLifetime(of device: Device) -> Nanoseconds { .forever }

  // MARK: - Words

  public static func describe(_ message: APNsProviderMessage, in scenario: Scenario) -> String {
    let topic =
      Int(message.topic) < scenario.topics.count ? scenario.topics[Int(message.topic)] : "?"
    switch message.type {
    case .settings: return "SETTINGS"
    case .request: return "POST \(message.publication) \(topic) stream \(message.stream)"
    case .answer: return "\(message.status.text) stream \(message.stream)"
    case .goAway: return "GOAWAY last stream \(message.stream)"
    case .ping: return "PING"
    case .pong: return "PING ACK"
    case .reset: return "RST_STREAM \(message.stream) CANCEL"
    }
  }

  // MARK: - States

  private static let clientPhases = ["idle", "opening", "handshake", "connected", "waiting"]
  private static let serverPhases = ["unknown", "open", "trusted", "stuck", "wedged", "leaving"]
  private static let amounts = ["", "+one", "+more", "+?"]

  /// Such as `connected+one-open+queue` or `trusted+one-open`.
  public static func stateName(_ state: UInt16, of side: Side) -> String {
    switch side {
    case .client:
      let phase = Int(state & 7)
      var name = phase < clientPhases.count ? clientPhases[phase] : "?"
      if state >> 3 & 3 > 0 { name += amounts[Int(state >> 3 & 3)] + "-open" }
      if state >> 5 & 1 > 0 { name += "+queue" }
      if state >> 6 & 1 > 0 { name += "+pinging" }
      if state >> 7 & 1 > 0 { name += "+draining" }
      return name
    case .server:
      let phase = Int(state & 7)
      var name = phase < serverPhases.count ? serverPhases[phase] : "?"
      if state >> 3 & 3 > 0 { name += amounts[Int(state >> 3 & 3)] + "-open" }
      return name
    }
  }

  public static func states(of side: Side) -> [UInt16] {
    switch side {
    case .client:
      [1, 2, 3, 4, 3 | 1 << 3, 3 | 2 << 3, 3 | 1 << 6, 3 | 1 << 7, 3 | 1 << 3 | 1 << 7, 4 | 1 << 5]
    case .server: [1, 2, 3, 4, 5, 2 | 1 << 3, 5 | 1 << 3]
    }
  }
}
