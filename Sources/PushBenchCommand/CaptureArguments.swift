import ArgumentParser
import Foundation
import PushBench

/// How captures are read, for all commands that read them.
struct CaptureArguments: ParsableArguments {
  @Option(help: "Look only at packets that pass, in pcap-filter(7) syntax: 'tcp port 1883'.")
  var filter: String?

  @Option(
    name: .customLong("keylog"),
    help: "A TLS key log (SSLKEYLOGFILE) to decrypt with; may be given several times.",
    completion: .file())
  var keyLogs: [String] = []

  @Option(
    name: .customLong("as"),
    help: """
      What is spoken on a port, whatever it looks like: mqtt=18834. Also tls=PORT and \
      websocket=PORT for what is around a protocol. May be given several times.
      """)
  var assignments: [String] = []

  @Option(
    name: .customLong("topic"),
    help: """
      What a topic of APNs may be called, such as com.example.app: captures have only its hash. \
      May be given several times.
      """)
  var topics: [String] = []

  @Option(
    name: .customLong("topics"), help: "A file of such names, one a line.", completion: .file())
  var topicFiles: [String] = []

  func validate() throws {
    do {
      _ = try ports()
    } catch {
      throw ValidationError("\(error)")
    }
  }

  /// Reads the key logs.
  ///
  /// The file that SSLKEYLOGFILE names is one of them, if it is there.
  ///
  /// - Parameter isLive: a key log may come later, and have nothing in it yet.
  func options(isLive: Bool = false) throws -> CaptureOptions {
    var options = CaptureOptions(filter: filter, assignments: try ports())
    options.topicNames = topics + (try topicFiles.flatMap(Self.lines))
    options.notice = { Terminal.writeError("pushbench: \($0).\n") }
    if let path = ProcessInfo.processInfo.environment["SSLKEYLOGFILE"], !path.isEmpty,
      let text = FileManager.default.contents(atPath: path)
    {
      options.secrets.read(keyLog: text)
    }
    for path in keyLogs {
      guard let text = FileManager.default.contents(atPath: path) else {
        let isThere = FileManager.default.fileExists(atPath: path)
        if isLive, !isThere { continue }
        let why = isThere ? "can't be read" : "there is no such file"
        Terminal.writeError("pushbench: \(path): \(why). It was to be a TLS key log.\n")
        throw ExitCode(ScenarioInput.Failure.noInput)
      }
      let known = options.secrets.count
      report(options.secrets.read(keyLog: text), path)
      if options.secrets.count == known, !isLive {
        Terminal.writeError("pushbench: \(path): has no secrets of TLS connections in it.\n")
      }
    }
    return options
  }

  /// Without comments and empty lines.
  private static func lines(of path: String) throws -> [String] {
    guard let content = FileManager.default.contents(atPath: path) else {
      Terminal.writeError("pushbench: \(path): can't be read. It was to have names of topics.\n")
      throw ExitCode(ScenarioInput.Failure.noInput)
    }
    return String(decoding: content, as: UTF8.self).split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty && !$0.hasPrefix("#") }
  }

  /// Those of the options, and that of SSLKEYLOGFILE.
  var keyLogPaths: [String] {
    let named = ProcessInfo.processInfo.environment["SSLKEYLOGFILE"] ?? ""
    return keyLogs + (named.isEmpty ? [] : [named])
  }

  private func ports() throws(PortAssignments.Misuse) -> PortAssignments {
    var ports = PortAssignments()
    for text in assignments {
      try ports.add(text, known: ObservationCatalog.all.map(\.name))
    }
    return ports
  }

  /// The first few; a file that is no key log at all has one on each line.
  private func report(_ warnings: [TLSSecrets.Warning], _ path: String) {
    for warning in warnings.prefix(3) {
      Terminal.writeError(
        "pushbench: \(path), line \(warning.line): passed over, \(warning.problem).\n")
    }
    if warnings.count > 3 {
      Terminal.writeError("pushbench: \(path): so are \(warnings.count - 3) more lines.\n")
    }
  }
}
