/// The byte streams of a capture's connections, as a table.
public struct StreamRecord: Hashable, Sendable {
  /// One direction.
  public struct Flow: Hashable, Sendable {
    /// Bytes in the file.
    public var bytes: UInt64 = 0
    /// Holes, and the bytes that they lack.
    public var gaps: UInt64 = 0
    public var missing: UInt64 = 0
    /// Of what is in the file, lower-case hexadecimal; empty without bytes.
    public var sha256 = ""
    /// The name of the file; empty when there is none, because there are no bytes.
    public var file = ""

    public init() {}
  }

  /// Number of the connection in the capture, from 0, as Wireshark's `tcp.stream`.
  public var connection: UInt32
  public var client: String
  public var server: String
  public var toServer = Flow()
  public var toClient = Flow()
  /// What was inside of TLS, when it could be decrypted.
  public var decryptedToServer: Flow?
  public var decryptedToClient: Flow?

  public init(connection: UInt32, client: String, server: String) {
    self.connection = connection
    self.client = client
    self.server = server
  }
}

/// Tables of byte streams for programs.
public enum StreamTable {
  /// One row a connection, columns parted by tabs, their names in the first line.
  public static func tabbed(_ records: [StreamRecord]) -> String {
    let flow = ["bytes", "gaps", "missing", "sha256", "file"]
    let flows = ["toServer", "toClient", "decryptedToServer", "decryptedToClient"]
    let head =
      ["connection", "client", "server"]
      + flows.flatMap { side in
        flow.map { "\(side).\($0)" }
      }
    let rows = records.map { record in
      [String(record.connection), record.client, record.server] + cells(record.toServer)
        + cells(record.toClient) + cells(record.decryptedToServer)
        + cells(record.decryptedToClient)
    }
    return ([head] + rows).map { $0.joined(separator: "\t") + "\n" }.joined()
  }

  private static func cells(_ flow: StreamRecord.Flow?) -> [String] {
    guard let flow else { return ["", "", "", "", ""] }
    return [String(flow.bytes), String(flow.gaps), String(flow.missing), flow.sha256, flow.file]
  }

  /// The same as one JSON array.
  public static func json(_ records: [StreamRecord]) -> String {
    JSONText.write(
      .array(
        records.map { record in
          .object([
            ("connection", .unsigned(UInt64(record.connection))),
            ("client", .string(record.client)),
            ("server", .string(record.server)),
            ("toServer", value(record.toServer)),
            ("toClient", value(record.toClient)),
            ("decryptedToServer", record.decryptedToServer.map(value) ?? .null),
            ("decryptedToClient", record.decryptedToClient.map(value) ?? .null),
          ])
        }))
  }

  private static func value(_ flow: StreamRecord.Flow) -> JSONText.Value {
    .object([
      ("bytes", .unsigned(flow.bytes)), ("gaps", .unsigned(flow.gaps)),
      ("missing", .unsigned(flow.missing)), ("sha256", .string(flow.sha256)),
      ("file", .string(flow.file)),
    ])
  }
}
