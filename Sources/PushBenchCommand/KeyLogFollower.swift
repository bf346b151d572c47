import Foundation

/// Reads what programs add to their key logs.
final class KeyLogFollower {
  private struct File {
    let path: String
    /// Up to where it was read: the beginning of a line.
    var position: UInt64 = 0
  }

  /// More is not read at a time.
  private static let longestPiece = 1 << 20

  private var files: [File]

  init(_ paths: [String]) { files = paths.map { File(path: $0) } }

  /// Whole lines that nobody has been given yet.
  func takeNew() -> [UInt8] {
    var lines: [UInt8] = []
    for index in files.indices { lines += read(&files[index]) }
    return lines
  }

  private func read(_ file: inout File) -> [UInt8] {
    var status = stat()
    guard unsafe stat(file.path, &status) == 0 else { return [] }
    // Somebody began it anew.
    if UInt64(status.st_size) < file.position { file.position = 0 }
    guard UInt64(status.st_size) > file.position,
      let handle = FileHandle(forReadingAtPath: file.path)
    else { return [] }
    defer { try? handle.close() }
    guard (try? handle.seek(toOffset: file.position)) != nil,
      let data = try? handle.read(upToCount: Self.longestPiece),
      let end = data.lastIndex(of: UInt8(ascii: "\n"))
    else { return [] }
    let lines = Array(data[...end])
    file.position += UInt64(lines.count)
    return lines
  }
}
