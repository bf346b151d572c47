import ArgumentParser
import Foundation
import PushBench

/// `pushbench replay`: does this machine do the same?
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Runs what a capture shows, or a scenario, through machines, and compares.",
    discussion: """
      A capture is taken apart into one scenario for each subscriber; each is run in virtual time \
      to the end of the capture and compared with it. A scenario file is run until nothing is \
      pending any more, and judged.

      Exit codes: 0 faithful and clean, 1 differences or findings, 64 wrong usage, 65 a file is \
      neither capture nor scenario, 66 a file can't be read, 70 a defect of pushbench itself.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Argument(help: "Captures (pcap, pcapng) and scenario files.", completion: .file())
  var files: [String]

  @Option(help: "The client machine, such as mqtt.client@good.")
  var client: String?

  @Option(help: "The server machine, such as mqtt.broker@good.")
  var server: String?

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Option(help: "text for people, json for programs.")
  var format = Format.text

  @Flag(help: "Show all messages side by side, not only those around differences.")
  var messages = false

  @Flag(name: .customLong("no-colour"), help: "No colours, even on a terminal.")
  var noColour = false

  func run() throws {
    let options = try reading.options()
    var captures: [(path: String, fidelity: Fidelity)] = []
    var scenarios: [(path: String, run: ScenarioRun)] = []
    var worst: Int32 = 0
    for path in files {
      do throws(ReplayFailure) {
        if let text = ScenarioFiles.text(of: path) {
          scenarios.append((path, try replay(scenario: text, path)))
        } else {
          captures += try replay(capture: path, options).map { (path, $0) }
        }
      } catch {
        // The others are still worth reading.
        FileHandle.standardError.write(Data("pushbench: \(error.message)\n".utf8))
        worst = max(worst, error.exitCode)
      }
    }
    if captures.contains(where: { !$0.fidelity.isFaithful }) { worst = max(worst, 1) }
    if scenarios.contains(where: { $0.run.verdict == .violated }) { worst = max(worst, 1) }
    report(captures, scenarios)
    if worst != 0 { throw ExitCode(worst) }
  }

  private func replay(
    capture path: String, _ options: CaptureOptions
  ) throws(ReplayFailure) -> [Fidelity] {
    do {
      return try Replay.capture(path, options, client: client, server: server)
    } catch {
      throw ReplayFailure(error)
    }
  }

  private func replay(scenario text: String, _ path: String) throws(ReplayFailure) -> ScenarioRun {
    let scenario: Scenario
    do {
      scenario = try ScenarioScript.read(text, file: path, catalog: ProtocolCatalog.all)
    } catch {
      throw ReplayFailure(message: "\(error)", exitCode: CaptureError.ExitClass.badInput.rawValue)
    }
    do {
      return try Replay.scenario(scenario, client: client, server: server)
    } catch {
      throw ReplayFailure(error)
    }
  }

  private func report(
    _ captures: [(path: String, fidelity: Fidelity)],
    _ scenarios: [(path: String, run: ScenarioRun)]
  ) {
    switch format {
    case .json:
      Terminal.print(ReplayJSON.text(captures: captures, scenarios: scenarios), terminator: "")
    case .text:
      let style = Terminal.style(noColour: noColour)
      var parts = captures.map {
        ReplayText.text($0.fidelity, capture: $0.path, isComplete: messages, style: style)
      }
      parts += scenarios.map { ReplayRunText.text($0.run, file: $0.path, style: style) }
      Terminal.print(parts.joined(separator: "\n"), terminator: "")
    }
  }
}

/// What to say and how to exit when one file can't be replayed.
struct ReplayFailure: Error {
  var message: String
  var exitCode: Int32

  init(message: String, exitCode: Int32) {
    self.message = message
    self.exitCode = exitCode
  }

  init(_ error: ReplayError) {
    self.init(message: "\(error). \(error.remedy)", exitCode: error.exitCode)
  }
}

/// Telling scenario files from captures.
enum ScenarioFiles {
  /// The text of a scenario file; `nil` for anything else, also for what can't be read: the capture
  /// reader says why.
  static func text(of path: String) -> String? {
    guard let handle = FileHandle(forReadingAtPath: path) else { return nil }
    defer { try? handle.close() }
    let head = Data("pushbench scenario".utf8)
    guard let start = try? handle.read(upToCount: head.count), start == head,
      let rest = try? handle.readToEnd()
    else { return nil }
    return String(decoding: start + rest, as: UTF8.self)
  }
}
