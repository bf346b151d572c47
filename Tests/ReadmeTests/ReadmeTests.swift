import Foundation
import Testing

/// What README.md shows is what the commands print.
@Suite struct ReadmeTests {
  /// A fenced `console` block: a command behind `$ pushbench`, then its output. A line `…` stands
  /// for any number of lines (rates, which no two runs share).
  struct Example: Sendable, CustomStringConvertible {
    var arguments: [String]
    var shown: [String]
    var description: String { arguments.joined(separator: " ") }
  }

  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func examples() throws -> [Example] {
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    var found: [Example] = []
    var block: [String]?
    for line in readme.components(separatedBy: "\n") {
      if line == "```console" {
        block = []
      } else if line == "```", let lines = block {
        block = nil
        guard let command = lines.first, command.hasPrefix("$ pushbench ") else { continue }
        found.append(
          Example(
            arguments: command.dropFirst("$ pushbench ".count).split(separator: " ").map(
              String.init),
            shown: Array(lines.dropFirst())))
      } else {
        block?.append(line)
      }
    }
    return found
  }

  /// The executable that was built beside this test bundle.
  static func pushbench() throws -> URL {
    var folder = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    for _ in 0..<4 {
      let candidate = folder.appending(path: "pushbench")
      if FileManager.default.isExecutableFile(atPath: candidate.path()) { return candidate }
      folder.deleteLastPathComponent()
    }
    throw CocoaError(.fileNoSuchFile)
  }

  @Test func `the README has an example of each of the four jobs`() throws {
    let commands = Set(try Self.examples().map { $0.arguments[0] })
    #expect(commands.isSuperset(of: ["inspect", "replay", "fuzz", "minimize", "run"]))
  }

  @Test func `what the README shows is what the commands print`() throws {
    let scratch = FileManager.default.temporaryDirectory.appending(
      path: "pushbench-readme-\(getpid())")
    defer { try? FileManager.default.removeItem(at: scratch) }
    for example in try Self.examples() {
      let printed = try Self.run(example.arguments, scratch: scratch)
      #expect(
        Self.matches(example.shown[...], printed[...]),
        "pushbench \(example) prints:\n\(printed.joined(separator: "\n"))")
    }
  }

  /// Runs in the root of the repository; `findings` in the arguments becomes a scratch folder.
  static func run(_ arguments: [String], scratch: URL) throws -> [String] {
    let process = Process()
    process.executableURL = try pushbench()
    process.currentDirectoryURL = root
    process.arguments = arguments.map {
      $0 == "findings" || $0.hasPrefix("findings/")
        ? scratch.path() + $0.dropFirst("findings".count) : $0
    }
    process.environment = ProcessInfo.processInfo.environment.merging(["NO_COLOR": "1"]) { $1 }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = Pipe()
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    var lines = String(decoding: bytes, as: UTF8.self)
      .replacingOccurrences(of: scratch.path(), with: "findings")
      .components(separatedBy: "\n")
    while lines.last == "" { lines.removeLast() }
    return lines
  }

  static func matches(_ shown: ArraySlice<String>, _ printed: ArraySlice<String>) -> Bool {
    guard let first = shown.first else { return printed.isEmpty }
    if first == "…" {
      return (printed.startIndex...printed.endIndex).contains {
        matches(shown.dropFirst(), printed[$0...])
      }
    }
    guard let line = printed.first, line == first else { return false }
    return matches(shown.dropFirst(), printed.dropFirst())
  }

  @Test func `a difference is noticed, and an ellipsis stands for any lines`() {
    #expect(Self.matches(["a", "…", "d"], ["a", "b", "c", "d"]))
    #expect(Self.matches(["a", "…"], ["a"]))
    #expect(!Self.matches(["a", "…", "d"], ["a", "b", "c"]))
    #expect(!Self.matches(["a"], ["a", "b"]))
  }
}
