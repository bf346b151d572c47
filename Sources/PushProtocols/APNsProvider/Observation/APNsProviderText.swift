/// Words for the provider API, fit for a terminal whoever wrote them.
enum APNsProviderText {
  private static let longest = 80

  /// Letters that can be printed, and not too many.
  static func plain(_ text: String) -> String {
    var plain = ""
    for letter in text.unicodeScalars.prefix(longest) {
      plain.unicodeScalars.append((0x20...0x7E).contains(letter.value) ? letter : "?")
    }
    if text.unicodeScalars.count > longest { plain += "…" }
    return plain
  }

  /// `1 request`, `3 requests`.
  static func requests(_ count: Int) -> String {
    count == 1 ? "1 request" : "\(count) requests"
  }

  static func were(_ count: Int) -> String { count == 1 ? "was" : "were" }
  static func them(_ count: Int) -> String { count == 1 ? "it" : "them" }
}

/// What a request of the provider API asks for, by its path.
struct APNsPath: Hashable {
  enum Kind: Hashable {
    /// `/3/device/TOKEN`
    case device
    /// `/4/broadcasts/apps/BUNDLE`
    case broadcast
  }

  var kind: Kind
  /// The device token or the bundle identifier, whole: a token is never printed.
  var target: String

  init?(_ path: String) {
    let prefixes: [(String, Kind)] = [
      ("/3/device/", .device), ("/4/broadcasts/apps/", .broadcast),
    ]
    for (prefix, kind) in prefixes where path.hasPrefix(prefix) {
      self.kind = kind
      target = String(path.dropFirst(prefix.count).prefix(512))
      return
    }
    return nil
  }

  /// Enough of it to tell devices apart in a report: `device aaaa0000…`.
  var text: String {
    switch kind {
    case .device: "device \(APNsProviderText.plain(String(target.prefix(8))))…"
    case .broadcast: "broadcast to \(APNsProviderText.plain(target))"
    }
  }
}
