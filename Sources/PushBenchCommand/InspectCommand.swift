import ArgumentParser
import Foundation
import PushBench

/// `pushbench inspect`: what was not delivered in these captures, and why.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Says what became of every delivery in a capture.",
    discussion: """
      Exit codes: 0 nothing is wrong, 1 there are findings, 64 wrong usage, 65 a file is no \
      capture or has no TCP, 66 a file can't be read, 70 a defect of pushbench \
      itself. A file that is cut off is reported as far as it goes, and exits with 65.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Argument(help: "pcap or pcapng files.", completion: .file())
  var captures: [String]

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Option(help: "text for people, json for programs (docs/inspect-json.md).")
  var format = Format.text

  @Flag(name: .customLong("no-colour"), help: "No colours, even on a terminal.")
  var noColour = false

  func run() throws {
    let options = try reading.options()
    var inspections: [InspectionRecord] = []
    var worst: Int32 = 0
    func complain(_ text: String, _ code: Int32) {
      FileHandle.standardError.write(Data("pushbench: \(text)\n".utf8))
      worst = max(worst, code)
    }
    for path in captures {
      do {
        let inspection = try CaptureInspection.inspect(
          path, options, keepsDeliveries: format == .json)
        inspections.append(inspection)
        if inspection.hasViolations { worst = max(worst, 1) }
        if let damage = inspection.capture.damage { complain("\(path): \(damage).", 65) }
        if format == .text {
          if inspections.count > 1 { print() }
          print(InspectionText.text(inspection, style: style), terminator: "")
        }
      } catch {
        // The others are still worth reading.
        complain("\(error). \(error.remedy)", error.exitCode)
      }
    }
    if format == .json { print(InspectionJSON.text(inspections), terminator: "") }
    if worst != 0 { throw ExitCode(worst) }
  }

  private var style: TerminalStyle {
    let environment = ProcessInfo.processInfo.environment
    let columns = environment["COLUMNS"].flatMap { Int($0) }
    return TerminalStyle(
      isTerminal: isatty(STDOUT_FILENO) == 1,
      noColor: noColour || !(environment["NO_COLOR"] ?? "").isEmpty, columns: columns)
  }
}
