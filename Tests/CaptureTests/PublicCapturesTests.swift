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

  /// `PUSHBENCH_MUTATIONS`: how often each capture below 200 kB is read with damage.
  @Test(.enabled(if: source != nil && mutations > 0))
  func `no damage to a public capture traps or hangs`() throws {
    var state: UInt64 = 88_172_645_463_325_252
    func random(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state >> 11) % bound
    }
    for name in try FileManager.default.contentsOfDirectory(atPath: Self.source!).sorted()
    where !name.hasSuffix(".keylog") {
      let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.source! + "/" + name)))
      guard whole.count > 24, whole.count < 200_000 else { continue }
      for _ in 0..<Self.mutations {
        var damaged = whole
        for _ in 0...random(20) {
          let at = random(damaged.count)
          switch random(5) {
          case 0: damaged[at] = UInt8(random(256))
          case 1: damaged[at] ^= UInt8(1 << random(8))
          case 2: damaged[at] = [0, 1, 0x7F, 0x80, 0xFF][random(5)]
          case 3: damaged.removeSubrange(at..<min(damaged.count, at + random(40)))
          default: damaged.insert(contentsOf: whole.prefix(random(60)), at: at)
          }
          if damaged.isEmpty { damaged = [0] }
        }
        let file = try TemporaryFile(damaged)
        let sink = CheckingSink()
        let start = ContinuousClock.now
        do throws(CaptureError) {
          _ = try CaptureFile(path: file.path).read(into: sink)
        } catch {
          #expect(!error.description.isEmpty)
        }
        #expect(sink.problem == nil)
        if start.duration(to: .now) > .seconds(5) || sink.problem != nil {
          try Data(damaged).write(to: URL(fileURLWithPath: Self.target! + "/slow-" + name))
          Issue.record("\(name): \(sink.problem ?? "slow")")
        }
      }
    }
  }

  static let mutations =
    Int(ProcessInfo.processInfo.environment["PUSHBENCH_MUTATIONS"] ?? "") ?? 0

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
