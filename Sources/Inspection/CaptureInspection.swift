public import Capture
public import Custody
import PushProtocols
import Timeline
public import TLS
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
    try read(path, options, keepsDeliveries: keepsDeliveries).inspection
  }

  /// A capture that was inspected, and what opened it.
  public struct Reading {
    public var inspection: InspectionRecord
    public var wrapped: WrappedConnections
    public var secrets: TLSSecrets
    /// What followed the capture. Nothing more is to be had from it; but to take it apart costs
    /// time, and whoever ends soon may keep it.
    public var remains: AnyObject
  }

  /// The same, for whoever reads the capture once more.
  public static func read(
    _ path: String, _ options: CaptureOptions, keepsDeliveries: Bool
  ) throws(InspectionError) -> Reading {
    let reading: UnwrappedCapture.Reading<CaptureObservers>
    do {
      reading = try UnwrappedCapture.read(path, options) {
        observers(options, keepsDeliveries: keepsDeliveries, $0)
      }
    } catch {
      throw .capture(error)
    }
    try checkHasTCP(reading.summary, path, options.filter)
    return Reading(
      inspection: conclude(reading.sink, reading.wrapped, reading.summary, path: path),
      wrapped: reading.wrapped, secrets: reading.secrets, remains: reading.sink)
  }

  static func observers(
    _ options: CaptureOptions, keepsDeliveries: Bool, _ wrapped: WrappedConnections
  ) -> CaptureObservers {
    CaptureObservers(
      assigned: options.assignments.protocols, keepsDeliveries: keepsDeliveries,
      unfinished: wrapped.unfinished, topicNames: APNsTopicNames(options.topicNames),
      others: [EncryptedObserver(wrapped)]
    ) {
      wrapped.isWebSocket($0) ? "WebSocket" : nil
    } names: {
      guard let tls = wrapped.current($0, $1)?.tls else { return nil }
      return CaptureObservers.TLSNames(
        server: tls.serverName,
        protocols: tls.chosenProtocol.map { [$0] } ?? tls.offeredProtocols)
    }
  }

  /// - Throws: when there is nothing to look at in a capture.
  public static func checkHasTCP(
    _ summary: CaptureSummary, _ path: String, _ filter: String?
  ) throws(InspectionError) {
    if summary.tcpPackets > 0 { return }
    if let filter, summary.filteredPackets > 0 {
      throw .nothingPassed(file: path, filter: filter, packets: summary.packets)
    }
    throw .noTCP(file: path, packets: summary.packets)
  }

  /// What the observers learned, when nothing more comes.
  static func conclude(
    _ observers: CaptureObservers, _ wrapped: WrappedConnections, _ summary: CaptureSummary,
    path: String
  ) -> InspectionRecord {
    let end = Moment(time: summary.lastTime ?? .start, frame: 0)
    var (observation, unrecognised) = observers.finish(at: end)
    for index in observation.sessions.indices {
      let connection = ConnectionID(observation.sessions[index].connection)
      guard let around = wrapped[connection] else { continue }
      observation.sessions[index].tls = around.tls.map(TLSLayerRecord.init)
      observation.sessions[index].webSocket = around.webSocket.map(WebSocketLayerRecord.init)
    }
    WebSocketRules.judge(wrapped, &observation)
    var capture = CaptureRecord(summary, path: path)
    capture.unrecognised = unrecognised
    capture.warnings += wrapped.unfinished.warnings
    var inspection = InspectionRecord(capture: capture, observation: observation)
    let read = Set(observation.sessions.map(\.connection))
    inspection.connections = wrapped.all.map {
      var record = ConnectionRecord($0)
      // Content was read, and has decided.
      if read.contains(record.connection) {
        record.speaks = ""
        record.recognisedBy = ""
      }
      return record
    }
    return inspection
  }
}

extension CaptureRecord {
  /// What a report says of a capture that was read.
  public init(_ summary: CaptureSummary, path: String) {
    self.init(path: path)
    packets = summary.packets
    connections = UInt32(clamping: summary.connections)
    began = summary.firstTime ?? .start
    ended = summary.lastTime ?? .start
    damage =
      summary.warnings.first { $0.kind == .truncatedFile || $0.kind == .damagedRecord }?.text
    warnings = summary.warnings.map {
      WarningRecord(frame: $0.frame == 0 ? nil : $0.frame, $0.text)
    }
  }
}

extension UnfinishedBytes {
  /// What was given up, for a report.
  var warnings: [WarningRecord] {
    var warnings = givenUp.map { held in
      let (client, server) = (held.description.client, held.description.server)
      let isToServer = held.place.direction == .toServer
      return WarningRecord(
        frame: held.moment.frame,
        "\(isToServer ? client : server) > \(isToServer ? server : client): \(held.count) bytes of "
          + "\(held.place.layer.text) that was not complete were given up: all connections "
          + "together may keep \(limit >> 20) MiB of them")
    }
    if givenUpCount > givenUp.count {
      warnings.append(
        WarningRecord("the same was done \(givenUpCount - givenUp.count) more times"))
    }
    return warnings
  }
}
