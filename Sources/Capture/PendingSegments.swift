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

  private(set) var segments: [Segment] = []
  /// Memory held, roughly.
  private(set) var cost = 0

  var isEmpty: Bool { segments.isEmpty }
  var count: Int { segments.count }
  var first: Segment? { segments.first }
  var last: Segment? { segments.last }

  /// The first segment that ends after `offset`.
  func index(endingAfter offset: Int64) -> Int {
    if let last = segments.last, last.end <= offset { return segments.count }
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].end > offset { high = middle } else { low = middle + 1 }
    }
    return low
  }

  mutating func insert(_ segment: Segment, at index: Int) {
    cost += segment.bytes.count + Self.overhead
    segments.insert(segment, at: index)
  }

  /// Replaces bytes of a segment, as far as both reach.
  mutating func overwrite(_ index: Int, from offset: Int64, with bytes: RawSpan) {
    let start = Int(offset - segments[index].offset)
    for at in 0..<min(bytes.byteCount, max(0, segments[index].bytes.count - start)) {
      segments[index].bytes[start + at] = unsafe bytes.unsafeLoad(
        fromByteOffset: at, as: UInt8.self)
    }
  }

  mutating func removeFirst(_ count: Int) {
    for segment in segments[..<count] { cost -= segment.bytes.count + Self.overhead }
    if count == segments.count {
      segments = []  // Gives the memory back: most connections never need it again.
    } else {
      segments.removeFirst(count)
    }
  }

  /// Renumbers when the true start of the stream becomes known.
  mutating func shift(by distance: Int64) {
    for index in segments.indices { segments[index].offset += distance }
  }
}
