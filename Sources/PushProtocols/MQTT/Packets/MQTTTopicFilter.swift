/// A topic filter (MQTT 5.0 §4.7), taken apart once and then matched against many topics.
///
/// `$share/<name>/<filter>` (§4.8.2) is understood for all versions: brokers of 3.1.1 have it too.
public struct MQTTTopicFilter: Hashable, Sendable {
  /// As subscribed, with the `$share/<name>/` of a shared subscription.
  public let text: String
  /// The name of the group that shares the subscription.
  public let shareName: String?
  /// What is matched: `text` without `$share/<name>/`.
  public let pattern: String

  public init(_ text: String) {
    self.text = text
    let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    if parts.count == 3, parts[0] == "$share", !parts[1].isEmpty {
      shareName = String(parts[1])
      pattern = String(parts[2])
    } else {
      shareName = nil
      pattern = text
    }
  }

  public var hasWildcards: Bool { pattern.utf8.contains { $0 == .plus || $0 == .hash } }

  /// Whether a message to `topic` belongs to this subscription.
  ///
  /// A wildcard in the first level matches no topic that begins with `$` (MQTT-4.7.2-1), `#` also
  /// matches the level above it (§4.7.1.2), and characters are compared as they are
  /// (MQTT-4.7.3-4): one UTF-8 byte after the other, no normalisation.
  public func matches(_ topic: String) -> Bool {
    var pattern = self.pattern
    var topic = topic
    return pattern.withUTF8 { patternBytes in
      topic.withUTF8 { topicBytes in
        unsafe Self.matches(patternBytes.span, topicBytes.span)
      }
    }
  }

  private static func matches(_ pattern: Span<UInt8>, _ topic: Span<UInt8>) -> Bool {
    guard !pattern.isEmpty, !topic.isEmpty else { return false }
    if topic[0] == .dollar, pattern[0] == .plus || pattern[0] == .hash { return false }
    var p = 0
    var t = 0
    // At the top of the loop both stand at the start of a level.
    while true {
      if p < pattern.count, pattern[p] == .hash { return p == pattern.count - 1 }
      if p < pattern.count, pattern[p] == .plus {
        p += 1
        while t < topic.count, topic[t] != .slash { t += 1 }
      } else {
        while p < pattern.count, t < topic.count, pattern[p] != .slash, pattern[p] == topic[t] {
          p += 1
          t += 1
        }
      }
      switch (p == pattern.count, t == topic.count) {
      case (true, true): return true
      case (true, false): return false
      case (false, true):
        // "a/#" matches "a".
        return p + 2 == pattern.count && pattern[p] == .slash && pattern[p + 1] == .hash
      case (false, false):
        guard pattern[p] == .slash, topic[t] == .slash else { return false }
        p += 1
        t += 1
      }
    }
  }

  /// The first rule that the filter breaks; `nil` for a valid one. Share names are a matter of
  /// 5.0 only.
  func brokenRule(in version: MQTTVersion) -> MQTTRule? {
    if text.isEmpty { return .topicEmpty }
    if version == .v5, text.hasPrefix("$share/") || text == "$share" {
      let rest = text.utf8.dropFirst("$share/".utf8.count)
      let name = rest.prefix { $0 != .slash }
      if name.isEmpty { return .shareName }
      if name.contains(where: { $0 == .plus || $0 == .hash }) { return .shareNameCharacters }
      // A slash and at least one character of filter after it.
      if rest.count < name.count + 2 { return .shareNameCharacters }
    }
    return Self.brokenWildcardRule(Array(pattern.utf8))
  }

  private static func brokenWildcardRule(_ bytes: [UInt8]) -> MQTTRule? {
    for (index, byte) in bytes.enumerated() {
      let startsLevel = index == 0 || bytes[index - 1] == .slash
      if byte == .hash, !startsLevel || index != bytes.count - 1 { return .multiLevelWildcard }
      let endsLevel = index == bytes.count - 1 || bytes[index + 1] == .slash
      if byte == .plus, !startsLevel || !endsLevel { return .singleLevelWildcard }
    }
    return nil
  }

  /// What the filter breaks, with the statement of `version`; `nil` for a valid filter.
  public func violation(in version: MQTTVersion) -> MQTTViolation? {
    brokenRule(in: version).map {
      MQTTViolation($0, version: version, offset: 0, detail: "'\(text)'")
    }
  }
}

/// Topic names (MQTT 5.0 §4.7).
public enum MQTTTopicName {
  /// What a name to publish to breaks; `nil` for a valid one.
  public static func violation(of topic: String, in version: MQTTVersion) -> MQTTViolation? {
    let rule: MQTTRule? =
      if topic.isEmpty {
        .topicEmpty
      } else if topic.utf8.contains(where: { $0 == .plus || $0 == .hash }) {
        .topicWildcard
      } else if topic.utf8.contains(0) { .nulInText } else { nil }
    return rule.map { MQTTViolation($0, version: version, offset: 0, detail: "'\(topic)'") }
  }
}

extension UInt8 {
  fileprivate static let plus = UInt8(ascii: "+")
  fileprivate static let hash = UInt8(ascii: "#")
  fileprivate static let slash = UInt8(ascii: "/")
  fileprivate static let dollar = UInt8(ascii: "$")
}
