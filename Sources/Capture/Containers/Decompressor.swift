#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Decompresses gzip and zstd streams with the system's libraries.
///
/// These are loaded when a compressed capture is opened and not linked, so that building and
/// running without compressed captures needs neither.
@safe final class Decompressor {
  enum Kind: String {
    case gzip, zstd
  }

  /// Far more than captures come to: theirs halve or become a tenth.
  private static let usualRatio: UInt64 = 100
  /// Below this it is soon over, whatever it is.
  private static let harmless: UInt64 = 64 << 20

  private let kind: Kind
  private var input: ByteSource
  private var produced: UInt64 = 0
  private var isNoticed = false
  /// Told once, as soon as there is far more in the file than its length would say.
  private let notice: CaptureNotice?
  private let library: Library
  /// Why decompressing stopped before the end.
  private(set) var failure: String?
  private var isBetweenMembers = true

  /// `nil`: the library is not installed.
  init?(_ kind: Kind, _ input: consuming ByteSource, notice: CaptureNotice?) {
    let library: Library? =
      switch kind {
      case .gzip: Zlib().map { .zlib($0) }
      case .zstd: Zstd().map { .zstd($0) }
      }
    guard let library else { return nil }
    self.kind = kind
    self.library = library
    self.input = input
    self.notice = notice
  }

  /// What the file became, when that is far more than captures do.
  var expansion: String? {
    let consumed = max(1, input.offset)
    guard produced > Self.harmless, produced / consumed > Self.usualRatio else { return nil }
    return "\(consumed) bytes of \(kind.rawValue) become \(produced), 1:\(produced / consumed): "
      + "no capture of real traffic is so uniform"
  }

  private func count(_ bytes: Int) {
    produced &+= UInt64(bytes)
    guard !isNoticed, let notice, let expansion else { return }
    isNoticed = true
    notice(expansion + ", so far; reading goes on, and takes no more memory for it")
  }

  /// Decompressed bytes: their count, 0 at the end, -1 with a `failure`.
  func read(into target: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      guard input.ensure(1) else {
        if isBetweenMembers { return 0 }
        failure = "the compressed stream is cut off"
        return -1
      }
      let step = unsafe decompress(input.bytes(0, input.available), target)
      input.advance(step.consumed)
      if step.isFailed {
        // What follows a whole stream and is none itself is padding.
        if isBetweenMembers { return 0 }
        failure = "the compressed stream is damaged at byte \(input.offset)"
        return -1
      }
      isBetweenMembers = step.isEnd
      if step.produced > 0 {
        count(step.produced)
        return step.produced
      }
      if step.consumed == 0, !step.isEnd {
        failure = "the compressed stream is damaged at byte \(input.offset)"
        return -1
      }
    }
  }

  struct Step {
    var consumed = 0
    var produced = 0
    /// A member or frame is complete.
    var isEnd = false
    var isFailed = false
  }

  private enum Library {
    case zlib(Zlib)
    case zstd(Zstd)
  }

  private func decompress(
    _ from: UnsafeRawBufferPointer, _ to: UnsafeMutableRawBufferPointer
  ) -> Step {
    switch library {
    case .zlib(let library): unsafe library.decompress(from, to)
    case .zstd(let library): unsafe library.decompress(from, to)
    }
  }

  /// The library under the first of these names, loaded for good.
  fileprivate static func load(_ names: [String]) -> UnsafeMutableRawPointer? {
    for name in names {
      if let library = unsafe dlopen(name, RTLD_NOW) { return unsafe library }
    }
    return nil
  }
}

/// zlib's `inflate`, told to expect gzip.
@safe private final class Zlib {
  private typealias Init = @convention(c) (
    UnsafeMutableRawPointer, Int32, UnsafePointer<CChar>, Int32
  ) -> Int32
  private typealias Inflate = @convention(c) (UnsafeMutableRawPointer, Int32) -> Int32
  private typealias End = @convention(c) (UnsafeMutableRawPointer) -> Int32

  /// zlib.h's `z_stream` on 64-bit systems, by its offsets; its layout is part of zlib's ABI.
  private enum Field {
    static let nextIn = 0
    static let availableIn = 8
    static let nextOut = 24
    static let availableOut = 32
    static let size = 112
  }

  private let stream: UnsafeMutableRawPointer
  private let inflate: Inflate
  private let reset: End
  private let end: End

