import ArgumentParser
import Foundation
import PushBench

/// `pushbench extract`: what was taken out of a capture, as files.
struct ExtractCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Takes scenarios, byte streams or the packets of one session out of captures.",
    discussion: """
      Of --output, --streams and --packets at least one says what to take out.

      Scenarios: CAPTURE-SUBSCRIBER.scenario is what replay and fuzz run; CAPTURE.sessions.jsonl \
      has one session a line, with the names of inspect's JSON.
        pushbench extract morning.pcap --output scenarios

      Byte streams: both directions of every TCP connection, as files, with a table of bytes, gaps \
      and sha256. What was in TLS is written beside them, decrypted, where there are secrets.
        pushbench extract morning.pcap --streams streams

      Packets: those of one session, subscriber or finding, for Wireshark: with original times and \
      interfaces, the TLS secrets that they need, and comments at what proves a finding.
        pushbench extract morning.pcap --packets phone.pcapng --subscriber phone-17

      Exit codes: 0 everything was written, 64 wrong usage or no such session, 65 a file is no \
      capture or has nothing to extract, 66 a file can't be read, 73 a file can't be written.
      """)

  @Argument(help: "pcap or pcapng files.", completion: .file())
  var captures: [String]

  @Option(help: "The folder to write scenarios to; it is made when it is missing.")
  var output: String?

  @Option(help: "The folder to write byte streams to; it is made, or must be empty.")
  var streams: String?

  @Option(help: "The pcapng file to write packets to; it must not be there yet.")
  var packets: String?

  @Option(help: "Packets of the session with this number in inspect's report.")
  var session: UInt32?

  @Option(help: "Packets of all sessions of this subscriber.")
  var subscriber: String?

  @Option(help: "Packets of the connections that prove this finding of inspect's, from 1.")
  var finding: Int?

  @Option(help: "How --streams and --packets report: text, or json (docs/extract.md).")
  var format = InspectCommand.Format.text

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  @Flag(name: .customLong("no-colour"), help: "No colours, even on a terminal.")
  var noColour = false

  func validate() throws {
    guard output != nil || streams != nil || packets != nil else {
      throw ValidationError("Say what to take out: --output, --streams or --packets.")
    }
    let selections = [session != nil, subscriber != nil, finding != nil].count { $0 }
    if packets == nil, selections > 0 {
      throw ValidationError("--session, --subscriber and --finding say which --packets to write.")
    }
    if packets != nil, selections != 1 {
      throw ValidationError(
        "--packets needs one of --session, --subscriber and --finding; pushbench inspect lists "
          + "them.")
    }
    if packets != nil, captures.count > 1 {
      throw ValidationError("--packets takes one capture: sessions are numbered in each.")
    }
  }

  func run() throws {
    let options = try reading.options()
    var worst: Int32 = 0
    if let output { worst = max(worst, try extractScenarios(options, to: output)) }
    if let streams { worst = max(worst, extractStreams(options, to: streams)) }
    if let packets { worst = max(worst, extractPackets(options, to: packets)) }
    if worst != 0 { throw ExitCode(worst) }
  }

  private func extractScenarios(_ options: CaptureOptions, to output: String) throws -> Int32 {
    let folder = URL(fileURLWithPath: output, isDirectory: true)
    try CommandFailure.output { () throws(OutputError) in try WholeFile.makeFolder(output) }
    var worst: Int32 = 0
    var taken: Set<String> = []
    for path in captures { worst = max(worst, extract(path, options, to: folder, &taken)) }
    return worst
  }

  /// - Returns: what to exit with.
  private func extract(
    _ path: String, _ options: CaptureOptions, to folder: URL, _ taken: inout Set<String>
  ) -> Int32 {
    let base = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    do {
      let extraction = try ScenarioSource.extraction(fromCapture: path, options)
      guard !extraction.histories.isEmpty else {
        let error = extraction.whyEmpty(path)
        fail("\(error). \(error.remedy)")
        return error.exitCode
      }
      for history in extraction.histories {
        let text = ExtractionText.scenario(history, catalog: ProtocolCatalog.all)
        let name = base + (history.subscriber.isEmpty ? "" : "-" + safe(history.subscriber))
        guard write(text, unique(name, &taken) + ".scenario", folder) else { return 73 }
      }
    } catch {
      fail("\(error). \(error.remedy)")
      return error.exitClass.rawValue
    }
    guard let inspection = try? CaptureInspection.inspect(path, options) else { return 0 }
    let lines = InspectionJSON.sessionLines(inspection)
    return write(lines, unique(base, &taken) + ".sessions.jsonl", folder) ? 0 : 73
  }

  private func write(_ text: String, _ name: String, _ folder: URL) -> Bool {
    let url = folder.appendingPathComponent(name)
    do throws(OutputError) {
      try WholeFile.write(text, to: url.path)
      Terminal.print(url.path)
      return true
    } catch {
      fail("\(error). \(error.remedy)")
      return false
    }
  }

  func fail(_ message: String) {
    FileHandle.standardError.write(Data("pushbench: \(message)\n".utf8))
  }

  /// A client identifier may hold anything; a file name may not.
  func safe(_ name: String) -> String {
    String(
      name.unicodeScalars.prefix(60).map { scalar in
        let isPlain =
          scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
        return isPlain || scalar == "-" || scalar == "_" ? Character(scalar) : "_"
      })
  }

  func unique(_ name: String, _ taken: inout Set<String>) -> String {
    var candidate = name
    var count = 1
    while !taken.insert(candidate).inserted {
      count += 1
      candidate = "\(name)-\(count)"
    }
    return candidate
  }
}
