internal import Capture
internal import Custody
internal import Inspection
public import Unwrapping
internal import TLS
internal import Wire

/// The packets that were taken out of a capture.
public struct ExtractedPackets: Sendable {
  public var file: String
  public var packets: UInt64 = 0
  /// Numbers of the connections that they belong to, as Wireshark's `tcp.stream`.
  public var connections: [UInt32] = []
  /// Packets that have a comment about a finding.
  public var commented: UInt64 = 0
  /// Connections in TLS whose secrets were written along.
  public var secrets = 0
}

/// Writes the packets of one session, subscriber or finding as a pcapng file.
public enum PacketExport {
  /// What to take out.
  public enum Selection: Hashable, Sendable {
    /// By its number in `inspect`'s report, from 1.
    case session(UInt32)
    /// All sessions of one name.
    case subscriber(String)
    /// By its place among the findings of `inspect`'s report, from 1: the connections of the
    /// packets that prove it.
    case finding(Int)
  }

  /// Packets keep their order, bytes, times, interfaces and comments. Those that prove a finding
  /// get a comment that says so, and only the secrets that the packets need come along.
  public static func run(
    _ path: String, _ options: CaptureOptions, _ selection: Selection, to output: String
  ) throws(ExportError) -> ExtractedPackets {
    // It is read several times.
    guard path != "-" else { throw .needsFile }
    let reading: CaptureInspection.Reading
    do {
      reading = try CaptureInspection.read(path, options, keepsDeliveries: false)
    } catch {
      throw .inspection(error)
    }
    let choice = Choice(path: path, options: options, reading: reading, selection: selection)
    let connections = try choice.connections()
    let frames = try choice.frames(of: connections)
    do {
      return try choice.write(frames, connections, to: output)
    } catch {
      if case .output(.exists) = error { throw error }
      FileOutput.remove(output)  // Half a file would be taken for the whole.
      throw error
    }
  }
}

/// One selection out of one capture.
private struct Choice {
  let path: String
  let options: CaptureOptions
  let reading: CaptureInspection.Reading
  let selection: PacketExport.Selection

  private var sessions: [SessionRecord] { reading.inspection.observation.sessions }
  private var findings: [FindingRecord] { reading.inspection.observation.findings }

  // MARK: Which connections

  func connections() throws(ExportError) -> Set<ConnectionID> {
    switch selection {
    case .session(let number):
      guard let session = sessions.first(where: { $0.id.number == number }) else {
        throw .nothingSelected(
          "\(path): has no session \(number)",
          choices: "There are: " + listed(sessions.map { "\($0.id.number) (\($0.subscriber))" }))
      }
      return [ConnectionID(session.connection)]
    case .subscriber(let name):
      let theirs = sessions.filter { $0.subscriber == name }
      guard !theirs.isEmpty else {
        var names: [String] = []
        for session in sessions where !names.contains(session.subscriber) {
          names.append(session.subscriber)
        }
        throw .nothingSelected(
          "\(path): has no session of '\(name)'", choices: "There are those of: " + listed(names))
      }
      return Set(theirs.map { ConnectionID($0.connection) })
    case .finding(let number):
      guard findings.indices.contains(number - 1) else {
        throw .nothingSelected(
          "\(path): has no finding \(number)",
          choices: "There are: "
            + listed(findings.enumerated().map { "\($0 + 1) (\($1.label) \($1.headline))" }))
      }
      return try connections(of: findings[number - 1].frames)
    }
  }

  private func listed(_ names: [String]) -> String {
    let limit = 20
    if names.isEmpty { return "none." }
    let more = names.count > limit ? " … and \(names.count - limit) more" : ""
    return names.prefix(limit).joined(separator: ", ") + more + "."
  }

  private func connections(of frames: [UInt32]) throws(ExportError) -> Set<ConnectionID> {
    let wanted = Set(frames)
    var found: Set<ConnectionID> = []
    try read { packet in
      guard let connection = packet.connection, wanted.contains(packet.moment.frame) else { return }
      found.insert(connection)
    }
    return found
  }

  // MARK: Which packets

  func frames(of connections: Set<ConnectionID>) throws(ExportError) -> FrameSet {
    var frames = FrameSet()
    try read { packet in
      guard let connection = packet.connection, connections.contains(connection) else { return }
      packet.frames.forEach { frames.insert($0) }
    }
    return frames
  }

  private func read(_ onlooker: @escaping (CapturedPacket) -> Void) throws(ExportError) {
    let file: CaptureFile
    do {
      file = try CaptureFile(path: path, filter: options.filter)
    } catch {
      throw .inspection(.capture(error))
    }
    _ = file.read(into: Deaf(), showing: onlooker)
  }

  // MARK: Writing

  func write(
    _ frames: FrameSet, _ connections: Set<ConnectionID>, to output: String
  ) throws(ExportError) -> ExtractedPackets {
    var result = ExtractedPackets(file: output)
    result.connections = connections.map(\.index).sorted()
    let remarks = remarks()
    let randoms = result.connections.compactMap {
      reading.wrapped[ConnectionID($0)]?.tls?.clientRandom
    }.filter { reading.secrets.has(clientRandom: $0) }
    result.secrets = randoms.count
    let keyLog = reading.secrets.keyLog(of: randoms)
    let writer = try attempt { () throws(OutputError) in
      let writer = try PcapngWriter(creating: output)
      if !keyLog.isEmpty { try writer.write(keyLog: keyLog) }
      return writer
    }
    var failure: OutputError?
    try read { packet in
      guard failure == nil, frames.contains(packet.moment.frame) else { return }
      let comments = remarks[packet.moment.frame] ?? []
      if !comments.isEmpty { result.commented += 1 }
      do throws(OutputError) {
        try writer.write(packet, comments: comments)
      } catch {
        failure = error
      }
    }
    if let failure { throw .output(failure) }
    try attempt { () throws(OutputError) in try writer.flush() }
    result.packets = writer.packets
    return result
  }

  private func attempt<Result>(
    _ work: () throws(OutputError) -> Result
  ) throws(ExportError) -> Result {
    do {
      return try work()
    } catch {
      throw .output(error)
    }
  }

  /// What to say of packets that prove a finding.
  private func remarks() -> [UInt32: [String]] {
    var remarks: [UInt32: [String]] = [:]
    for (index, finding) in findings.enumerated() {
      if case .finding(let number) = selection, number != index + 1 { continue }
      var isFirst = true
      for line in finding.story where line.moment.frame != 0 {
        let headline = isFirst ? "\(finding.headline). " : ""
        isFirst = false
        remarks[line.moment.frame, default: []].append(
          "PushBench, finding \(index + 1), \(finding.label): \(headline)\(line.text)")
      }
    }
    return remarks
  }
}

/// Hears of connections and does nothing about them.
private final class Deaf: ConnectionSink {
  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {}
}

/// Numbers of packets, one bit for each packet of the capture.
struct FrameSet {
  private var words: [UInt64] = []

  mutating func insert(_ frame: UInt32) {
    let word = Int(frame / 64)
    if word >= words.count {
      words.append(contentsOf: repeatElement(0, count: word + 1 - words.count))
    }
    words[word] |= 1 << UInt64(frame % 64)
  }

  func contains(_ frame: UInt32) -> Bool {
    let word = Int(frame / 64)
    return word < words.count && words[word] & 1 << UInt64(frame % 64) != 0
  }
}
