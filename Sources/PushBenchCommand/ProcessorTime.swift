import Foundation
import PushBench

/// How long processors have worked for this program, all threads together. A rate counted by
/// it does not depend on what else the machine has to do.
enum ProcessorTime {
  static var spent: Nanoseconds {
    var time = timespec()
    guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .zero }
    return .seconds(UInt64(time.tv_sec)) + Nanoseconds(UInt64(time.tv_nsec))
  }
}
