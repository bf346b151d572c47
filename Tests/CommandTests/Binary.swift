import Foundation

/// Runs the executable that was built beside the tests.
struct Binary {
  var status: Int32
  var output: String
  var errors: String

  static let path: String = {
    // The test bundle or the test runner lies in the directory of the products.
    let bundle = Bundle(for: Anchor.self).bundleURL
    let candidates = [
      bundle.deletingLastPathComponent(), bundle,
      URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
    ]
    let found = candidates.map { $0.appendingPathComponent("pushbench").path }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
    return found ?? ".build/debug/pushbench"
  }()

  private final class Anchor {}

  /// What a test that makes packets of real programs lacks: the right, or the first program that is
  /// not there; `nil`: nothing.
  static func missing(toRun programs: [String]) -> String? {
    if geteuid() != 0 { return "root" }
    let folders = ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/", "/usr/local/bin/"]
    return programs.first { program in
      !folders.contains { FileManager.default.isExecutableFile(atPath: $0 + program) }
    }
  }

  static func run(
    _ arguments: [String], program: String = path, environment: [String: String] = [:]
  ) throws -> Binary {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let errorText = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Binary(
      status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
      errors: String(decoding: errorText, as: UTF8.self))
  }
}

/// A directory that is gone afterwards.
func withTemporaryDirectory<Result>(_ work: (String) throws -> Result) throws -> Result {
  let url = FileManager.default.temporaryDirectory
    .appendingPathComponent("pushbench-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: url) }
  return try work(url.path)
}
