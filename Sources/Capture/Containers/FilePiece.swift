internal import CMapping
internal import Wire

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// A piece of a file as it lies in the system's memory: to read it copies nothing, and two threads
/// can. It is there for as long as somebody holds it.
@safe final class FilePiece: LastingBytes {
  let bytes: UnsafeRawBufferPointer
  /// Of its first byte in the file.
  let offset: UInt64

  /// Large pages of memory begin at multiples of this, in a file as in memory.
  private static let largePage: UInt64 = 2 << 20
  /// Enough that what it costs to have one does not count, and little for what a process may have.
  private static let usualCount: UInt64 = 8 << 20

  /// The piece that begins at an offset or a little before it, as long as usual or so that it has
  /// the `count` bytes behind that, if the file does.
  ///
  /// `nil` where nothing is left, and for what is no file of a disk.
  init?(_ descriptor: Int32, at position: UInt64, atLeast count: Int) {
    guard let size = Self.size(descriptor), position < size else { return nil }
    offset = position / Self.largePage * Self.largePage
    let wanted = max(Self.usualCount, position - offset + UInt64(count))
    let length = Int(min(wanted, size - offset))
    guard let start = unsafe map_piece(descriptor, Int64(offset), length) else { return nil }
    unsafe bytes = UnsafeRawBufferPointer(start: start, count: length)
  }

  deinit { unsafe unmap_piece(bytes.baseAddress!, bytes.count) }

  /// How long a file of a disk is now; `nil`: this is something else.
  private static func size(_ descriptor: Int32) -> UInt64? {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return nil
    }
    return UInt64(max(0, status.st_size))
  }

  /// How often bytes of any piece were gone when somebody looked at them: their file was cut.
  static var losses: Int { lost_pages() }
}
