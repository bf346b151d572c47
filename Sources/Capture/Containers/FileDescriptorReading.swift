#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// read(2), which each system's module has under its own name.
enum FileDescriptorReading {
  /// - Returns: bytes that were read; 0 at the end, negative with `errno` set.
  static func read(_ descriptor: Int32, into target: UnsafeMutableRawBufferPointer) -> Int {
    #if canImport(Glibc)
      unsafe Glibc.read(descriptor, target.baseAddress, target.count)
    #elseif canImport(Musl)
      unsafe Musl.read(descriptor, target.baseAddress, target.count)
    #else
      unsafe Darwin.read(descriptor, target.baseAddress, target.count)
    #endif
  }
}
