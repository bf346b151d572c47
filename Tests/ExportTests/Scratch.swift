import Foundation
import Wire

/// A folder that is gone with the test.
final class Scratch {
  static let captures = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "captures").path

  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "export-\(UUID().uuidString)")
      .path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func contents(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: path + "/" + name).map(Array.init)
  }

  func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path + "/" + folder).sorted()
  }

  static func keyLog(_ name: String) -> [UInt8] {
    FileManager.default.contents(atPath: captures + "/mqtt-tls/" + name + ".keylog").map(Array.init)
      ?? []
  }
}

/// Hears of connections and does nothing about them.
final class Deafness: ConnectionSink {
  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {}
}
