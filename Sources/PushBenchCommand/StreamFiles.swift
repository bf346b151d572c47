import Foundation
import PushBench

/// Writes both byte streams of every connection of a capture as files.
///
/// A connection's own bytes go to BASE-NUMBER-to-server and BASE-NUMBER-to-client; what was inside
/// of its TLS, where it can be read, to files of the same name with `.decrypted` behind. Holes are
/// left out: the table says where there are some.
final class StreamFiles: ConnectionSink {
  /// A file that can't be written.
  struct Failure: Error {
    var text: String
  }

  private struct Stream {
    var flow = StreamRecord.Flow()
    var hash = SHA256()
    var pending: [UInt8] = []
    /// In the reading that decrypts: bytes before are those of the connection itself.
    var isDecrypted = false
  }

  /// Bytes of one stream that wait to be written: thousands of connections may be open.
  private static let pendingLimit = 8 << 10

  private let folder: URL
  private let base: String
  private let readsTLS: Bool
  private var streams: [ConnectionID: [Stream]] = [:]
  private(set) var descriptions: [ConnectionID: ConnectionDescription] = [:]
  private(set) var finished: [ConnectionID: [StreamRecord.Flow?]] = [:]
  private(set) var failure: Failure?

  private init(_ folder: URL, _ base: String, readsTLS: Bool) {
    self.folder = folder
    self.base = base
    self.readsTLS = readsTLS
  }

  /// - Returns: the table, in the order of the connections.
  static func write(
    _ path: String, _ options: CaptureOptions, to folder: URL, base: String
  ) throws -> [StreamRecord] {
    let raw = StreamFiles(folder, base, readsTLS: false)
    _ = try CaptureFile(path: path, filter: options.filter).read(into: raw)
    var options = options
    options.takesOffWebSocket = false
    // What comes from a pipe can't be read twice.
    let opened: StreamFiles? =
      path == "-"
      ? nil
      : try UnwrappedCapture.read(path, options) { _ in
        StreamFiles(folder, base, readsTLS: true)
      }.sink
    if let failure = raw.failure ?? opened?.failure { throw failure }
    return raw.descriptions.keys.sorted().map { connection in
      let description = raw.descriptions[connection]!
      var record = StreamRecord(
        connection: connection.index, client: description.client.description,
        server: description.server.description)
      let flows = raw.finished[connection] ?? [nil, nil]
      record.toServer = flows[0] ?? StreamRecord.Flow()
      record.toClient = flows[1] ?? StreamRecord.Flow()
      let inside = opened?.finished[connection]
      record.decryptedToServer = inside?[0]
      record.decryptedToClient = inside?[1]
      return record
    }
  }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if streams[connection] == nil {
      streams[connection] = [Stream(), Stream()]
      descriptions[connection] = description
    }
    switch event {
    case .bytes(let direction, _):
      let index = Int(direction.rawValue)
      guard !readsTLS || streams[connection]![index].isDecrypted else { return }
      streams[connection]![index].flow.bytes += UInt64(bytes.count)
      unsafe streams[connection]![index].hash.update(bytes)
      unsafe streams[connection]![index].pending += bytes
      if streams[connection]![index].pending.count > Self.pendingLimit {
        flush(connection, direction)
      }
    case .gap(let direction, _, let length, _):
      streams[connection]![Int(direction.rawValue)].flow.gaps += 1
      streams[connection]![Int(direction.rawValue)].flow.missing += length
    case .secured(let direction, let secrecy):
      if secrecy == .decrypted { streams[connection]![Int(direction.rawValue)].isDecrypted = true }
    case .ended:
      finish(connection)
    case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
      .finished, .reset:
      break
    }
  }

  private func finish(_ connection: ConnectionID) {
    for direction in Direction.allCases { flush(connection, direction) }
    guard let pair = streams.removeValue(forKey: connection) else { return }
    if readsTLS, !pair.contains(where: \.isDecrypted) { return }
    finished[connection] = pair.map { stream in
      if readsTLS, !stream.isDecrypted { return nil }
      var stream = stream
      if stream.flow.bytes > 0 { stream.flow.sha256 = stream.hash.finish() }
      return stream.flow
    }
    // The connection is told of no more; its place may be given away.
    streams[connection] = nil
  }

  private func flush(_ connection: ConnectionID, _ direction: Direction) {
    let index = Int(direction.rawValue)
    guard let pending = streams[connection]?[index].pending, !pending.isEmpty else { return }
    streams[connection]![index].pending.removeAll(keepingCapacity: true)
    let number = String(connection.index)
    let padded = String(repeating: "0", count: max(0, 4 - number.count)) + number
    let side = direction == .toServer ? "to-server" : "to-client"
    let name = "\(base)-\(padded)-\(side)" + (readsTLS ? ".decrypted" : "")
    let isNew = streams[connection]![index].flow.file.isEmpty
    streams[connection]![index].flow.file = name
    let url = folder.appendingPathComponent(name)
    do {
      if isNew {
        try Data(pending).write(to: url)
      } else {
        let file = try FileHandle(forWritingTo: url)
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: Data(pending))
      }
    } catch {
      failure =
        failure ?? Failure(text: "\(url.path): can't be written: \(error.localizedDescription)")
    }
  }
}
