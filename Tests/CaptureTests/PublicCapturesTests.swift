import Foundation
import Testing
import Timeline
import Wire

@testable import Capture

/// Reads every file of a folder of captures that lie outside of this repository, and writes what
/// came out for `compare-public-streams.py`. Does nothing unless `PUSHBENCH_PUBLIC_CAPTURES` names
/// the folder and `PUSHBENCH_STREAMS` the folder to write to.
@Suite struct PublicCapturesTests {
  static let source = ProcessInfo.processInfo.environment["PUSHBENCH_PUBLIC_CAPTURES"]
  static let target = ProcessInfo.processInfo.environment["PUSHBENCH_STREAMS"]

  @Test(.enabled(if: source != nil && target != nil))
  func `every public capture ends with a result or a clear error, in five seconds`() throws {
    let (source, target) = (Self.source!, Self.target!)
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    var index = ""
    for name in try FileManager.default.contentsOfDirectory(atPath: source).sorted()
    where !name.hasSuffix(".keylog") {
      let start = ContinuousClock.now
      let sink = RecordingSink()
      let outcome: String
      do throws(CaptureError) {
        let summary = try CaptureFile(path: source + "/" + name).read(into: sink)
        let warnings = summary.warningCounts.map { "\($0.kind) \($0.count)" }
        outcome =
          "read\t\(summary.packets)\t\(summary.tcpPackets)\t\(summary.packetsNotTCP)\t"
          + warnings.joined(separator: ", ") + "\t" + (summary.warnings.first?.text ?? "")
      } catch {
        outcome = "error\t\(error)"
      }
      let seconds = start.duration(to: .now)
      #expect(seconds < .seconds(5), "\(name) took \(seconds)")
      index += "\(name)\t\(seconds / .milliseconds(1))\t\(outcome)\n"
      try write(sink, to: target + "/" + name)
    }
    try Data(index.utf8).write(to: URL(fileURLWithPath: target + "/index.tsv"))
  }

  private func write(_ sink: RecordingSink, to path: String) throws {
    var rows = ""
    var streams = Data()
    for connection in sink.connections {
      #expect(!connection.isInconsistent, "\(path): \(connection.description)")
      let lines = connection.lines.joined(separator: " | ")
        .replacingOccurrences(of: "\n", with: " ").replacingOccurrences(of: "\t", with: " ")
      rows +=
        "\(connection.description.client)\t\(connection.description.server)\t"
        + "\(connection.description.clientRule)\t\(connection.toServer.count)\t"
        + "\(connection.toClient.count)\t\(connection.gaps)\t\(lines.prefix(2000))\n"
      streams.append(contentsOf: connection.toServer)
      streams.append(contentsOf: connection.toClient)
    }
    try Data(rows.utf8).write(to: URL(fileURLWithPath: path + ".tsv"))
    try streams.write(to: URL(fileURLWithPath: path + ".streams"))
  }
}
