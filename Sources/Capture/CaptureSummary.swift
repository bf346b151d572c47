public import Timeline

/// A person's remark on a packet.
public struct PacketComment: Hashable, Sendable {
  public var frame: UInt32
  public var text: String
}

/// The body of a Decryption Secrets Block.
public struct CaptureSecrets: Hashable, Sendable {
  /// As pcapng numbers it; 0x544C534B is a TLS key log in NSS's format.
  public var kind: UInt32
  public var bytes: [UInt8]

  /// The only kind that opens TLS.
  public var isTLSKeyLog: Bool { kind == 0x544c_534b }
}

/// What a capture holds, counted while it was read.
public struct CaptureSummary: Sendable {
  public var files: [String]
  /// Packets in the capture, those that the filter left out included.
  public var packets: UInt64 = 0
  /// Packets that the filter left out.
  public var filteredPackets: UInt64 = 0
  /// Captured bytes of all packets.
  public var bytes: UInt64 = 0
  public var tcpPackets: UInt64 = 0
  /// Packets that passed the filter and carried no TCP that could be read.
  public var packetsNotTCP: UInt64 = 0
  public var connections: UInt64 = 0
  /// The earliest and the latest time; `nil` without packets. Packets need not be in order.
  public var firstTime: Instant?
  public var lastTime: Instant?
  /// At most 16 of each kind, in the order they were found.
  public var warnings: [CaptureWarning] = []
  /// How often each kind of warning arose, those not in `warnings` included; in the order of
  /// `CaptureWarning.Kind`, without zeros.
  public var warningCounts: [(kind: CaptureWarning.Kind, count: UInt64)] = []

  /// Comments on packets (pcapng), at most 1,000.
  public var comments: [PacketComment] = []
  /// Secrets that the capture carries (pcapng).
  public var secrets: [CaptureSecrets] = []

  /// Of any mapped file, before the reading began.
  private let lossesBefore = FilePiece.losses

  /// A mapped file was cut while it was read, and what was told may be wrong: bytes that nobody
  /// sent, in place of those that are gone. To be asked when the sink is done with all of it.
  public var wasCut: Bool { FilePiece.losses > lossesBefore }

  public init(files: [String]) { self.files = files }

  /// Nothing else came until then.
  public mutating func extend(to end: Instant) {
    if let lastTime, lastTime < end { self.lastTime = end }
  }

  public var duration: Nanoseconds {
    guard let firstTime, let lastTime else { return .zero }
    return lastTime - firstTime
  }
}
