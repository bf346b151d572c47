/// Why a capture could not be read at all. What can be read in part is read, with warnings.
public enum CaptureError: Error, Hashable, Sendable {
  case missing(file: String)
  case directory(file: String)
  /// Not permitted, or the device failed; `reason` is the system's.
  case unreadable(file: String, reason: String)
  case empty(file: String)
  /// `found`: what the file is, as far as its first bytes tell.
  case notACapture(file: String, found: String)
  /// The file begins as a capture, but its header can't be read. `offset` in bytes.
  case damagedHeader(file: String, offset: UInt64, expected: String)
  /// `number`: the link type; `name`: libpcap's, empty when it has none.
  case unknownLinkType(file: String, number: Int32, name: String)
  /// Compressed, and the library that decompresses it is not installed.
  case noDecompressor(file: String, kind: String)
  case badFilter(filter: String, reason: String)

  /// What the exit code of a command should say (sysexits.h).
  public enum ExitClass: Int32, Sendable {
    case usage = 64
    case badInput = 65
    case noInput = 66
  }

  public var exitClass: ExitClass {
    switch self {
    case .missing, .directory, .unreadable, .noDecompressor: .noInput
    case .empty, .notACapture, .damagedHeader, .unknownLinkType: .badInput
    case .badFilter: .usage
    }
  }
}

extension CaptureError: CustomStringConvertible {
  /// What is wrong, in one sentence that begins with the file.
  public var description: String {
    switch self {
    case .missing(let file): "\(file): no such file"
    case .directory(let file): "\(file): is a directory, not a capture"
    case .unreadable(let file, let reason): "\(file): can't be read: \(reason)"
    case .empty(let file): "\(file): is empty (0 bytes)"
    case .notACapture(let file, let found): "\(file): is no packet capture, but \(found)"
    case .damagedHeader(let file, let offset, let expected):
      "\(file): the capture's header is damaged at byte \(offset): \(expected)"
    case .unknownLinkType(let file, let number, let name):
      "\(file): packets of link type \(number)\(name.isEmpty ? "" : " (\(name))") can't be read"
    case .noDecompressor(let file, let kind):
      "\(file): is compressed with \(kind), and lib\(kind == "gzip" ? "z" : kind) is not installed"
    case .badFilter(let filter, let reason): "filter '\(filter)': \(reason)"
    }
  }

  /// What a person can do about it, in one sentence.
  public var remedy: String {
    switch self {
    case .missing: "Check the path."
    case .directory: "Name the capture files in it."
    case .unreadable: "Check that you may read it, and that its disk works."
    case .empty:
      "tcpdump writes its file when its buffer is full: stop it with Ctrl-C, or give it -U."
    case .notACapture: "Give a pcap or pcapng file, as tcpdump -w and Wireshark write them."
    case .damagedHeader: "Capture again, or copy the file again from where it was captured."
    case .unknownLinkType:
      "Capture on an Ethernet, loopback, raw IP or \"any\" interface instead."
    case .noDecompressor(_, let kind): "Decompress it: \(kind) -d."
    case .badFilter: "Use pcap-filter(7) syntax, such as 'tcp port 1883'."
    }
  }
}
