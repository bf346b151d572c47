#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file without a name, for readers that want a path.
@safe final class ScratchFile {
  private let descriptor: Int32

  init(_ bytes: [UInt8]) {
    var name = Array("/tmp/pushbench-fuzz-XXXXXX".utf8CString)
    descriptor = unsafe name.withUnsafeMutableBufferPointer { buffer in
      let made = unsafe mkstemp(buffer.baseAddress!)
      precondition(made >= 0, "no scratch file can be made in /tmp")
      unsafe unlink(buffer.baseAddress!)
      return made
    }
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes[written...].withUnsafeBytes {
        unsafe write(descriptor, $0.baseAddress, $0.count)
      }
      precondition(count > 0, "a scratch file can't be written")
      written += count
    }
    lseek(descriptor, 0, SEEK_SET)
  }

  deinit { close(descriptor) }

  /// Of no other process.
  var path: String { "/dev/fd/\(descriptor)" }
}
