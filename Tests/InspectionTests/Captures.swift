import Foundation
import Testing

/// The recordings in captures/ and what their truth files expect.
enum Captures {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  struct Truth: Decodable, Sendable, CustomTestStringConvertible {
    struct Expected: Decodable, Sendable {
      struct Finding: Decodable, Hashable, Sendable {
        var oracle: String
        var subscriber: String
      }
      var subscribers: [String: [String: Int]]
      var findings: [Finding]
      var doubtful: Bool
      var blind: Bool?
    }
    var name: String
    var file: String
    var expected: Expected
    var testDescription: String { name }
  }

  static func path(_ name: String) -> String {
    root.appending(path: "captures/" + name).path
  }

  /// All of captures/mqtt, by name.
  static let mqtt = all("mqtt")
  /// All of captures/mqtt-tls; beside each lies NAME.keylog.
  static let secured = all("mqtt-tls")

  static func all(_ folder: String) -> [Truth] {
    let folder = root.appending(path: "captures/" + folder)
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".truth.json") }.sorted().compactMap { file in
      guard let bytes = try? Data(contentsOf: folder.appending(path: file)) else { return nil }
      return try? JSONDecoder().decode(Truth.self, from: bytes)
    }
  }

  static func mqtt(_ name: String) -> String {
    path("mqtt/" + (mqtt.first { $0.name == name }?.file ?? name))
  }
}
