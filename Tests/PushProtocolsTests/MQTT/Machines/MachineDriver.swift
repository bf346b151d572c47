@testable import PushProtocols
import Custody
import Simulation
import Timeline

/// Feeds one machine by hand and keeps what it asked for.
struct MachineDriver<M: Machine> where M.Message == MQTTMessage {
  var machine: M
  var now = Instant.start
  private(set) var last: [Effect<MQTTMessage>] = []

  init(_ machine: M) { self.machine = machine }

  @discardableResult
  mutating func give(_ input: Input<MQTTMessage>, after: Nanoseconds = .zero) -> [Sent] {
    now = now + after
    var effects = Effects<MQTTMessage>()
    machine.receive(input, at: Clock(now: now, wall: now + .hours(1000)), into: &effects)
    last = (0..<effects.count).map { effects[$0] }
    return sent
  }

  @discardableResult
  mutating func message(_ message: MQTTMessage, on link: UInt16 = 0) -> [Sent] {
    give(.message(message, LinkID(link)))
  }

  /// What it wrote, in short: `PUBLISH 1 id 1 dup @0`.
  var sent: [Sent] {
    last.compactMap {
      if case .send(let message, let link) = $0 { return Sent(message: message, link: link) }
      return nil
    }
  }

  var texts: [String] { sent.map(\.text) }

  var handedOver: [UInt16] {
    last.compactMap { if case .handOver(let publication) = $0 { publication } else { nil } }
  }

  var countedDone: [UInt16] {
    last.compactMap { if case .countDone(let publication, _) = $0 { publication } else { nil } }
  }

  var dropped: [UInt16] {
    last.compactMap { if case .drop(let publication, _, _) = $0 { publication } else { nil } }
  }

  var closed: [UInt16] {
    last.compactMap {
      if case .close(let link) = $0, link.index != .max { link.index } else { nil }
    }
  }

  var blamed: [MQTTConduct] {
    last.compactMap {
      if case .blame(let rule, _) = $0 { MQTTConduct(rawValue: rule) } else { nil }
    }
  }

  func timer(_ kind: UInt8, _ subject: UInt16 = 0) -> Nanoseconds? {
    for case .setTimer(let timer, let delay) in last.reversed()
    where timer == TimerID(kind: kind, subject: subject) {
      return delay
    }
    return nil
  }

  var opens: Bool { last.contains { if case .open = $0 { true } else { false } } }
  var asksForCredential: Bool {
    last.contains { if case .requestCredential = $0 { true } else { false } }
  }
}

struct Sent {
  var message: MQTTMessage
  var link: LinkID

  var text: String {
    var parts = [message.type.name]
    if message.publication != 0 { parts.append("\(message.publication)") }
    if message.packet != 0, message.kind > 2 { parts.append("id \(message.packet)") }
    if message.type == .publish, message.flags.contains(.duplicate) { parts.append("dup") }
    if message.type == .connack, message.flags.contains(.sessionPresent) {
      parts.append("present")
    }
    if message.reason >= 0x10 { parts.append("0x" + String(message.reason, radix: 16)) }
    return parts.joined(separator: " ")
  }
}

/// Scenarios with a device or two and the topics `a` and `b`.
func scenario(
  _ devices: [[Parameter]], server: [Parameter] = [], identities: [String] = []
) -> Scenario {
  var scenario = Scenario(
    model: "mqtt", client: "mqtt.client@good", server: "mqtt.broker@good")
  scenario.topics = ["a", "b", "#"]
  scenario.serverParameters = server
  for (index, parameters) in devices.enumerated() {
    let identity = index < identities.count ? identities[index] : "d\(index)"
    scenario.devices.append(
      Device(name: "d\(index)", identity: identity, parameters: parameters))
  }
  return scenario
}

func connect(
  identity: UInt16 = 0, clean: Bool = false, version5: Bool = true,
  expiry: Nanoseconds = .forever, window: UInt16 = 65535, keepAlive: UInt16 = 60
) -> MQTTMessage {
  var message = MQTTMessage(.connect)
  message.identity = identity
  message.packet = window
  message.expiry = expiry
  message.keepAlive = keepAlive
  if clean { message.flags.insert(.cleanStart) }
  if version5 { message.flags.insert(.version5) }
  return message
}

func connack(present: Bool = false, window: UInt16 = 65535, reason: UInt8 = 0) -> MQTTMessage {
  var message = MQTTMessage(.connack)
  message.packet = window
  message.reason = reason
  if present { message.flags.insert(.sessionPresent) }
  return message
}

func answer(_ type: MQTTPacketType, _ packet: UInt16, _ publication: UInt16 = 0, reason: UInt8 = 0)
  -> MQTTMessage
{
  .acknowledgement(type, packet: packet, publication: publication, reason: reason)
}

func submission(_ publication: UInt16, quality: UInt8) -> Input<MQTTMessage> {
  .action(.submit(Submission(publication: publication, topic: 0, quality: quality)))
}

let version5 = Parameter("version", 5)
let durable = Parameter("durable", 1)
