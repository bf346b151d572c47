import Custody
import Wire

/// The rules of a protocol that a capture breaks: each rule once a session, with the packets that
/// break it.
struct ViolationLog {
  /// Frames that a report names for one rule in one session.
  private static let storyLimit = 5

  private struct Entry {
    var rule: String
    var headline: String
    var reason: String
    var session: SessionID
    var count: UInt32
    var story: [StoryLine]
  }

  private struct Key: Hashable {
    var rule: String
    var session: SessionID
  }

  private var entries: [Entry] = []
  private var index: [Key: Int] = [:]
  private var forgotten: Set<SessionID> = []

  /// - Parameters:
  ///   - rule: its name in the protocol's standard, or the observer's own.
  ///   - headline: what the session did, without its name.
  ///   - reason: why that is held against anybody, as a sentence.
  ///   - detail: what this packet shows.
  mutating func add(
    _ rule: String, headline: @autoclosure () -> String, reason: @autoclosure () -> String,
    detail: String, session: SessionID, at moment: Moment
  ) {
    let line = StoryLine(RecordedMoment(moment), detail)
    let key = Key(rule: rule, session: session)
    if let at = index[key] {
      entries[at].count += 1
      if entries[at].story.count < Self.storyLimit { entries[at].story.append(line) }
      return
    }
    index[key] = entries.count
    entries.append(
      Entry(
        rule: rule, headline: headline(), reason: reason(), session: session, count: 1,
        story: [line]))
  }

  /// A statement of a public standard.
  /// - Parameter demand: what the standard asks for there.
  mutating func add(
    _ statement: String, rule demand: String, detail: String, session: SessionID,
    at moment: Moment
  ) {
    add(
      statement, headline: "\(statement) is broken", reason: "The standard demands: \(demand).",
      detail: detail, session: session, at: moment)
  }

  /// The session turned out not to be wholly known, so nothing is held against its ends.
  mutating func forget(_ session: SessionID) { forgotten.insert(session) }

  /// In the order in which each was first broken.
  /// - Parameter name: who a session belongs to, which may be known only after its first packet.
  func findings(name: (SessionID) -> String) -> [FindingRecord] {
    entries.filter { !forgotten.contains($0.session) }.map { entry in
      let subscriber = name(entry.session)
      let times = entry.count == 1 ? "" : " (\(entry.count) times)"
      return FindingRecord(
        .protocolRule, .violated, label: "PROTOCOL", subscriber: subscriber,
        headline: "\(subscriber), session \(entry.session.number): \(entry.headline)\(times)",
        reason: entry.reason, rule: entry.rule, story: entry.story)
    }
  }
}
