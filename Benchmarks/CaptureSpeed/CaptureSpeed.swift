import Capture
import Custody
import Inspection
import Unwrapping
import Wire

/// Reads a capture and drops its events: what the capture layer alone costs. With `--inspect` the
/// events are followed to the ends of deliveries, which are counted.
///
///     swift run -c release CaptureSpeed FILE [RUNS] [--inspect]
@main
enum CaptureSpeed {
  static func main() {
    var arguments = CommandLine.arguments
    let inspects = arguments.contains("--inspect")
    arguments.removeAll { $0 == "--inspect" }
    guard arguments.count > 1 else { return print("usage: CaptureSpeed FILE [RUNS]") }
    let runs = arguments.count > 2 ? Int(arguments[2]) ?? 1 : 1
    do {
      if inspects { try inspect(arguments[1], runs) } else { try measure(arguments[1], runs) }
    } catch {
      print(error)
    }
  }

  private static func inspect(_ path: String, _ runs: Int) throws(InspectionError) {
    for _ in 0..<runs {
      let start = ContinuousClock.now
      let inspection = try CaptureInspection.inspect(
        path, CaptureOptions(), keepsDeliveries: false)
      let seconds = start.duration(to: .now) / .seconds(1)
      let packets = inspection.capture.packets
      let deliveries = inspection.observation.tallies.reduce(0) { $0 + $1.total }
      print(
        "\(packets) packets, \(inspection.observation.sessions.count) sessions, "
          + "\(deliveries) deliveries: \((seconds * 1000).rounded()) ms, "
          + "\((Double(packets) / seconds / 10_000).rounded() / 100) M packets/s")
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
