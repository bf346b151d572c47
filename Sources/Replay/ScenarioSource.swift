public import Capture
internal import Foundation
public import PushProtocols
public import Simulation
internal import Timeline
public import Unwrapping
internal import Wire

/// Where scenarios come from: captures.
public enum ScenarioSource {
  /// The scenarios of all subscriber histories of a capture file, in the order in which the
  /// subscribers appear; one without a subscriber when nobody subscribes; none without a protocol
  /// that can be replayed.
  public static func scenarios(
    fromCapture path: String, filter: String? = nil
  ) throws(CaptureError) -> [Scenario] {
    try extraction(fromCapture: path, filter: filter).histories.map(\.scenario)
  }

  /// The same with what the capture showed, for comparison.
  ///
  /// - Parameter filter: which packets to read, in pcap-filter(7) syntax.
  public static func extraction(
    fromCapture path: String, filter: String? = nil
  ) throws(CaptureError) -> CaptureExtraction {
    try extraction(fromCapture: path, CaptureOptions(filter: filter))
  }

  /// The same with secrets, and with what the user knows of who speaks what.
  public static func extraction(
    fromCapture path: String, _ options: CaptureOptions
  ) throws(CaptureError) -> CaptureExtraction {
    let names = APNsTopicNames(options.topicNames)
    let reading = try UnwrappedCapture.read(path, options) { _ in
      Distributor(ExtractionCatalog.all.map { $0.makeExtractor(names) })
    }
    let summary = reading.summary
    let extractors = reading.sink.extractors
    let end = Moment(
      time: summary.lastTime ?? .start, frame: UInt32(truncatingIfNeeded: summary.packets))
    let source = describe(path)
    var histories = extractors.flatMap { $0.finish(source: source, at: end) }
    for index in histories.indices {
      histories[index].scenario.expectations = Replay.expectations(of: histories[index].scenario)
    }
    return CaptureExtraction(
      histories: histories, packets: summary.packets,
      unreadable: reading.wrapped.all.count { $0.secrecy != nil })
  }

  /// Name and hash of the file, so that a scenario says exactly what it was taken from.
  private static func describe(_ path: String) -> String {
    let url = URL(fileURLWithPath: path)
    guard let handle = try? FileHandle(forReadingFrom: url) else { return url.lastPathComponent }
    defer { try? handle.close() }
    var hash = SHA256Sum()
    while let chunk = try? handle.read(upToCount: 1 << 16), !chunk.isEmpty { hash.update(chunk) }
    return "\(url.lastPathComponent) sha256 \(hash.finish())"
  }

  /// Tells each extractor of every connection; each knows its own protocol.
  private final class Distributor: ConnectionSink {
    let extractors: [any ScenarioExtractor]

    init(_ extractors: [any ScenarioExtractor]) { self.extractors = extractors }

    func receive(
      _ event: ConnectionEvent, of connection: ConnectionID,
      _ description: ConnectionDescription, bytes: UnsafeRawBufferPointer, at moment: Moment
    ) {
      for extractor in extractors {
        unsafe extractor.receive(event, of: connection, description, bytes: bytes, at: moment)
      }
    }
  }
}

/// What was taken out of one capture.
public struct CaptureExtraction: Sendable {
  /// In the order in which the subscribers appeared.
  public var histories: [ExtractedHistory]
  /// Packets in the capture.
  public var packets: UInt64
  /// Connections in TLS that could not be decrypted.
  public var unreadable = 0

  /// What to say when there are no histories.
  public func whyEmpty(_ path: String) -> ReplayError {
    unreadable > 0
      ? .encrypted(file: path, connections: unreadable)
      : .nothingToReplay(file: path, packets: packets)
  }
}
