import Wire

/// Bytes of one direction that came before the bytes in front of them, sorted, without overlap.
struct PendingSegments {
  struct Segment {
    /// Stream offset of the first byte.
    var offset: Int64
    var bytes: [UInt8]
    /// Length on the wire; more than `bytes` when the snap length cut it.
    var wireLength: Int
    var moment: Moment

    var end: Int64 { offset + Int64(wireLength) }
  }

  /// What an entry costs beside its bytes: the entry, and its array's header.
  private static let overhead = 80

  private var storage: [Segment] = []
  /// Entries of `storage` before it are gone: taking off the first of thousands moves none.
  private var head = 0
  /// Memory held, roughly.
  private(set) var cost = 0

  var isEmpty: Bool { head == storage.count }
  var count: Int { storage.count - head }
  var first: Segment? { isEmpty ? nil : storage[head] }
  var last: Segment? { storage.last }

  subscript(index: Int) -> Segment { storage[head + index] }

  /// The first segment that ends after `offset`.
  func index(endingAfter offset: Int64) -> Int {
    if let last, last.end <= offset { return count }
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if storage[head + middle].end > offset { high = middle } else { low = middle + 1 }
    }
    return low
  }

  mutating func insert(_ segment: Segment, at index: Int) {
    cost += segment.bytes.count + Self.overhead
    if index == 0, head > 0 {
      head -= 1
      storage[head] = segment
    } else {
      storage.insert(segment, at: head + index)
    }
  }

  /// Replaces bytes of a segment, as far as both reach.
  mutating func overwrite(_ index: Int, from offset: Int64, with bytes: RawSpan) {
    let at = head + index
    let start = Int(offset - storage[at].offset)
    for byte in 0..<min(bytes.byteCount, max(0, storage[at].bytes.count - start)) {
      storage[at].bytes[start + byte] = unsafe bytes.unsafeLoad(
        fromByteOffset: byte, as: UInt8.self)
    }
  }

  mutating func removeFirst(_ count: Int) {
    for at in head..<head + count {
      cost -= storage[at].bytes.count + Self.overhead
      storage[at].bytes = []
    }
    head += count
    if head == storage.count {
      storage = []  // Gives the memory back: most connections never need it again.
      head = 0
    } else if head > storage.count / 2 {
      storage.removeFirst(head)
      head = 0
    }
  }

  /// Renumbers when the true start of the stream becomes known.
  mutating func shift(by distance: Int64) {
    for at in head..<storage.count { storage[at].offset += distance }
  }
}
