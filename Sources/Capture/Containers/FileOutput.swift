#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Why a file could not be written.
public enum OutputError: Error, Hashable, Sendable, CustomStringConvertible {
  /// It is there, and nobody said that it may go.
  case exists(file: String)
  /// `reason` is the system's: no space left on device, permission denied.
  case unwritable(file: String, reason: String)

  /// What is wrong, in one sentence that begins with the file.
  public var description: String {
    switch self {
    case .exists(let file): "\(file): is there already, and is not overwritten"
    case .unwritable(let file, let reason): "\(file): can't be written: \(reason)"
    }
  }

  /// What a person can do about it, in one sentence.
  public var remedy: String {
    switch self {
    case .exists: "Name another one, or remove it first."
    case .unwritable: "Check that its disk has space and that you may write there."
    }
  }
}

/// A file that is written from its beginning on, through a buffer.
@safe public struct FileOutput: ~Copyable {
  public let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private static let bufferLimit = 1 << 16

  /// A new file; it must not be there yet.
  public init(creating path: String) throws(OutputError) {
    try self.init(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC)
  }

  /// The same file again, to go on behind its end.
  ///
  /// - Parameter truncating: begins anew; the file need not be there.
  public init(appendingTo path: String, truncating: Bool = false) throws(OutputError) {
    try self.init(path, O_WRONLY | O_CLOEXEC | (truncating ? O_CREAT | O_TRUNC : O_APPEND))
  }

  private init(_ path: String, _ flags: Int32) throws(OutputError) {
    self.path = path
    #if canImport(Glibc)
      descriptor = unsafe Glibc.open(path, flags, 0o644)
    #elseif canImport(Musl)
      descriptor = unsafe Musl.open(path, flags, 0o644)
    #else
      descriptor = unsafe Darwin.open(path, flags, 0o644)
    #endif
    if descriptor >= 0 { return }
    if errno == EEXIST { throw .exists(file: path) }
    throw .unwritable(file: path, reason: Self.systemReason())
  }

  deinit {
    if descriptor >= 0 { _ = close(descriptor) }
  }

  public mutating func write(_ bytes: [UInt8]) throws(OutputError) {
    buffer += bytes
    if buffer.count >= Self.bufferLimit { try flush() }
  }

  /// - Parameter bytes: valid during the call.
  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(OutputError) {
    unsafe buffer.append(contentsOf: bytes)
    if buffer.count >= Self.bufferLimit { try flush() }
  }

  /// What was written is in the file afterwards, for others to read.
  public mutating func flush() throws(OutputError) {
    var done = 0
    while done < buffer.count {
      let got = unsafe buffer.withUnsafeBytes { bytes in
        #if canImport(Glibc)
          unsafe Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        #elseif canImport(Musl)
          unsafe Musl.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        #else
          unsafe Darwin.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        #endif
      }
      if got > 0 {
        done += got
      } else if got < 0, errno != EINTR {
        throw .unwritable(file: path, reason: Self.systemReason())
      }
    }
    buffer.removeAll(keepingCapacity: true)
  }

  private static func systemReason() -> String { unsafe String(cString: strerror(errno)) }

  /// Takes away what could not be written whole.
  public static func remove(_ path: String) { _ = unsafe unlink(path) }

  /// Makes a folder, and those that it is in; one that is there must be empty.
  public static func makeEmptyFolder(_ path: String) throws(OutputError) {
    try makeFolder(path)
    guard let folder = unsafe opendir(path) else {
      throw .unwritable(file: path, reason: systemReason())
    }
    defer { _ = unsafe closedir(folder) }
    var entries = 0
    // "." and ".." are always there.
    while entries < 3, unsafe readdir(folder) != nil { entries += 1 }
    if entries > 2 { throw .exists(file: path) }
  }

  private static func makeFolder(_ path: String) throws(OutputError) {
    if unsafe mkdir(path, 0o755) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
      throw .unwritable(file: path, reason: systemReason())
    }
    try makeFolder(String(path[..<slash]))
    guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else {
      throw .unwritable(file: path, reason: systemReason())
    }
  }
}
