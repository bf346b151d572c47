/// Something in a capture that could not be used, or only in part. What is around it was used.
public struct CaptureWarning: Hashable, Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The file ends in the middle of a packet.
    case truncatedFile
    /// A record of the file can't be read.
    case damagedRecord
    /// A packet's header was cut off by the snap length or contradicts itself.
    case shortHeader, malformedHeader
    /// Payload was cut off by the snap length.
    case cutPayload
    /// An IP packet came in fragments that were never completed, or that overlap.
    case fragments
    /// A segment repeats bytes with other content than the first copy, which is kept.
    case conflictingBytes
    /// A segment lies outside anything the receiver could accept.
    case outOfWindow
    /// Bytes after the end of their stream.
    case bytesAfterFin
    /// Out-of-order bytes exceeded the limit; the hole before them was declared a gap.
    case bufferLimit
    /// Connections were retired to keep memory bounded.
    case connectionLimit
    /// A connection was retired because nothing had been seen of it for very long.
    case idleConnection
    /// An interface of the capture has a link type that isn't read.
    case unknownLinkType
    /// A compressed file holds far more than captures do.
    case expansion
  }

  public var kind: Kind
  public var file: String
  /// One-based number of the packet; 0 when it isn't about a packet.
  public var frame: UInt32
  /// Bytes from the start of the file, or of the packet, as `text` says; `nil` when unknown.
  public var offset: UInt64?
  /// What was found, and what was made of it.
  public var text: String

  public init(kind: Kind, file: String, frame: UInt32, offset: UInt64? = nil, text: String) {
    self.kind = kind
    self.file = file
    self.frame = frame
    self.offset = offset
    self.text = text
  }
}

/// Collects warnings: the first few of each kind with their text, all of them counted.
struct WarningLog {
  static let keptPerKind = 16

  private(set) var kept: [CaptureWarning] = []
  private(set) var counts = [UInt64](repeating: 0, count: CaptureWarning.Kind.allCases.count)
  /// The file that is being read.
  var file = ""

  mutating func add(
    _ kind: CaptureWarning.Kind, frame: UInt32, offset: UInt64? = nil,
    _ text: @autoclosure () -> String
  ) {
    let index = CaptureWarning.Kind.allCases.firstIndex(of: kind)!
    counts[index] += 1
    guard counts[index] <= Self.keptPerKind else { return }
    kept.append(
      CaptureWarning(kind: kind, file: file, frame: frame, offset: offset, text: text()))
  }
}
