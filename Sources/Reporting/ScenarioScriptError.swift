/// What is wrong in a scenario file, where, and what to do about it.
public struct ScenarioError: Error, Hashable, Sendable {
  public var file: String
  /// From 1; 0 when the file as a whole is meant.
  public var line: Int
  /// From 1, in characters.
  public var column: Int
  /// What was found, such as `unknown device "gl"`.
  public var problem: String
  /// What belongs there, or what to do.
  public var advice: String
  /// The line itself, to be shown with a caret.
  public var text: String

  public init(
    file: String, line: Int, column: Int, problem: String, advice: String, text: String
  ) {
    self.file = file
    self.line = line
    self.column = column
    self.problem = problem
    self.advice = advice
    self.text = text
  }
}

extension ScenarioError: CustomStringConvertible {
  public var description: String {
    guard line > 0 else { return "\(file): \(problem)\n  \(advice)" }
    let caret = String(repeating: " ", count: max(0, column - 1)) + "^"
    return "\(file):\(line):\(column): \(problem)\n  \(text)\n  \(caret)\n  \(advice)"
  }
}

/// Finds the word that was probably meant.
enum Spelling {
  /// `did you mean "subscribe"?`, or the list of all words when none is near.
  static func advice(for word: String, among words: [String], what: String) -> String {
    if let near = nearest(to: word, among: words) { return "Did you mean \"\(near)\"?" }
    if words.isEmpty { return "There are no \(what) here." }
    let shown = words.prefix(24).joined(separator: ", ")
    return "Known \(what): \(shown)\(words.count > 24 ? ", …" : "")."
  }

  /// `nil` when nothing is close enough to be more than a guess.
  static func nearest(to word: String, among words: [String]) -> String? {
    var best: (word: String, distance: Int)?
    for candidate in words {
      let distance = distance(Array(word.lowercased()), Array(candidate.lowercased()))
      if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    guard let best, best.distance <= max(1, min(3, best.word.count / 3)) else { return nil }
    return best.word
  }

  /// Edits to turn one word into the other, swapped neighbours being one edit.
  static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in 0...a.count { rows[i][0] = i }
    for j in 0...b.count { rows[0][j] = j }
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    for i in 1...a.count {
      for j in 1...b.count {
        let substituted = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, substituted)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
        }
      }
    }
    return rows[a.count][b.count]
  }
}
