#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Looks at a path before libpcap does, to tell apart what libpcap lumps together.
enum FileProbe {
  enum Container { case pcap, pcapng }

  static func container(of path: String) throws(CaptureError) -> Container {
    let first = try firstBytes(of: path)
    if first.isEmpty { throw .empty(file: path) }
    if let container = container(magic: first) {
      return container
    }
    throw .notACapture(file: path, found: guess(first))
  }

  static func container(magic first: [UInt8]) -> Container? {
    guard first.count >= 4 else { return nil }
    switch (first[0], first[1], first[2], first[3]) {
    case (0xA1, 0xB2, 0xC3, 0xD4), (0xD4, 0xC3, 0xB2, 0xA1): return .pcap  // Microseconds.
    case (0xA1, 0xB2, 0x3C, 0x4D), (0x4D, 0x3C, 0xB2, 0xA1): return .pcap  // Nanoseconds.
    case (0xA1, 0xB2, 0xCD, 0x34), (0x34, 0xCD, 0xB2, 0xA1): return .pcap  // Kuznetzov's variant.
    case (0x0A, 0x0D, 0x0D, 0x0A): return .pcapng
    default: return nil
    }
  }

  /// At most 512 bytes.
  private static func firstBytes(of path: String) throws(CaptureError) -> [UInt8] {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { throw .missing(file: path) }
      throw .unreadable(file: path, reason: systemReason())
    }
    if status.st_mode & S_IFMT == S_IFDIR { throw .directory(file: path) }
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(file: path, reason: systemReason()) }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe read(descriptor, $0.baseAddress, $0.count)
    }
    guard count >= 0 else { throw .unreadable(file: path, reason: systemReason()) }
    return Array(bytes[..<count])
  }

  private static func systemReason() -> String {
    unsafe String(cString: strerror(errno))
  }

  /// What a file that is no capture seems to be.
  static func guess(_ first: [UInt8]) -> String {
    if first.starts(with: [0x1F, 0x8B]) { return "a gzip file" }
    if first.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return "a zstd file" }
    if first.starts(with: Array("snoop\0\0\0".utf8)) { return "a snoop file" }
    let isText = first.allSatisfy { $0 >= 0x20 && $0 != 0x7F || (9...13).contains($0) }
    if isText { return "text" }
    if first.count < 4 { return "\(first.count) bytes" }
    let digits = first.prefix(4).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return "a file that begins with the bytes " + digits.joined(separator: " ")
  }
}
