/// What things may be called, and what must be said about them.
enum NameRules {
  /// Words that name everything and therefore nothing. A type is called after what it is.
  static let emptyWords: Set<String> = [
    "manager", "managers", "helper", "helpers", "util", "utils", "utility", "utilities", "handler",
    "handlers", "data", "info", "context", "process", "misc", "common", "stuff",
  ]

  private static let declaring: Set<Substring> = [
    "struct", "class", "enum", "actor", "protocol", "typealias",
  ]

  static func emptyNames(_ source: SwiftSource) -> [Complaint] {
    var complaints =
      emptyWord(in: source.name).map {
        [Complaint(path: source.path, line: 0, what: "the file's name says '\($0)'")]
      } ?? []
    for (index, line) in source.code.enumerated() {
      let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_") }
      for (keyword, name) in zip(words, words.dropFirst()) where declaring.contains(keyword) {
        if let word = emptyWord(in: name) {
          complaints.append(
            Complaint(path: source.path, line: index + 1, what: "'\(name)' says '\(word)'"))
        }
      }
    }
    return complaints
  }

  /// The first of the empty words that a CamelCase name consists of.
  static func emptyWord(in name: Substring) -> String? {
    var words: [String] = []
    for character in name {
      if character.isUppercase || words.isEmpty || !character.isLetter {
        words.append(String(character).lowercased())
      } else {
        words[words.count - 1].append(character)
      }
    }
    return words.first { emptyWords.contains($0) }
  }

  /// Public declarations at the top level have a doc comment.
  static func undocumented(_ source: SwiftSource) -> [Complaint] {
    let kinds: Set<Substring> = [
      "struct", "class", "enum", "actor", "protocol", "typealias", "func", "var", "let",
    ]
    return source.code.indices.compactMap { index in
      let line = source.code[index]
      guard line.hasPrefix("public ") || line.hasPrefix("@"), line.contains("public ") else {
        return nil
      }
      let words = line.split(separator: " ")
      guard words.contains(where: kinds.contains), !words.contains("import"),
        !words.contains("extension")
      else { return nil }
      var above = index - 1
      while above >= 0, source.lines[above].hasPrefix("@") { above -= 1 }
      if above >= 0 {
        let comment = source.lines[above].drop { $0 == " " }
        if comment.hasPrefix("///") || comment.hasSuffix("*/") { return nil }
      }
      return Complaint(
        path: source.path, line: index + 1, what: "public, without a doc comment: \(line)")
    }
  }

  static func spaces(inPaths paths: [String]) -> [Complaint] {
    paths.filter { $0.contains(" ") }
      .map { Complaint(path: $0, line: 0, what: "a space in a path breaks shell loops") }
  }

  /// What may stand in the root beside files whose names begin with a dot.
  static let rootEntries: Set<String> = [
    "Package.swift", "Sources", "Tests", "captures", "corpus", "README.md", "Makefile", "LICENSE",
    "docs", "Benchmarks",
  ]

  static func strangers(inRoot entries: [String]) -> [Complaint] {
    entries.filter { !$0.hasPrefix(".") && !rootEntries.contains($0) }
      .map { Complaint(path: $0, line: 0, what: "does not belong into the root") }
  }
}
