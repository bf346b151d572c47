import ArgumentParser
import Foundation
import PushBench

/// `pushbench extract`: what was taken out of a capture, as files.
struct ExtractCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extract",
    abstract: "Writes a scenario for each subscriber of a capture, and its sessions.",
    discussion: """
      CAPTURE-SUBSCRIBER.scenario is what replay and fuzz run; CAPTURE.sessions.jsonl has one \
      session a line, with the names of inspect's JSON. With --streams, every connection's bytes \
      are written as two files (two more for what was inside of TLS, if it can be decrypted); \
      CAPTURE.streams.tsv and .json say whose they are, with gaps and sha256.

      Exit codes: 0 everything was written, 64 wrong usage, 65 a file is no capture or has nothing \
      to extract, 66 a file can't be read, 73 a file can't be written.
      """)

  @Argument(help: "pcap or pcapng files.", completion: .file())
  var captures: [String]

  @Option(help: "The folder to write scenarios and sessions to; it is made when it is missing.")
  var output: String?

  @Option(help: "The folder to write both byte streams of every connection to.")
  var streams: String?

  @OptionGroup(title: "Reading captures") var reading: CaptureArguments

  func validate() throws {
    if output == nil, streams == nil {
      throw ValidationError("Say where to write: --output FOLDER, --streams FOLDER, or both.")
    }
  }

  func run() throws {
    let options = try reading.options()
    var worst: Int32 = 0
    if let output {
      let folder = try makeFolder(output)
      var taken: Set<String> = []
      for path in captures { worst = max(worst, extract(path, options, to: folder, &taken)) }
    }
    if let streams {
      let folder = try makeFolder(streams)
      var taken: Set<String> = []
      for path in captures { worst = max(worst, writeStreams(path, options, folder, &taken)) }
    }
    if worst != 0 { throw ExitCode(worst) }
  }

  private func makeFolder(_ path: String) throws -> URL {
    let folder = URL(fileURLWithPath: path, isDirectory: true)
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      return folder
    } catch {
      fail("\(path): can't be made: \(error.localizedDescription)")
      throw ExitCode(73)
    }
  }

  /// - Returns: what to exit with.
  private func writeStreams(
    _ path: String, _ options: CaptureOptions, _ folder: URL, _ taken: inout Set<String>
  ) -> Int32 {
    let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    let base = unique(name, &taken)
    do {
      let records = try StreamFiles.write(path, options, to: folder, base: base)
      return write(StreamTable.tabbed(records), base + ".streams.tsv", folder)
        && write(StreamTable.json(records), base + ".streams.json", folder) ? 0 : 73
    } catch let error as CaptureError {
      fail("\(error). \(error.remedy)")
      return error.exitClass.rawValue
    } catch let error as StreamFiles.Failure {
      fail(error.text)
      return 73
    } catch {
      fail("\(path): \(error.localizedDescription)")
      return 70
    }
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
    do {
      try Data(text.utf8).write(to: url, options: .atomic)
      print(url.path)
      return true
    } catch {
      fail("\(url.path): can't be written: \(error.localizedDescription)")
      return false
    }
  }

  private func fail(_ message: String) {
    FileHandle.standardError.write(Data("pushbench: \(message)\n".utf8))
  }

  /// A client identifier may hold anything; a file name may not.
  private func safe(_ name: String) -> String {
    String(
      name.unicodeScalars.prefix(60).map { scalar in
        let isPlain =
          scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
        return isPlain || scalar == "-" || scalar == "_" ? Character(scalar) : "_"
      })
  }

  private func unique(_ name: String, _ taken: inout Set<String>) -> String {
    var candidate = name
    var count = 1
    while !taken.insert(candidate).inserted {
      count += 1
      candidate = "\(name)-\(count)"
    }
    return candidate
  }
}
