import Capture
import Foundation
import Testing
import Timeline
import Unwrapping
import Wire

/// The oldest file of a ring that is written on is cut while somebody reads it.
@Suite struct CutFileTests {
  /// Keeps what is said, and does something when the first thing is.
  private final class Sink: ConnectionSink {
    var said: [String] = []
    private var first: (() -> Void)?

    init(_ first: (() -> Void)? = nil) { self.first = first }

    func receive(
      _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
      bytes: UnsafeRawBufferPointer, at moment: Moment
    ) {
      first?()
      first = nil
      let ends = unsafe [bytes.first, bytes.last]
      said.append("\(moment.frame) \(connection.index) \(event) \(bytes.count) \(ends)")
    }
  }

  /// A client that sends more than a relay keeps, from the middle of its connection on.
  private static func capture(segments: Int, of size: Int) -> Data {
    func big(_ value: UInt32, _ count: Int) -> [UInt8] {
      (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    }
    func little(_ value: Int) -> [UInt8] { big(UInt32(value), 4).reversed() }
    var contents = Data(
      little(0xA1B2_C3D4) + [2, 0, 4, 0] + little(0) + little(0) + little(262_144) + little(1))
    for index in 0..<segments {
      let ip = [0x45, 0] + big(UInt32(40 + size), 2) + [0, 0, 0, 0, 64, 6, 0, 0]
      let tcp =
        big(50_000, 2) + big(1883, 2) + big(UInt32(1 + index * size), 4) + big(1, 4)
        + [0x50, 0x10, 0xFF, 0xFF, 0, 0, 0, 0]
      let frame =
        [UInt8](repeating: 2, count: 12) + [8, 0] + ip + [10, 0, 0, 2, 10, 0, 0, 1] + tcp
        + [UInt8](repeating: UInt8(truncatingIfNeeded: index | 1), count: size)
      contents += little(index) + little(0) + little(frame.count) + little(frame.count) + frame
    }
    return contents
  }

  @Test func `a file that is cut while it is read is told as what is left of it`() throws {
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("pushbench-\(UUID().uuidString).pcap")
    defer { try? FileManager.default.removeItem(at: file) }
    let contents = Self.capture(segments: 30_000, of: 1000)
    // Less than has been told when the sink hears of it.
    let rest = contents.count / 15
    try contents.prefix(rest).write(to: file)
    let whole = try UnwrappedCapture.read(file.path, CaptureOptions()) { _ in Sink() }
    #expect(!whole.summary.wasCut && whole.sink.said.count > 100)

    try contents.write(to: file)
    var readings = 0
    let cut = try UnwrappedCapture.read(file.path, CaptureOptions()) { _ in
      readings += 1
      return Sink { _ = unsafe truncate(file.path, off_t(rest)) }
    }
    #expect(readings == 2)
    #expect(cut.sink.said == whole.sink.said)
    #expect(cut.summary.warnings.map(\.text) == whole.summary.warnings.map(\.text))
    #expect(cut.summary.packets == whole.summary.packets)
  }
}
