import ArgumentParser
import Foundation
import PushBench

/// `pushbench inspect`: what was not delivered in these captures, and why.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Says what became of every delivery in a capture.",
    discussion: """
        pushbench inspect morning.pcap
        pushbench inspect --interface eth0 --filter 'tcp port 1883' --for 10min
        ssh host tcpdump -U -w - 'tcp port 1883' | pushbench inspect -

      While packets come from an interface or a pipe, sessions and findings are told as they \
      happen; Ctrl-C ends with the report.

      Exit codes: 0 nothing is wrong, 1 there are findings, 64 wrong usage, 65 a file is no \
      capture or has no TCP, 66 a file can't be read or there is no such interface, 70 a defect of \
      pushbench itself, 73 a file can't be written, 77 no right to capture. A file that is cut off \
      is reported as far as it goes, and exits with 65.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

  @Argument(help: "pcap or pcapng files, or - for standard input.", completion: .file())
  var captures: [String] = []

  @Option(name: [.short, .long], help: "Listen to this network interface instead of files.")
  var interface: String?

  @Option(name: .customLong("for"), help: "Listen for so long, such as 30s or 10min.")
  var length: String?

  @Option(help: "How long a delivery may wait for its acknowledgement before that is told.")
  var patience = "5s"

  @Option(help: "Keep the packets of the interface or pipe in this pcapng file.")
  var write: String?

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Option(help: "text for people, json for programs (docs/inspect-json.md).")
  var format = Format.text

  @Flag(name: .customLong("no-colour"), help: "No colours, even on a terminal.")
  var noColour = false

  func validate() throws {
    guard captures.isEmpty == (interface != nil) else {
      throw ValidationError("Name capture files, or - for standard input, or an --interface.")
    }
    for text in [length, patience].compactMap({ $0 }) where Nanoseconds(text: text) == nil {
      throw ValidationError("\"\(text)\" is no length of time; write 30s, 5min or 1h.")
    }
    if !isLive, length != nil || write != nil {
      throw ValidationError("--for and --write are for an --interface or a pipe.")
    }
  }

  private var isLive: Bool { interface != nil || (captures == ["-"] && Self.inputIsPipe) }

  func run() throws {
    if isLive { return try inspectLive() }
    let options = try reading.options()
    var inspections: [InspectionRecord] = []
    var worst: Int32 = 0
    func complain(_ text: String, _ code: Int32) {
      FileHandle.standardError.write(Data("pushbench: \(text)\n".utf8))
      worst = max(worst, code)
    }
    for path in captures {
      do {
        let read = try CaptureInspection.read(path, options, keepsDeliveries: format == .json)
        let inspection = read.inspection
        // Nobody needs the memory any more.
        if path == captures.last { _ = unsafe Unmanaged.passRetained(read.remains) }
        inspections.append(inspection)
        if inspection.hasViolations { worst = max(worst, 1) }
        if let damage = inspection.capture.damage { complain("\(path): \(damage).", 65) }
        if format == .text {
          if inspections.count > 1 { Terminal.print() }
          Terminal.print(InspectionText.text(inspection, style: style), terminator: "")
        }
      } catch {
        // The others are still worth reading.
        complain("\(error). \(error.remedy)", error.exitCode)
      }
    }
    if format == .json { InspectionJSON.write(inspections) { Terminal.write($0) } }
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
