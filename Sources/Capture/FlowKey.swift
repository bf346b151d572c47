import Wire

/// The full four-tuple of a TCP connection, the same for both directions.
struct FlowKey: Equatable, BitwiseCopyable {
  var first: IPAddress
  var second: IPAddress
  var firstPort: UInt16
  var secondPort: UInt16

  /// Whether the segment's sender is `first`.
  static func of(_ segment: TCPSegment) -> (key: FlowKey, fromFirst: Bool) {
    let fromFirst =
      segment.source != segment.destination
      ? segment.source < segment.destination : segment.sourcePort <= segment.destinationPort
    let key =
      fromFirst
      ? FlowKey(
        first: segment.source, second: segment.destination, firstPort: segment.sourcePort,
        secondPort: segment.destinationPort)
      : FlowKey(
        first: segment.destination, second: segment.source, firstPort: segment.destinationPort,
        secondPort: segment.sourcePort)
    return (key, fromFirst)
  }

  /// Seeded, so that nobody can write a capture whose connections all share one slot.
  func hash(seed: UInt64) -> UInt64 {
    let ports = UInt64(firstPort) << 17 | UInt64(secondPort) << 1 | (first.isIPv6 ? 1 : 0)
    var state = Self.mixed(first.low ^ seed, second.low ^ 0x9E37_79B9_7F4A_7C15)
    if first.isIPv6 { state = Self.mixed(state ^ first.high, second.high ^ seed) }
    return Self.mixed(state ^ ports, seed | 1)
  }

  private static func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}

/// Finds a connection's slot by its four-tuple: open addressing, keys compared in full.
///
/// Never iterated, so its per-run seed reaches no output.
struct FlowTable {
  private struct Entry {
    var key: FlowKey
    var hash: UInt64
    /// `-1` when the entry is empty.
    var slot: Int32
  }

  private var entries: [Entry]
  private var mask: Int
  private(set) var count = 0
  private let seed: UInt64

  private static let empty = Entry(
    key: FlowKey(first: IPAddress(), second: IPAddress(), firstPort: 0, secondPort: 0), hash: 0,
    slot: -1)

  init() {
    // `Hasher` is seeded for each process by the standard library.
    var hasher = Hasher()
    hasher.combine(0x5EED)
    seed = UInt64(bitPattern: Int64(hasher.finalize())) | 1
    entries = Array(repeating: Self.empty, count: 64)
    mask = 63
  }

  func slot(of key: FlowKey) -> Int? {
    let hash = key.hash(seed: seed)
    var at = Int(truncatingIfNeeded: hash) & mask
    while true {
      if entries[at].slot < 0 { return nil }
      if entries[at].hash == hash, entries[at].key == key { return Int(entries[at].slot) }
      at = (at + 1) & mask
    }
  }

  /// Inserts or replaces.
  mutating func set(_ key: FlowKey, slot: Int) {
    if count * 3 >= entries.count * 2 { grow() }
    insert(Entry(key: key, hash: key.hash(seed: seed), slot: Int32(slot)))
  }

  private mutating func insert(_ entry: Entry) {
    var at = Int(truncatingIfNeeded: entry.hash) & mask
    while entries[at].slot >= 0 {
      if entries[at].hash == entry.hash, entries[at].key == entry.key {
        entries[at].slot = entry.slot
        return
      }
      at = (at + 1) & mask
    }
    entries[at] = entry
    count += 1
  }

  private mutating func grow() {
    let old = entries
    entries = Array(repeating: Self.empty, count: old.count * 2)
    mask = entries.count - 1
    count = 0
    for entry in old where entry.slot >= 0 { insert(entry) }
  }

  mutating func remove(_ key: FlowKey) {
    let hash = key.hash(seed: seed)
    var at = Int(truncatingIfNeeded: hash) & mask
    while entries[at].slot >= 0, entries[at].hash != hash || entries[at].key != key {
      at = (at + 1) & mask
    }
    guard entries[at].slot >= 0 else { return }
    count -= 1
    // Moves later entries of the run back, so that no search stops early at the hole.
    var hole = at
    var probe = (at + 1) & mask
    while entries[probe].slot >= 0 {
      let home = Int(truncatingIfNeeded: entries[probe].hash) & mask
      if (probe - home) & mask >= (probe - hole) & mask {
        entries[hole] = entries[probe]
        hole = probe
      }
      probe = (probe + 1) & mask
    }
    entries[hole] = Self.empty
  }
}
