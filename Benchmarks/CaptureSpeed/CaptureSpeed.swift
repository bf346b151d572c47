import Capture
import Wire

/// Reads a capture and drops its events: what the capture layer alone costs.
///
///     swift run -c release CaptureSpeed FILE [RUNS]
@main
enum CaptureSpeed {
  static func main() {
    let arguments = CommandLine.arguments
    guard arguments.count > 1 else { return print("usage: CaptureSpeed FILE [RUNS]") }
    let runs = arguments.count > 2 ? Int(arguments[2]) ?? 1 : 1
    do throws(CaptureError) {
      try measure(arguments[1], runs)
    } catch {
      print(error)
    }
  }

  private static func measure(_ path: String, _ runs: Int) throws(CaptureError) {
    for _ in 0..<runs {
      let sink = CountingSink()
      let start = ContinuousClock.now
      let summary = try CaptureFile(path: path).read(into: sink)
      let seconds = start.duration(to: .now) / .seconds(1)
      let packets = Double(summary.packets) / seconds
      let bytes = Double(summary.bytes) / seconds
      print(
        "\(summary.packets) packets, \(summary.connections) connections, \(sink.events) events, "
          + "\(sink.bytes) stream bytes: \((seconds * 1000).rounded()) ms, "
          + "\((packets / 10_000).rounded() / 100) M packets/s, "
          + "\((bytes / 10_000_000).rounded() / 100) GB/s")
    }
  }
}

final class CountingSink: ConnectionSink {
  private(set) var events = 0
  private(set) var bytes = 0

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    events += 1
    self.bytes += bytes.count
  }
}
