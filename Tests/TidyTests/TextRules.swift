/// What no tracked text may say, whatever its language.
enum TextRules {
  /// Beginnings of paths that exist on one machine only. Put together here, so that this file does
  /// not break its own rule.
  static let foreignPaths = ["/" + "work/", "/" + "root/", "/" + "home/"]

  /// Words that say how a text came about instead of what it is about.
  static let foreignWords: Set<String> = [
    "cla" + "ude", "anthro" + "pic", "l" + "lm", "l" + "lms", "chat" + "gpt", "open" + "ai",
    "co" + "pilot", "ag" + "ent", "ag" + "ents",
  ]

  static func paths(_ path: String, _ text: String) -> [Complaint] {
    matches(path, text) { line in foreignPaths.first { line.contains($0) } }
  }

  static func words(_ path: String, _ text: String) -> [Complaint] {
    matches(path, text) { line in
      let lowered = line.lowercased()
      let words = lowered.split { !($0.isLetter || $0.isNumber) }
      for (index, word) in words.enumerated() where foreignWords.contains(String(word)) {
        // A browser's header is called so: User-…, user … .
        if word.hasPrefix("ag"), index > 0, words[index - 1] == "user" { continue }
        return String(word)
      }
      return nil
    }
  }

  private static func matches(
    _ path: String, _ text: String, _ found: (Substring) -> String?
  ) -> [Complaint] {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .compactMap { index, line in
        found(line).map { Complaint(path: path, line: index + 1, what: "says '\($0)'") }
      }
  }
}
