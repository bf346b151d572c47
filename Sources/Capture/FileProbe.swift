#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Opens captures, and tells by their first bytes what they are.
enum FileProbe {
  enum Format { case pcap, pcapng }

  /// How many bytes the functions here want to see.
  static let firstBytes = 512

  /// A descriptor of a file that can be read, or standard input for `-`.
  static func open(_ path: String) throws(CaptureError) -> Int32 {
    if path == "-" { return 0 }
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      if errno == ENOENT || errno == ENOTDIR { throw .missing(file: path) }
      throw .unreadable(file: path, reason: systemReason())
    }
    if status.st_mode & S_IFMT == S_IFDIR { throw .directory(file: path) }
    let descriptor = openFile(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(file: path, reason: systemReason()) }
    return descriptor
  }

  private static func openFile(_ path: String, _ flags: Int32) -> Int32 {
    #if canImport(Glibc)
      unsafe Glibc.open(path, flags)
    #elseif canImport(Musl)
      unsafe Musl.open(path, flags)
    #else
      unsafe Darwin.open(path, flags)
    #endif
  }

  static func format(_ first: [UInt8]) -> Format? {
    guard first.count >= 4 else { return nil }
    switch (first[0], first[1], first[2], first[3]) {
    case (0xA1, 0xB2, 0xC3, 0xD4), (0xD4, 0xC3, 0xB2, 0xA1): return .pcap  // Microseconds.
    case (0xA1, 0xB2, 0x3C, 0x4D), (0x4D, 0x3C, 0xB2, 0xA1): return .pcap  // Nanoseconds.
    case (0xA1, 0xB2, 0xCD, 0x34), (0x34, 0xCD, 0xB2, 0xA1): return .pcap  // Kuznetzov's variant.
    case (0x0A, 0x0D, 0x0D, 0x0A): return .pcapng
    default: return nil
    }
  }

  static func compression(_ first: [UInt8]) -> Decompressor.Kind? {
    if first.starts(with: [0x1F, 0x8B]) { return .gzip }
    if first.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return .zstd }
    return nil
  }

  private static func systemReason() -> String {
    unsafe String(cString: strerror(errno))
  }

  /// What a file that is no capture seems to be.
  static func guess(_ first: [UInt8]) -> String {
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
