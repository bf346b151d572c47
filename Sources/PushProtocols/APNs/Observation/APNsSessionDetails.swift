import Custody

/// What a person wants to know of a session besides its deliveries.
struct APNsSessionDetails {
  private var facts: [SessionDetail] = []
  var state: String?
  var filters = 0
  var topics: [String] = []
  var otherTopics = 0
  var appTokens = 0
  var saysNothingStored = false
  /// Acknowledgements of the device that say something else than "stored".
  private var statuses: [UInt64: Int] = [:]

  mutating func connect(_ frame: APNsFrame) {
    let token = frame.bytes(1).map { $0.isEmpty ? "empty" : APNsToken($0).description }
    add("presented token", token ?? "none")
    if let version = frame.number(16) { add("protocol version", "\(version)") }
    if let flags = frame.number(5) { add("presence flags", "0x" + String(flags, radix: 16)) }
    let interface: String? =
      switch frame.number(6) {
      case 0: "cellular"
      case 1: "Wi-Fi"
      case 3: "constrained"
      case let other?: "\(other)"
      case nil: nil
      }
    if let interface { add("interface", interface) }
    for (tag, name) in [(8, "carrier"), (9, "system"), (10, "build"), (11, "model")]
      as [(UInt8, String)]
    {
      if let text = frame.bytes(tag) { add(name, APNsText.printable(text)) }
    }
    if let redirects = frame.number(17), redirects > 0 { add("redirects", "\(redirects)") }
    if let reason = frame.number(26) { add("last disconnect reason", "\(reason)") }
  }

  mutating func respond(_ frame: APNsFrame, status: UInt64) {
    // Answers to further users of the device say less.
    if facts.contains(where: { $0.name == "connect status" }) { return }
    add("connect status", "\(status)")
    if let token = frame.bytes(3) { add("token", APNsToken(token).description) }
    if let host = frame.bytes(2), !host.isEmpty { add("redirect", APNsText.printable(host)) }
    let sizes = [frame.number(4), frame.number(8)].compactMap { $0 }.map(String.init)
    if !sizes.isEmpty { add("largest message", sizes.joined(separator: ", large topics ")) }
  }

  mutating func count(status: UInt64) { if status != 0 { statuses[status, default: 0] += 1 } }

  private mutating func add(_ name: String, _ text: String) {
    facts.append(SessionDetail(name, text))
  }

  func lines(_ keepAlive: APNsKeepAliveWatch) -> [SessionDetail] {
    var all = self
    if filters > 0 {
      let shown = topics.prefix(8).joined(separator: ", ") + (topics.count > 8 ? ", …" : "")
      all.add("topics", topics.isEmpty ? "none" : shown)
      if otherTopics > 0 { all.add("topics not wanted now", "\(otherTopics)") }
    }
    if let state { all.add("state", state) }
    if appTokens > 0 { all.add("tokens of apps", "\(appTokens)") }
    if saysNothingStored { all.add("store", "empty, says the courier") }
    if keepAlive.asked > 0 {
      all.add("keep-alives", "\(keepAlive.asked), answered \(keepAlive.answered)")
    }
    for (status, count) in statuses.sorted(by: { $0.key < $1.key }) {
      all.add("acknowledged with status \(status)", "\(count)")
    }
    return all.facts
  }
}
