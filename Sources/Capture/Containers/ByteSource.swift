internal import CPrefetch

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// The bytes of a file, a pipe or standard input, through one window that moves forward.
///
/// `start..<end` of the window has been read and not been used. Nothing is ever read again, so a
/// pipe is as good as a file. The window of a file that is to be mapped is a piece of it.
@safe struct ByteSource: ~Copyable {
  /// Where more bytes come from.
  enum Origin {
    case descriptor(Int32)
    /// A descriptor of what is mapped, if it can be.
    case mapped(Int32)
    case decompressor(Decompressor)
    case feed(any CaptureFeed)
    /// No more bytes than those in the window.
    case none
  }

  private var origin: Origin
  /// Its own, unless there is a piece.
  private var window: UnsafeMutableRawBufferPointer
  /// What the window is, of a file that is mapped.
  private(set) var piece: FilePiece?
  private(set) var start = 0
  private(set) var end = 0
  /// Up to where a piece is in a near cache, or on its way there.
  private var near = Int.max
  /// Bytes from the beginning of the file to the window's first byte.
  private var base: UInt64 = 0
  /// Why reading stopped before the end, in the system's words.
  private(set) var failure: String?
  /// The file's end has been seen: asking again must not cost anything.
  private var isExhausted = false

  static let firstWindow = 1 << 17

  init(_ origin: Origin) {
    self.origin = origin
    if case .mapped(let descriptor) = origin {
      unsafe window = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      if show(descriptor, 1) { return }
      self.origin = .descriptor(descriptor)
    }
    unsafe window = .allocate(byteCount: Self.firstWindow, alignment: 16)
  }

  deinit {
    if piece == nil { unsafe window.deallocate() }
    switch origin {
    case .descriptor(let descriptor), .mapped(let descriptor):
      if descriptor > 2 { close(descriptor) }
    case .decompressor, .feed, .none: break
    }
  }

  /// Bytes from the beginning of the file to the next unused one.
  var offset: UInt64 { base + UInt64(start) }
  var available: Int { end - start }

  /// Reads on until `count` bytes are there; `false` when the file ends before.
  @inline(__always)
  mutating func ensure(_ count: Int) -> Bool {
    if end - start >= count { return true }
    return isExhausted ? false : refill(count)
  }

  @inline(never)
  private mutating func refill(_ count: Int) -> Bool {
    if case .mapped(let descriptor) = origin {
      if show(descriptor, count), end - start >= count { return true }
      // The file's end, or the system wants no more pieces: the rest is read, if there is one.
      read(descriptor)
    }
    return readOn(count)
  }

