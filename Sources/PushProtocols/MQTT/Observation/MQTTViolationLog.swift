import Custody
import Wire

/// The protocol violations of a capture: each rule once a session, with the packets that break it.
struct MQTTViolationLog {
  /// Frames that a report names for one rule in one session.
  private static let storyLimit = 5

  private struct Entry {
    var statement: String
    var rule: String
    var session: SessionID
    var count: UInt32
    var story: [StoryLine]
  }

  private struct Key: Hashable {
    var statement: String
    var session: SessionID
  }

  private var entries: [Entry] = []
  private var index: [Key: Int] = [:]
  private var forgotten: Set<SessionID> = []

  mutating func add(
    _ statement: String, rule: String, detail: String, session: SessionID, at moment: Moment
  ) {
    let line = StoryLine(RecordedMoment(moment), detail)
    let key = Key(statement: statement, session: session)
    if let at = index[key] {
      entries[at].count += 1
      if entries[at].story.count < Self.storyLimit { entries[at].story.append(line) }
      return
    }
    index[key] = entries.count
    entries.append(
      Entry(statement: statement, rule: rule, session: session, count: 1, story: [line]))
  }

  /// The session turned out not to be wholly known, so nothing is held against its ends.
  mutating func forget(_ session: SessionID) {
    forgotten.insert(session)
  }

  /// In the order in which each was first broken.
  /// - Parameter name: who a session belongs to, which may be known only after its first packet.
  func findings(name: (SessionID) -> String) -> [FindingRecord] {
    entries.filter { !forgotten.contains($0.session) }.map { entry in
      let subscriber = name(entry.session)
      let times = entry.count == 1 ? "" : " (\(entry.count) times)"
      return FindingRecord(
        .protocolRule, .violated, label: "PROTOCOL", subscriber: subscriber,
        headline: "\(subscriber), session \(entry.session.number): "
          + "\(entry.statement) is broken\(times)",
        reason: "The standard demands: \(entry.rule).", rule: entry.statement,
        story: entry.story)
    }
  }
}
