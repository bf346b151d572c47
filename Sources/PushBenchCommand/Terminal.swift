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

  /// At once, without a buffer: what was told has been written. When it can't be (a full disk),
  /// that is said, and the program ends: half a report must not pass for one.
  static func write(_ text: String) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes {
        unsafe Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count)
      }
      if count >= 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR {
        let reason = unsafe String(cString: strerror(errno))
        writeError("pushbench: standard output: can't be written: \(reason).\n")
        exit(73)
      }
    }
  }

  static func print(_ text: String = "", terminator: String = "\n") { write(text + terminator) }

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
