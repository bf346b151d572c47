/// What an oracle says about a capture, with the story that proves it.
public struct FindingRecord: Hashable, Sendable {
  /// The oracles that a capture alone can feed.
  public enum Oracle: String, Sendable, BitwiseCopyable, CaseIterable {
    case ghost, lost, stuck, zombie, duplicate
    case protocolRule = "protocol"
  }

  public var oracle: Oracle
  /// `violated` is a finding; `holds` is a story worth telling that ended well or by the rules;
  /// `inconclusive` says what could not be decided and why.
  public var verdict: Verdict
  /// The word that stands before the headline, such as `RECOVERED`.
  public var label: String
  public var subscriber: String
  public var deliveries: [DeliveryID]
  /// One line that says what happened.
  public var headline: String
  /// Why the verdict is what it is.
  public var reason: String
  /// The rule that was broken, such as `MQTT-3.1.0-2`; empty for other oracles.
  public var rule: String
  public var story: [StoryLine]

  /// The packets that prove it, in order, each once.
  public var frames: [UInt32] {
    var seen: [UInt32] = []
    for line in story where line.moment.frame != 0 { seen.append(line.moment.frame) }
    seen.sort()
    var unique: [UInt32] = []
    for frame in seen where unique.last != frame { unique.append(frame) }
    return unique
  }

  public init(
    _ oracle: Oracle, _ verdict: Verdict, label: String, subscriber: String,
    deliveries: [DeliveryID] = [], headline: String, reason: String, rule: String = "",
    story: [StoryLine]
  ) {
    self.oracle = oracle
    self.verdict = verdict
    self.label = label
    self.subscriber = subscriber
    self.deliveries = deliveries
    self.headline = headline
    self.reason = reason
    self.rule = rule
    self.story = story
  }
}

/// One line of a story: when, which packet, what.
public struct StoryLine: Hashable, Sendable {
  public var moment: RecordedMoment
  public var text: String

  public init(_ moment: RecordedMoment, _ text: String) {
    self.moment = moment
    self.text = text
  }
}
