import Foundation
import PushBench

/// The minimized findings that lie in `corpus/`.
enum CorpusFolder {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("corpus")

  /// Paths within the folder, in order of their names.
  static let files: [String] = {
    guard let enumerator = FileManager.default.enumerator(atPath: root.path) else { return [] }
    var files: [String] = []
    while let name = enumerator.nextObject() as? String {
      if name.hasSuffix(".scenario") { files.append(name) }
    }
    return files.sorted()
  }()

  static func text(of file: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
  }

  /// Right machines were blamed in it, before the bench was mended.
  static func isFalseAlarm(_ file: String) -> Bool { file.contains("/false-alarms/") }

  /// Machines with a defect that was seen somewhere.
  static let specimens: [String] = ProtocolCatalog.all.flatMap(\.machines)
    .filter { !$0.citation.isEmpty }.map(\.name)

  /// `mqtt/broker-leaks-window.scenario` for `mqtt.broker@leaks-window`.
  static func file(for machine: String) -> String {
    let parts = machine.split(separator: ".", maxSplits: 1)
    return "\(parts[0])/\(parts[1].replacing("@", with: "-")).scenario"
  }
}
