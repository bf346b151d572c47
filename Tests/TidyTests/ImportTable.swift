/// Which target may import which: once as `Package.swift` declares it, once as
/// `docs/ARCHITECTURE.md` explains it.
struct ImportTable: Equatable {
  /// Target to what it may import, sorted.
  var rows: [String: [String]] = [:]

  private static let systemLibraries = ["CPcap", "CPrefetch", "CMalloc", "CMapping"]

  /// Reads the calls `layer("Name", ["A", "B"])`, the libraries in C and the executable.
  init(manifest: String) {
    for call in ["layer(", ".systemLibrary(", "inC(", ".executableTarget("] {
      for start in manifest.ranges(of: call) {
        let arguments = Self.arguments(manifest[start.upperBound...])
        let names = Self.quoted(arguments.prefix { $0 != "]" })
        // Settings and packages are named after the list of dependencies.
        guard let name = names.first else { continue }
        let lists = arguments.contains("[") && call != ".systemLibrary("
        rows[name] = lists ? names.dropFirst().sorted() : []
      }
    }
  }

  /// Reads a table whose first column is the target and whose last one lists imports: `–` is
  /// none, `all above` every row above that is no system library.
  init(document: String) {
    var isInside = false
    var above: [String] = []
    for line in document.split(separator: "\n", omittingEmptySubsequences: false) {
      let cells = line.split(separator: "|").map { Self.trimmed($0) }
      if cells.first == "target", cells.last == "imports" {
        isInside = true
      } else if !line.hasPrefix("|") {
        isInside = false
      } else if isInside, cells.count >= 3, !cells[0].hasPrefix("-") {
        switch cells[cells.count - 1] {
        case "–": rows[cells[0]] = []
        case "all above":
          rows[cells[0]] = above.filter { !Self.systemLibraries.contains($0) }.sorted()
        case let list:
          rows[cells[0]] = list.split(separator: ",").map { Self.trimmed($0) }.sorted()
        }
        above.append(cells[0])
      }
    }
  }

  /// One line for each target on which the two disagree.
  func differences(from other: ImportTable) -> [String] {
    Set(rows.keys).union(other.rows.keys).sorted().compactMap { target in
      rows[target] == other.rows[target]
        ? nil
        : "\(target): \(rows[target]?.joined(separator: ", ") ?? "absent") here,"
          + " \(other.rows[target]?.joined(separator: ", ") ?? "absent") there"
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }

  /// What stands between the parenthesis that was just passed and its partner.
  private static func arguments(_ text: Substring) -> Substring {
    var depth = 1
    for index in text.indices {
      if text[index] == "(" { depth += 1 }
      if text[index] == ")" { depth -= 1 }
      if depth == 0 { return text[..<index] }
    }
    return text
  }

  private static func quoted(_ text: Substring) -> [String] {
    text.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
      .compactMap { $0 % 2 == 1 ? String($1) : nil }
  }
}
