import TLS

/// What a connection speaks that stays closed, by what its client said in the clear: to speak what
/// (ALPN, RFC 7301), and with whom (SNI, RFC 6066 §3). A port is no reason: others use it too.
///
/// Where content can be read, content decides, and this is not asked.
struct SpokenProtocol: Equatable {
  var name: String
  /// `ALPN apns-security-v3`.
  var reason: String

  /// The client's hello was seen, and says it.
  init?(_ facts: TLSFacts) {
    let alpn = Self.byALPN(facts)
    // HTTP carries many things: whom the client looked for says more.
    if let alpn, !alpn.name.hasPrefix("HTTP") {
      self = alpn
    } else if let name = facts.serverName, let spoken = Self.byName(name.lowercased()) {
      self.init(name: spoken, reason: "SNI \(name)")
    } else if let alpn {
      self = alpn
    } else {
      return nil
    }
  }

  private init(name: String, reason: String) {
    self.name = name
    self.reason = reason
  }

  /// What the server chose; TLS 1.3 hides that, and then what was offered, if it is all one.
  private static func byALPN(_ facts: TLSFacts) -> SpokenProtocol? {
    let possible = facts.chosenProtocol.map { [$0] } ?? facts.offeredProtocols
    let names = possible.compactMap(name(ofALPN:))
    guard let first = names.first, names.count == possible.count,
      names.allSatisfy({ $0 == first || $0.hasPrefix("HTTP") && first.hasPrefix("HTTP") })
    else { return nil }
    let isOne = names.allSatisfy { $0 == first }
    return SpokenProtocol(
      name: isOne ? first : "HTTP", reason: "ALPN " + possible.joined(separator: " or "))
  }

  private static func name(ofALPN alpn: String) -> String? {
    // `apns-pack-v1:4096:4096`: with the sizes of its tables.
    if alpn.hasPrefix("apns-security-") || alpn.hasPrefix("apns-pack-") { return "APNs" }
    switch alpn {
    case "mqtt": return "MQTT"
    case "xmpp-client", "xmpp-server": return "XMPP"
    case "h2": return "HTTP/2"
    case "http/1.1", "http/1.0": return "HTTP/1"
    case _: return nil
    }
  }

  /// Hosts of push services, as clients look for them.
  private static func byName(_ name: String) -> String? {
    func isIn(_ domain: String) -> Bool { name == domain || name.hasSuffix("." + domain) }
    if isIn("courier.push.apple.com") || isIn("courier.sandbox.push.apple.com")
      || name.hasSuffix("-courier.push.apple.com")
    {
      return "APNs"
    }
    if isIn("push.apple.com") { return "APNs provider API" }
    if name == "mtalk.google.com" || name.hasSuffix("-mtalk.google.com") { return "FCM" }
    if name == "fcm.googleapis.com" { return "FCM provider API" }
    if name == "push.services.mozilla.com" { return "Web Push" }
    return nil
  }
}
