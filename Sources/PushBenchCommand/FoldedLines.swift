/// A diagram in which what repeats itself, but for the time, is shown once: a day of keep-alives or
/// of a retry loop is a few lines.
struct FoldedLines {
  let text: String

  /// Lines that may make one round of what repeats itself.
  private static let longestRound = 24
  /// What comes round so often is folded.
  private static let fewest = 3

  /// - Parameters:
  ///   - diagram: lines that begin with a time.
  ///   - limit: of lines; of more the middle is left out.
  init(_ diagram: String, limit: Int) {
    let lines = diagram.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      .map(String.init)
    let events = lines.map(Self.event)
    var folded: [String] = []
    var index = 0
    while index < lines.count {
      guard let (length, rounds) = Self.repetition(events, at: index) else {
        folded.append(lines[index])
        index += 1
        continue
      }
      folded += lines[index..<index + length]
      index += length * rounds
      let last = Self.time(lines[index - 1])
      let what = length == 1 ? "this line" : "these \(length) lines"
      folded.append("             …  \(what) \(rounds - 1) times more, until \(last)")
    }
    if folded.count > limit {
      let left = folded.count - limit
      folded.replaceSubrange(
        limit * 2 / 3..<limit * 2 / 3 + left, with: ["             …  \(left) more lines"])
    }
    text = folded.map { $0 + "\n" }.joined()
  }

  /// The shortest round that comes often enough from here on.
  private static func repetition(_ events: [String], at start: Int) -> (Int, Int)? {
    for length in 1...longestRound {
      guard start + length * fewest <= events.count else { return nil }
      var end = start + length
      while end < events.count, events[end] == events[end - length] { end += 1 }
      let rounds = (end - start) / length
      if rounds >= fewest { return (length, rounds) }
    }
    return nil
  }

  private static func parts(_ line: String) -> (time: Substring, event: Substring) {
    guard let end = line.firstRange(of: " s  ") else { return ("", line[...]) }
    return (line[..<end.lowerBound], line[end.upperBound...])
  }

  private static func event(_ line: String) -> String { String(parts(line).event) }

  private static func time(_ line: String) -> String {
    parts(line).time.drop { $0 == " " } + " s"
  }
}
