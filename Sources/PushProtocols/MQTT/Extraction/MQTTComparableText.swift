internal import Timeline
internal import Wire

/// The text of a message without what an end may choose freely: packet identifiers, the rest of an
/// expiry, the details of a CONNECT (which the scenario's parameters hold).
enum MQTTComparableText {
  /// - Parameter traced: as `MQTTModel.describe` writes it.
  static func of(_ traced: String) -> String {
    if traced.hasPrefix("CONNECT ") { return "CONNECT" }
    var words = traced.split(separator: " ").map(String.init)
    // Topics may hold spaces, identifiers never do: the last "id" is the identifier's.
    if let id = words.lastIndex(of: "id"), id + 1 < words.count {
      words.removeSubrange(id...id + 1)
    }
    var text = words.joined(separator: " ")
    if text.hasPrefix("PUBLISH"), let from = text.lastRange(of: ", expires ") {
      text = text[..<from] + ")"
    }
    return text
  }

  static func of(
    _ packet: MQTTPacket, publication: UInt16
  ) -> String {
    let name = packet.type.name
    switch packet {
    case .connect, .pingreq, .pingresp: return name
    case .connack(let connack):
      let present = connack.sessionPresent ? " session present" : ""
      return name + present + reason(connack.reasonCode.rawValue, least: 1)
    case .publish(let publish):
      let marks =
        "QoS \(publish.qos.rawValue)" + (publish.duplicate ? ", DUP" : "")
        + (publish.retain ? ", retain" : "")
      return "\(name) \(publication) \(publish.topic) (\(marks))"
    case .puback(let answer), .pubrec(let answer), .pubrel(let answer), .pubcomp(let answer):
      // 5.0: nobody has subscribed to it. No failure, and the machines don't say it.
      let code = answer.reasonCode == .noMatchingSubscribers ? 0 : answer.reasonCode.rawValue
      return name + reason(code)
    case .subscribe, .suback, .unsubscribe, .unsuback: return name
    case .disconnect(let disconnect): return name + reason(disconnect.reasonCode.rawValue)
    case .auth(let auth): return name + reason(auth.reasonCode.rawValue)
    }
  }

  static func subscribe(_ topic: String, quality: UInt8) -> String {
    "SUBSCRIBE \(topic) QoS \(quality)"
  }

  static func unsubscribe(_ topic: String) -> String { "UNSUBSCRIBE \(topic)" }

  static func answer(_ type: MQTTPacketType, _ code: MQTTReasonCode) -> String {
    type.name + reason(code.rawValue)
  }

  private static func reason(_ code: UInt8, least: UInt8 = 3) -> String {
    guard code >= least else { return "" }
    let digits = String(code, radix: 16, uppercase: true)
    return " reason 0x" + (digits.count < 2 ? "0" : "") + digits
  }
}

extension String {
  /// Where the last occurrence begins.
  fileprivate func lastRange(of other: String) -> String.Index? {
    var index = endIndex
    while index > startIndex {
      index = self.index(before: index)
      if self[index...].hasPrefix(other) { return index }
    }
    return nil
  }
}
