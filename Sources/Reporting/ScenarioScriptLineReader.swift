internal import Timeline

/// A cursor over the words of one line, which knows how to complain.
struct ScenarioLineReader {
  let file: String
  let line: ScenarioLine
  private(set) var position = 0

  init(file: String, line: ScenarioLine, position: Int = 0) {
    self.file = file
    self.line = line
    self.position = position
  }

  var isAtEnd: Bool { position == line.tokens.count }
  var next: ScenarioToken? { isAtEnd ? nil : line.tokens[position] }

  /// The next word when it is not quoted, without taking it.
  var nextKeyword: String? {
    guard let next, !next.quoted else { return nil }
    return next.text
  }

  mutating func skip() { position += 1 }

  /// At the next word, or behind the last one.
  func error(_ problem: String, advice: String) -> ScenarioError {
    let end = (line.tokens.last.map { $0.column + $0.text.count }) ?? 1
    return error(problem, advice: advice, column: next?.column ?? end + 1)
  }

  func error(_ problem: String, advice: String, column: Int) -> ScenarioError {
    ScenarioError(
      file: file, line: line.number, column: column, problem: problem, advice: advice,
      text: line.text)
  }

  mutating func token(_ what: String) throws(ScenarioError) -> ScenarioToken {
    guard let next else { throw error("\(what) is missing", advice: "Add \(what) here.") }
    skip()
    return next
  }

  /// Takes the next word if it is this keyword.
  mutating func take(_ keyword: String) -> Bool {
    guard nextKeyword == keyword else { return false }
    skip()
    return true
  }

  /// One of these keywords.
  mutating func choice(_ words: [String], what: String) throws(ScenarioError) -> String {
    guard let next else {
      throw error("\(what) is missing", advice: "Write one of: \(words.joined(separator: ", ")).")
    }
    guard !next.quoted, words.contains(next.text) else {
      throw error(
        "\"\(next.text)\" is no \(what)",
        advice: Spelling.advice(for: next.text, among: words, what: "words here"))
    }
    skip()
    return next.text
  }

  mutating func keyword(_ word: String) throws(ScenarioError) {
    guard take(word) else {
      let found = next.map { "found \"\($0.text)\"" } ?? "the line ends"
      throw error("\(found) where \"\(word)\" is expected", advice: "Write \"\(word)\" here.")
    }
  }

  mutating func length(_ what: String = "a length of time") throws(ScenarioError) -> Nanoseconds {
    let token = try token(what)
    guard let length = Nanoseconds(text: token.text) else {
      throw error(
        "\"\(token.text)\" is no length of time",
        advice: "Write a number and a unit, such as 250us, 42ms, 1.2s, 59min, 1h, or never.",
        column: token.column)
    }
    return length
  }

  mutating func length(after keyword: String) throws(ScenarioError) -> Nanoseconds {
    try self.keyword(keyword)
    return try length()
  }

  mutating func number<Number: FixedWidthInteger>(
    _ what: String, in range: ClosedRange<Number>
  ) throws(ScenarioError) -> Number {
    let token = try token(what)
    guard let number = Number(token.text), range.contains(number) else {
      throw error(
        "\"\(token.text)\" is no \(what)",
        advice: "Write a whole number from \(range.lowerBound) to \(range.upperBound).",
        column: token.column)
    }
    return number
  }

  func end() throws(ScenarioError) {
    guard let next else { return }
    throw error(
      "\"\(next.text)\" is one word too many",
      advice: "The line was understood up to here; a comment starts with #.")
  }
}