  /// From here on without pieces.
  private mutating func read(_ descriptor: Int32) {
    let rest = unsafe UnsafeRawBufferPointer(rebasing: window[start..<end])
    let own = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(Self.firstWindow, rest.count), alignment: 16)
    unsafe own.copyMemory(from: rest)
    lseek(descriptor, off_t(base) + off_t(end), SEEK_SET)
    base += UInt64(start)
    (start, end) = (0, rest.count)
    unsafe window = own
    near = .max
    piece = nil
    origin = .descriptor(descriptor)
  }

  /// Makes the piece of the file the window that has the next `count` bytes, or the rest.
  private mutating func show(_ descriptor: Int32, _ count: Int) -> Bool {
    guard let next = FilePiece(descriptor, at: offset, atLeast: count) else { return false }
    let first = Int(offset - next.offset)
    base = next.offset
    start = first
    end = unsafe next.bytes.count
    near = first
    unsafe window = UnsafeMutableRawBufferPointer(mutating: next.bytes)
    piece = next
    return true
  }

  /// The window grows only as bytes really come: a length that lies costs nothing.
  private mutating func readOn(_ count: Int) -> Bool {
    // Only when there is no room behind: bytes that come one by one must not move all each time.
    let size = unsafe window.count
    if start > 0, start == end || count > size - start || end == size {
      unsafe window.baseAddress!.copyMemory(
        from: window.baseAddress! + start, byteCount: end - start)
      base += UInt64(start)
      end -= start
      start = 0
    }
    while end - start < count {
      // Room for twice what is asked: else each of many small steps would move the whole window.
      if unsafe end == window.count || count > window.count / 2 {
        let wider = unsafe UnsafeMutableRawBufferPointer.allocate(
          byteCount: window.count * 2, alignment: 16)
        unsafe wider.baseAddress!.copyMemory(from: window.baseAddress!, byteCount: end)
        unsafe window.deallocate()
        unsafe window = wider
      }
      let got = unsafe read(UnsafeMutableRawBufferPointer(rebasing: window[end...]))
      if got == 0 {
        isExhausted = true
        return false
      }
      end += got
    }
    return true
  }

  private mutating func read(_ target: UnsafeMutableRawBufferPointer) -> Int {
    switch origin {
    case .none, .mapped: return 0
    case .feed(let feed):
      let got = unsafe feed.read(into: target)
      if got == 0 { failure = feed.failure }
      return got
    case .decompressor(let decompressor):
      let got = unsafe decompressor.read(into: target)
      if got < 0 { failure = decompressor.failure }
      return max(0, got)
    case .descriptor(let descriptor):
      while true {
        let got = unsafe FileDescriptorReading.read(descriptor, into: target)
        if got >= 0 { return got }
        if errno == EINTR { continue }
        failure = unsafe String(cString: strerror(errno))
        return 0
      }
    }
  }

  @inline(__always)
  mutating func advance(_ count: Int) {
    precondition(count >= 0 && count <= end - start, "only what was read can be used")
    start += count
  }

  /// Moves on without keeping anything; `false` when the file ends before.
  mutating func skip(_ count: UInt64) -> Bool {
    var left = count
    while left > 0 {
      guard ensure(1) else { return false }
      let step = Int(min(left, UInt64(available)))
      advance(step)
      left -= UInt64(step)
    }
    return true
  }

  /// `count` bytes, `at` bytes after the next unused one. They must be there, and stay until the
  /// next `ensure`.
  @inline(__always)
  func bytes(_ at: Int, _ count: Int) -> UnsafeRawBufferPointer {
    precondition(at >= 0 && count >= 0 && at + count <= end - start, "bytes that were not read")
    return unsafe UnsafeRawBufferPointer(
      start: UnsafeRawPointer(window.baseAddress! + start + at), count: count)
  }

  /// How far ahead of what is used next the bytes of a mapped file are fetched from memory: what
  /// was read instead has just been written.
  private static let foresight = 8 << 10

  /// Fetches what comes some time after the next `at` bytes.
  @inline(__always)
  mutating func foresee(_ at: Int) {
    let limit = min(start &+ at &+ Self.foresight, end)
    while near < limit {
      unsafe prefetch_line(UnsafeRawPointer(window.baseAddress! + near))
      near &+= 64
    }
  }

  func uint8(_ at: Int) -> UInt8 { unsafe bytes(at, 1)[0] }

  func uint16(_ at: Int, swapped: Bool) -> UInt16 {
    let value = unsafe bytes(at, 2).loadUnaligned(as: UInt16.self)
    return swapped ? value.byteSwapped : value
  }

  func uint32(_ at: Int, swapped: Bool) -> UInt32 {
    let value = unsafe bytes(at, 4).loadUnaligned(as: UInt32.self)
    return swapped ? value.byteSwapped : value
  }

  func array(_ at: Int, _ count: Int) -> [UInt8] { unsafe Array(bytes(at, count)) }

  /// Up to `count` bytes from here, without using them.
  mutating func peek(_ count: Int) -> [UInt8] {
    // Whoever writes a pipe may have no more than a header for a long time.
    _ = ensure(4)
    return array(0, min(count, available))
  }
}
