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
      var `protocol`: String
      var subscribers: [String: [String: Int]]
      var findings: [Finding]
      var doubtful: Bool
      var blind: Bool?
    }
    var name: String
    var file: String
    var expected: Expected
    /// In captures/; not in the file.
    var folder: String?
    var path: String { Captures.path("\(folder ?? "")/\(file)") }
    /// The key log beside it.
    var keyLog: String { Captures.path("\(folder ?? "")/\(name).keylog") }
    var testDescription: String { name }
  }

  static func path(_ name: String) -> String {
    root.appending(path: "captures/" + name).path
  }

  /// All of captures/mqtt, by name.
  static let mqtt = all("mqtt")
  /// All that have something around MQTT.
  static let wrapped = all("mqtt-tls") + all("mqtt-websocket")
  /// Providers and APNs; in TLS too.
  static let apnsProvider = all("apns").filter { $0.expected.protocol == "apns-provider" }
  /// Those in TLS; beside each lies NAME.keylog.
  static let secured = wrapped.filter { $0.name.contains("tls") }

  static func all(_ name: String) -> [Truth] {
    let folder = root.appending(path: "captures/" + name)
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".truth.json") }.sorted().compactMap { file in
      guard let bytes = try? Data(contentsOf: folder.appending(path: file)) else { return nil }
      guard var truth = try? JSONDecoder().decode(Truth.self, from: bytes) else { return nil }
      truth.folder = name
      return truth
    }
  }

  static func mqtt(_ name: String) -> String {
    path("mqtt/" + (mqtt.first { $0.name == name }?.file ?? name))
  }
}
