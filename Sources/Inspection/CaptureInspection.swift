public import Capture
public import Custody
import PushProtocols
import Timeline
public import Unwrapping
import Wire

/// Why there is nothing to inspect in a capture.
public enum InspectionError: Error, Hashable, Sendable {
  case capture(CaptureError)
  /// The capture could be read, and has no TCP in it.
  case noTCP(file: String, packets: UInt64)
  /// The filter left nothing over.
  case nothingPassed(file: String, filter: String, packets: UInt64)

  /// What a command exits with (sysexits.h).
  public var exitCode: Int32 {
    switch self {
    case .capture(let error): error.exitClass.rawValue
    case .noTCP, .nothingPassed: CaptureError.ExitClass.badInput.rawValue
    }
  }

  /// What a person can do about it, in one sentence.
  public var remedy: String {
    switch self {
    case .capture(let error): error.remedy
    case .noTCP: "Push connections run over TCP: capture the port of the server, such as 1883."
    case .nothingPassed: "Check the filter."
    }
  }
}

extension InspectionError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .capture(let error): error.description
    case .noTCP(let file, let packets):
      "\(file): has \(packets) packets, and none of them is TCP that can be read"
    case .nothingPassed(let file, let filter, let packets):
      "\(file): none of its \(packets) packets of TCP passes the filter '\(filter)'"
    }
  }
}

/// Reads captures and says what became of the deliveries in them.
public enum CaptureInspection {
  /// - Parameters:
  ///   - path: a pcap or pcapng file.
  ///   - filter: which packets to look at, in pcap-filter(7) syntax.
  public static func inspect(
    _ path: String, filter: String? = nil
  ) throws(InspectionError) -> InspectionRecord {
    try inspect(path, CaptureOptions(filter: filter))
  }

  /// The same with secrets, and with what the user knows of who speaks what.
  ///
  /// - Parameter keepsDeliveries: the record lists every delivery; else it counts them, and memory
  ///   does not depend on the length of the capture.
  public static func inspect(
    _ path: String, _ options: CaptureOptions, keepsDeliveries: Bool = true
  ) throws(InspectionError) -> InspectionRecord {
    let reading: UnwrappedCapture.Reading<CaptureObservers>
    do {
      reading = try UnwrappedCapture.read(path, options) { wrapped in
        CaptureObservers(
          assigned: options.assignments.protocols, keepsDeliveries: keepsDeliveries,
          others: [EncryptedObserver(wrapped)]
        ) { wrapped.isWebSocket($0) ? "WebSocket" : nil }
      }
    } catch {
      throw .capture(error)
    }
    let summary = reading.summary
    guard summary.tcpPackets > 0 else {
      if let filter = options.filter, summary.filteredPackets > 0 {
        throw .nothingPassed(file: path, filter: filter, packets: summary.packets)
      }
      throw .noTCP(file: path, packets: summary.packets)
    }
    let end = Moment(time: summary.lastTime ?? .start, frame: 0)
    var (observation, unrecognised) = reading.sink.finish(at: end)
    for index in observation.sessions.indices {
      let connection = ConnectionID(observation.sessions[index].connection)
      guard let wrapped = reading.wrapped[connection] else { continue }
      observation.sessions[index].tls = wrapped.tls.map(TLSLayerRecord.init)
      observation.sessions[index].webSocket = wrapped.webSocket.map(WebSocketLayerRecord.init)
    }
    WebSocketRules.judge(reading.wrapped, &observation)
    var inspection = InspectionRecord(
      capture: record(of: summary, path: path, unrecognised), observation: observation)
    inspection.connections = reading.wrapped.all.map { ConnectionRecord($0) }
    return inspection
  }

  private static func record(
    of summary: CaptureSummary, path: String, _ unrecognised: [UnrecognisedConnections]
  ) -> CaptureRecord {
    var capture = CaptureRecord(path: path)
    capture.packets = summary.packets
    capture.connections = UInt32(clamping: summary.connections)
    capture.began = summary.firstTime ?? .start
    capture.ended = summary.lastTime ?? .start
    capture.unrecognised = unrecognised
    capture.damage =
      summary.warnings.first { $0.kind == .truncatedFile || $0.kind == .damagedRecord }?.text
    capture.warnings = summary.warnings.map {
      WarningRecord(frame: $0.frame == 0 ? nil : $0.frame, $0.text)
    }
    return capture
  }
}
