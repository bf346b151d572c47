import Foundation
import PushBench

/// Shows what happens in a capture while it is made. Here is the only clock.
final class LiveView {
  /// Lines come at most so often.
  private static let pace = Nanoseconds.milliseconds(100)
  /// Packets that are older than this come out of a file, whatever they come through: nobody
  /// watches those.
  private static let freshness = Nanoseconds.minutes(5)

  private let inspection: LiveInspection
  private let format: InspectCommand.Format
  private let style: TerminalStyle
  /// The packets are stamped by this machine's clock.
  private let isLocal: Bool
  private let started = LiveView.clock(CLOCK_MONOTONIC)
  private let length: Nanoseconds?
  private let writer: PcapngWriter?
  private var lastNews = Instant.start
  /// The latest packet, and when it was first seen here.
  private var anchor: (packet: Instant, seen: Instant)?
  private(set) var writeFailure: OutputError?
  weak var feed: (any CaptureFeed)?
  /// Stopped by somebody, or because the time was over.
  private(set) var wasStopped = false

  init(
    _ inspection: LiveInspection, format: InspectCommand.Format, style: TerminalStyle,
    isLocal: Bool, length: Nanoseconds?, writer: PcapngWriter?
  ) {
    self.inspection = inspection
    self.format = format
    self.style = style
    self.isLocal = isLocal
    self.length = length
    self.writer = writer
  }

  private static func clock(_ which: clockid_t) -> Instant {
    var time = timespec()
    unsafe clock_gettime(which, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  /// - Returns: whether to go on.
  func pulse(isIdle: Bool) -> Bool {
    let now = Self.clock(CLOCK_MONOTONIC)
    if isIdle || now - lastNews >= Self.pace {
      lastNews = now
      tell(isIdle: isIdle)
      if isIdle { flush() }
    }
    let isOver = length.map { now - started >= $0 } ?? false
    if isOver || Interruption.happened { wasStopped = true }
    return !wasStopped
  }

  private func tell(isIdle: Bool) {
    let real = Self.clock(CLOCK_REALTIME)
    guard let latest = inspection.latestPacket?.time else { return }
    if anchor?.packet != latest { anchor = (latest, real) }
    let isFresh = isLocal || max(real, latest) - min(real, latest) < Self.freshness
    // Packets that are under way may have any time until now: only silence makes it later.
    let now = isIdle && isFresh ? captureTime(real) ?? latest : latest
    let events = inspection.news(at: now, dropped: feed?.droppedPackets ?? 0)
    guard isFresh, let began = inspection.began else { return }
    for event in events {
      Terminal.write(
        format == .json
          ? LiveText.json(event, began: began)
          : LiveText.line(event, began: began, style: style))
    }
  }

  /// The time by the clock that stamps the packets.
  private func captureTime(_ real: Instant) -> Instant? {
    if isLocal { return real }
    guard let anchor, real > anchor.seen else { return anchor?.packet }
    return anchor.packet + (real - anchor.seen)
  }

  /// Until when nothing else came; `nil`: nobody knows what came after the last packet.
  var end: Instant? { wasStopped ? captureTime(Self.clock(CLOCK_REALTIME)) : nil }

  /// What happened since the last time: the capture is over.
  func conclude() { tell(isIdle: false) }

  // MARK: Writing along

  func keep(_ packet: CapturedPacket, from interface: String) {
    guard let writer, writeFailure == nil else { return }
    var packet = packet
    if isLocal { packet.interface.name = interface }
    do throws(OutputError) {
      try writer.write(packet)
    } catch {
      writeFailure = error
    }
  }

  func flush() {
    guard let writer, writeFailure == nil else { return }
    do throws(OutputError) {
      try writer.flush()
    } catch {
      writeFailure = error
    }
  }
}
