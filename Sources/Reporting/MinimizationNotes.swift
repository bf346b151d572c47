internal import Custody
internal import Oracles
internal import Search
public import Shrinking
internal import Simulation
internal import Timeline

extension ScenarioNotes {
  /// What a minimized scenario's file says besides the scenario: the story, that it is minimal,
  /// what happens without each part, and how far its numbers may move.
  public init(_ shrunk: Shrunk, story: String, traceHash: UInt64) {
    self.init()
    header = Self.wrapped(story) + Self.wrapped(shrunk.minimality.sentence)
    for explanation in shrunk.explanations {
      let text = Self.words(explanation, signature: shrunk.signature)
      switch explanation.part {
      case .fault(let index): faults[index] = text
      case .step(let index): steps[index] = text
      }
    }
    trailer = ["Trace hash " + Self.hexadecimal(traceHash) + "."]
  }

  static func hexadecimal(_ hash: UInt64) -> String {
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func words(_ explanation: Explanation, signature: Signature) -> String {
    let without =
      explanation.without.isEmpty
      ? "without it: nothing"
      : "without it: " + explanation.without.map(\.name).joined(separator: ", ")
    var parts = [without]
    if let time = explanation.time { parts.append("any time " + words(time)) }
    if let least = explanation.atLeast { parts.append("from " + rounded(least)) }
    return parts.joined(separator: "; ")
  }

  private static func words(_ range: ClosedRange<Instant>) -> String {
    let low = "+" + rounded(Nanoseconds(range.lowerBound.nanoseconds))
    guard range.upperBound != .never else { return "from \(low) on" }
    return "\(low) … +" + rounded(Nanoseconds(range.upperBound.nanoseconds))
  }

  /// Bisection stops at a millisecond; more digits would pretend to know more.
  private static func rounded(_ length: Nanoseconds) -> String {
    guard length >= .milliseconds(10) else { return "\(length)" }
    return "\(Nanoseconds((length.count + 500_000) / 1_000_000 * 1_000_000))"
  }

  /// At most 96 columns with the sign of a comment.
  static func wrapped(_ text: String) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, line.count + word.count + 1 > 94 {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    if !line.isEmpty { lines.append(line) }
    return lines
  }
}
