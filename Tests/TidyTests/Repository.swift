import Foundation

/// The repository that these tests belong to, read from its own files.
enum Repository {
  static let root = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// What git does not track, by `.gitignore`: build products, what tools leave behind.
  private static func isUntracked(_ name: String) -> Bool {
    name == ".git" || name.hasPrefix(".build") || name == "Package.resolved"
      || name == "__pycache__" || name == "findings" || name == ".swiftpm" || name == ".DS_Store"
  }

  /// All entries of the root that git may track.
  static func rootEntries() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: root.path)
      .filter { !isUntracked($0) }.sorted()
  }

  /// All files that git may track, as paths from the root, sorted.
  static func paths() throws -> [String] {
    var found: [String] = []
    func visit(_ folder: String) throws {
      let entries = try FileManager.default.contentsOfDirectory(
        atPath: root.appending(path: folder).path)
      for entry in entries where !isUntracked(entry) {
        let path = folder.isEmpty ? entry : folder + "/" + entry
        let kind = try root.appending(path: path).resourceValues(forKeys: [.isDirectoryKey])
        if kind.isDirectory == true { try visit(path) } else { found.append(path) }
      }
    }
    try visit("")
    return found.sorted()
  }

  /// The text of a file; `nil` for what is not UTF-8, such as a capture.
  static func text(_ path: String) -> String? {
    guard let bytes = FileManager.default.contents(atPath: root.appending(path: path).path),
      !bytes.contains(0)
    else { return nil }
    return String(data: bytes, encoding: .utf8)
  }

  /// All Swift files below one of the folders.
  static func swiftSources(_ folders: String...) throws -> [SwiftSource] {
    try paths()
      .filter { path in path.hasSuffix(".swift") && folders.contains { path.hasPrefix($0 + "/") } }
      .compactMap { path in text(path).map { SwiftSource(path: path, text: $0) } }
  }
}
