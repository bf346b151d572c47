import Foundation

/// The recorded captures of this repository.
enum CaptureFolder {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  static func path(_ name: String) -> String {
    root.appending(path: "captures/mqtt/\(name)").path
  }

  /// All MQTT captures in clear, by name.
  static let all: [String] = {
    let folder = root.appending(path: "captures/mqtt")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasSuffix(".pcap") || $0.hasSuffix(".pcapng") }.sorted()
  }()
}
