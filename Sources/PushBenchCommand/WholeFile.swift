import Foundation
import PushBench

/// Files that are there whole or not at all.
enum WholeFile {
  static func write(_ text: String, to path: String) throws(OutputError) {
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw .unwritable(file: path, reason: reason(error))
    }
  }

  static func makeFolder(_ path: String) throws(OutputError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw .unwritable(file: path, reason: reason(error))
    }
  }

  /// In the system's words, where they are known.
  private static func reason(_ error: any Error) -> String {
    if let system = (error as? CocoaError)?.underlying as? POSIXError {
      return unsafe String(cString: strerror(system.code.rawValue))
    }
    return error.localizedDescription
  }
}

extension CommandFailure {
  /// A file that can't be written ends the command.
  static func output<Result>(_ work: () throws(OutputError) -> Result) throws -> Result {
    do {
      return try work()
    } catch {
      throw exit("\(error). \(error.remedy)", code: 73)
    }
  }
}