  init?() {
    guard let library = unsafe Decompressor.load(["libz.so.1", "libz.dylib"]),
      let start = unsafe dlsym(library, "inflateInit2_"),
      let inflate = unsafe dlsym(library, "inflate"),
      let reset = unsafe dlsym(library, "inflateReset"),
      let end = unsafe dlsym(library, "inflateEnd")
    else { return nil }
    unsafe stream = .allocate(byteCount: Field.size, alignment: 16)
    unsafe stream.initializeMemory(as: UInt8.self, repeating: 0, count: Field.size)
    unsafe self.inflate = unsafeBitCast(inflate, to: Inflate.self)
    unsafe self.reset = unsafeBitCast(reset, to: End.self)
    unsafe self.end = unsafeBitCast(end, to: End.self)
    // 15 bits of window, and 16 for "gzip only".
    let begin = unsafe unsafeBitCast(start, to: Init.self)
    guard unsafe begin(stream, 15 + 16, "1.2.11", Int32(Field.size)) == 0 else { return nil }
  }

  deinit {
    _ = unsafe end(stream)
    unsafe stream.deallocate()
  }

  func decompress(
    _ from: UnsafeRawBufferPointer, _ to: UnsafeMutableRawBufferPointer
  ) -> Decompressor.Step {
    unsafe stream.storeBytes(
      of: from.baseAddress, toByteOffset: Field.nextIn, as: UnsafeRawPointer?.self)
    let offered = UInt32(min(from.count, 1 << 30))
    unsafe stream.storeBytes(of: offered, toByteOffset: Field.availableIn, as: UInt32.self)
    unsafe stream.storeBytes(
      of: to.baseAddress, toByteOffset: Field.nextOut, as: UnsafeMutableRawPointer?.self)
    let room = UInt32(min(to.count, 1 << 30))
    unsafe stream.storeBytes(of: room, toByteOffset: Field.availableOut, as: UInt32.self)
    let result = unsafe inflate(stream, 0)
    var step = Decompressor.Step()
    step.consumed = unsafe Int(
      offered - stream.load(fromByteOffset: Field.availableIn, as: UInt32.self))
    step.produced = unsafe Int(
      room - stream.load(fromByteOffset: Field.availableOut, as: UInt32.self))
    step.isEnd = result == 1  // Z_STREAM_END
    step.isFailed = result < 0 && result != -5  // Z_BUF_ERROR: no progress, no harm.
    if step.isEnd { _ = unsafe reset(stream) }
    return step
  }
}

/// libzstd's `ZSTD_decompressStream`.
@safe private final class Zstd {
  private typealias Create = @convention(c) () -> OpaquePointer?
  private typealias Free = @convention(c) (OpaquePointer) -> Int
  private typealias Decompress = @convention(c) (
    OpaquePointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer
  ) -> Int
  private typealias IsError = @convention(c) (Int) -> UInt32

  private let stream: OpaquePointer
  private let free: Free
  private let run: Decompress
  private let isError: IsError

  init?() {
    guard let library = unsafe Decompressor.load(["libzstd.so.1", "libzstd.dylib"]),
      let create = unsafe dlsym(library, "ZSTD_createDStream"),
      let free = unsafe dlsym(library, "ZSTD_freeDStream"),
      let run = unsafe dlsym(library, "ZSTD_decompressStream"),
      let isError = unsafe dlsym(library, "ZSTD_isError"),
      let stream = unsafe unsafeBitCast(create, to: Create.self)()
    else { return nil }
    unsafe self.stream = stream
    unsafe self.free = unsafeBitCast(free, to: Free.self)
    unsafe self.run = unsafeBitCast(run, to: Decompress.self)
    unsafe self.isError = unsafeBitCast(isError, to: IsError.self)
  }

  deinit { _ = unsafe free(stream) }

  /// A buffer as libzstd has it: pointer, size, position.
  private struct Buffer {
    var start: UInt
    var size: Int
    var position: Int
  }

  func decompress(
    _ from: UnsafeRawBufferPointer, _ to: UnsafeMutableRawBufferPointer
  ) -> Decompressor.Step {
    var input = Buffer(
      start: UInt(bitPattern: from.baseAddress), size: from.count, position: 0)
    var output = Buffer(
      start: UInt(bitPattern: to.baseAddress), size: to.count, position: 0)
    let result = unsafe run(stream, &output, &input)
    var step = Decompressor.Step()
    step.consumed = input.position
    step.produced = output.position
    step.isFailed = isError(result) != 0
    step.isEnd = result == 0
    return step
  }
}
