import Foundation
import PushBench
import Synchronization

/// Where output goes, asked once.
enum Terminal {
  static func style(noColour: Bool) -> TerminalStyle {
    style(STDOUT_FILENO, noColour: noColour)
  }

  static let errorStyle = style(STDERR_FILENO, noColour: false)

  private static func style(_ descriptor: Int32, noColour: Bool) -> TerminalStyle {
    let environment = ProcessInfo.processInfo.environment
    return TerminalStyle(
      isTerminal: isatty(descriptor) == 1,
      noColor: noColour || !(environment["NO_COLOR"] ?? "").isEmpty,
      columns: environment["COLUMNS"].flatMap { Int($0) })
  }

  /// At once, without a buffer: what was told has been written.
  static func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }

  static func writeError(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}

/// Ctrl-C: the epoch in progress is finished, everything is written, then it ends. A second one
/// ends the program at once.
enum Interruption {
  private static let flag = Atomic<Bool>(false)

  static var happened: Bool { flag.load(ordering: .relaxed) }

  static func listen() {
    // Also makes the flag now: a signal handler is no place for a first use.
    flag.store(false, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        if Interruption.flag.exchange(true, ordering: .relaxed) { _exit(130) }
      }
    }
  }
}
