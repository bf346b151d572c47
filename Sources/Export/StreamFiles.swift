internal import Capture
internal import Custody
internal import Wire

/// The files that the streams of a capture are written to, as their bytes come.
///
/// Bytes wait in memory until there are enough of one stream, or too many of all; then the file is
/// opened, they are put behind its end, and it is closed. So one file is open at a time, whatever
/// the number of connections.
final class StreamFiles {
  /// Bytes of one stream, and of all streams together, that wait.
  private static let limit = (stream: 1 << 18, all: 1 << 25)
  /// A longer gap is not filled with zeros: it may be a number that somebody made up.
  static let longestFilledGap: UInt64 = 1 << 20
  /// Gaps of one stream that are listed.
  private static let listedGaps = 1000

  private struct Stream {
    var record: StreamRecord
    var sum = SHA256Sum()
    var waiting: [UInt8] = []
  }

  private struct Key: Hashable {
    var connection: ConnectionID
    var direction: Direction
    var content: StreamRecord.Content
  }

  private let folder: String
  private var open: [Key: Stream] = [:]
  private var waitingBytes = 0
  private var finished: [StreamRecord] = []
  /// Nothing more is written after the first one.
  private(set) var failure: OutputError?

  /// - Parameter folder: is there.
  init(folder: String) { self.folder = folder }

  // MARK: Streams

  func begin(
    _ connection: ConnectionID, _ direction: Direction, _ content: StreamRecord.Content,
    _ description: ConnectionDescription
  ) {
    let key = Key(connection: connection, direction: direction, content: content)
    guard open[key] == nil else { return }
    open[key] = Stream(
      record: StreamRecord(
        connection: connection.index, client: description.client.description,
        server: description.server.description, isToServer: direction == .toServer,
        content: content))
  }

  func append(
    _ bytes: UnsafeRawBufferPointer, _ connection: ConnectionID, _ direction: Direction,
    _ content: StreamRecord.Content, _ description: ConnectionDescription
  ) {
    let key = Key(connection: connection, direction: direction, content: content)
    guard failure == nil, let index = open.index(forKey: key) else { return }
    unsafe append(bytes, index, description)
  }

  private func append(
    _ bytes: UnsafeRawBufferPointer, _ index: Dictionary<Key, Stream>.Index,
    _ description: ConnectionDescription
  ) {
    unsafe open.values[index].waiting.append(contentsOf: bytes)
    unsafe open.values[index].sum.update(bytes.bytes)
    open.values[index].record.bytes += UInt64(bytes.count)
    waitingBytes += bytes.count
    if open.values[index].waiting.count >= Self.limit.stream { write(index, description) }
    if waitingBytes >= Self.limit.all { writeAll() }
  }

  func skip(
    _ length: UInt64, _ kind: GapKind, _ connection: ConnectionID, _ direction: Direction,
    _ content: StreamRecord.Content, _ description: ConnectionDescription
  ) {
    let key = Key(connection: connection, direction: direction, content: content)
    guard failure == nil, length > 0, let index = open.index(forKey: key) else { return }
    let isFilled = length <= Self.longestFilledGap
    if open.values[index].record.gaps.count < Self.listedGaps {
      open.values[index].record.gaps.append(
        StreamRecord.Gap(
          offset: open.values[index].record.bytes, length: length, kind: kind.rawValue,
          isFilled: isFilled))
    }
    open.values[index].record.gapCount += 1
    open.values[index].record.missingBytes += length
    guard isFilled else { return }
    let zeros = [UInt8](repeating: 0, count: Int(length))
    unsafe zeros.withUnsafeBytes { unsafe append($0, index, description) }
  }

  /// Nothing more comes of the connection.
  func end(_ connection: ConnectionID, _ description: ConnectionDescription) {
    for content in [StreamRecord.Content.wire, .decrypted] {
      for direction in Direction.allCases {
        let key = Key(connection: connection, direction: direction, content: content)
        guard let index = open.index(forKey: key) else { continue }
        write(index, description)
        var stream = open.remove(at: index).value
        stream.record.sha256 = stream.sum.finish()
        finished.append(stream.record)
      }
    }
  }

  /// All streams, in the order of their connections. The capture is over.
  func conclude() throws(OutputError) -> [StreamRecord] {
    if let failure {
      // Half of the streams, or half a stream, would be taken for all.
      for stream in finished + open.values.map(\.record) {
        if let file = stream.file { FileOutput.remove(folder + "/" + file) }
      }
      throw failure
    }
    precondition(open.isEmpty, "a connection was not told to have ended")
    return finished.sorted { ($0.connection, $0.order) < ($1.connection, $1.order) }
  }

  // MARK: Files

  private func writeAll() {
    // In the order of their connections, so that the same capture does the same.
    for key in open.keys.sorted(by: { $0.connection < $1.connection }) {
      if let index = open.index(forKey: key) { write(index, nil) }
    }
  }

  private func write(_ index: Dictionary<Key, Stream>.Index, _ description: ConnectionDescription?)
  {
    guard failure == nil, !open.values[index].waiting.isEmpty else { return }
    let isNew = open.values[index].record.file == nil
    let name = open.values[index].record.file ?? open.values[index].record.fileName
    do {
      var file = try FileOutput(appendingTo: folder + "/" + name, truncating: isNew)
      try file.write(open.values[index].waiting)
      try file.flush()
    } catch {
      failure = error
    }
    // Named even if it failed: it may be there.
    open.values[index].record.file = name
    waitingBytes -= open.values[index].waiting.count
    open.values[index].waiting = []
  }
}

extension StreamRecord {
  /// Within a connection: what the client sent first, as TCP carried it first.
  fileprivate var order: Int { (content == .wire ? 0 : 2) + (isToServer ? 0 : 1) }

  /// `000001-10.0.0.1.50123-10.0.0.2.1883.to-server.bin`: sorts by connection, and names the ends
  /// as tcpflow does.
  fileprivate var fileName: String {
    let number = String(connection)
    let zeros = String(repeating: "0", count: max(0, 6 - number.count))
    return "\(zeros)\(number)-\(Self.plain(client))-\(Self.plain(server))"
      + (isToServer ? ".to-server" : ".to-client") + (content == .decrypted ? ".decrypted" : "")
      + ".bin"
  }

  /// `[2001:db8::1]:1883` as `2001_db8__1.1883`: colons mean something to other programs.
  private static func plain(_ endpoint: String) -> String {
    guard let colon = endpoint.lastIndex(of: ":") else { return endpoint }
    let address = endpoint[..<colon].filter { $0 != "[" && $0 != "]" }
      .map { $0 == ":" ? "_" : $0 }
    return String(address) + "." + endpoint[endpoint.index(after: colon)...]
  }
}
