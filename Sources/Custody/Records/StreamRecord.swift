/// The bytes that one end of a connection sent, as they were written to a file.
public struct StreamRecord: Hashable, Sendable {
  /// What of the connection the bytes are.
  public enum Content: String, Sendable, BitwiseCopyable {
    /// As TCP carried them.
    case wire
    /// What was inside of TLS.
    case decrypted
  }

  /// A part of the stream that the capture does not have.
  public struct Gap: Hashable, Sendable {
    /// In bytes of the file, from its beginning.
    public var offset: UInt64
    public var length: UInt64
    /// Why: `notCaptured`, `lostOnTheWire`, `unknown`, `encrypted`.
    public var kind: String
    /// There are as many zero bytes in the file; a very long gap is left out of it.
    public var isFilled: Bool

    public init(offset: UInt64, length: UInt64, kind: String, isFilled: Bool) {
      self.offset = offset
      self.length = length
      self.kind = kind
      self.isFilled = isFilled
    }
  }

  /// Number of its TCP connection in the capture, from 0, as Wireshark's `tcp.stream`.
  public var connection: UInt32
  /// `10.0.0.1:50000`.
  public var client: String
  public var server: String
  public var isToServer: Bool
  public var content: Content
  /// Of the file, gaps that are filled included.
  public var bytes: UInt64 = 0
  /// Of the file: 64 hexadecimal digits.
  public var sha256 = ""
  /// The name of the file in its folder; `nil` when there was nothing to write.
  public var file: String?
  /// The first of them, in the order of the stream.
  public var gaps: [Gap] = []
  public var gapCount: UInt64 = 0
  /// Of all gaps together.
  public var missingBytes: UInt64 = 0

  public init(
    connection: UInt32, client: String, server: String, isToServer: Bool, content: Content
  ) {
    self.connection = connection
    self.client = client
    self.server = server
    self.isToServer = isToServer
    self.content = content
  }
}
