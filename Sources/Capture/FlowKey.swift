internal import CPrefetch
import Wire

/// The full four-tuple of a TCP connection, the same for both directions.
struct FlowKey: Equatable, BitwiseCopyable {
  var first: IPAddress
  var second: IPAddress
  var firstPort: UInt16
  var secondPort: UInt16

  /// Whether the segment's sender is `first`.
  static func of(_ segment: TCPSegment) -> (key: FlowKey, fromFirst: Bool) {
    of(segment.source, segment.destination, segment.sourcePort, segment.destinationPort)
  }

  @inline(__always)
  static func of(
    _ source: IPAddress, _ destination: IPAddress, _ sourcePort: UInt16, _ destinationPort: UInt16
  ) -> (key: FlowKey, fromFirst: Bool) {
    let fromFirst =
      source != destination ? source < destination : sourcePort <= destinationPort
    let key =
      fromFirst
      ? FlowKey(
        first: source, second: destination, firstPort: sourcePort, secondPort: destinationPort)
      : FlowKey(
        first: destination, second: source, firstPort: destinationPort, secondPort: sourcePort)
    return (key, fromFirst)
  }

  @inline(__always)
  static func == (a: Self, b: Self) -> Bool {
    a.first.low == b.first.low && a.second.low == b.second.low && a.firstPort == b.firstPort
      && a.secondPort == b.secondPort && a.first.high == b.first.high
      && a.second.high == b.second.high && a.first.isIPv6 == b.first.isIPv6
      && a.second.isIPv6 == b.second.isIPv6
  }

  /// Seeded, so that nobody can write a capture whose connections all share one slot.
  @inline(__always)
  func hash(seed: UInt64) -> UInt64 {
    if let plain = PlainFlow(self) { return plain.hash(seed: seed) }
    let state = Self.mixed(
      Self.mixed(first.low ^ seed, second.low ^ 0x9E37_79B9_7F4A_7C15) ^ first.high,
      second.high ^ seed)
    return Self.mixed(state ^ UInt64(firstPort) << 16 ^ UInt64(secondPort), seed | 1)
  }

  @inline(__always)
  fileprivate static func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}

/// The same for IPv4, in two words: what nearly every packet is compared by.
struct PlainFlow: Equatable, BitwiseCopyable {
  /// The first one's above the second one's.
  private var addresses: UInt64
  /// The same, and a bit that tells them from `none`.
  private var ports: UInt64

  /// No packet's.
  static let none = PlainFlow(addresses: 0, ports: 0)

  private init(addresses: UInt64, ports: UInt64) {
    self.addresses = addresses
    self.ports = ports
  }

  /// `nil` for IPv6.
  @inline(__always)
  init?(_ key: FlowKey) {
    if key.first.isIPv6 || key.second.isIPv6 { return nil }
    addresses = key.first.low << 32 | key.second.low
    ports = 1 << 32 | UInt64(key.firstPort) << 16 | UInt64(key.secondPort)
  }

  /// Of a segment, and whether its sender is the first one.
  ///
  /// - Parameter ports: the source's above the destination's.
  @inline(__always)
  static func of(
    source: UInt32, destination: UInt32, ports: UInt32
  ) -> (flow: PlainFlow, fromFirst: Bool) {
    let (from, to) = (UInt64(source), UInt64(destination))
    let (fromPort, toPort) = (UInt64(ports >> 16), UInt64(ports & 0xFFFF))
    let fromFirst = from << 16 | fromPort <= to << 16 | toPort
    let addresses = fromFirst ? from << 32 | to : to << 32 | from
    let both = fromFirst ? UInt64(ports) : toPort << 16 | fromPort
    return (PlainFlow(addresses: addresses, ports: 1 << 32 | both), fromFirst)
  }

  typealias End = (address: UInt64, port: UInt16)

  func ends(fromFirst: Bool) -> (source: End, destination: End) {
    let first: End = (addresses >> 32, UInt16(truncatingIfNeeded: ports >> 16))
    let second: End = (addresses & 0xFFFF_FFFF, UInt16(truncatingIfNeeded: ports))
    return fromFirst ? (first, second) : (second, first)
  }

  @inline(__always)
  func hash(seed: UInt64) -> UInt64 {
    FlowKey.mixed(FlowKey.mixed(addresses ^ seed, 0x9E37_79B9_7F4A_7C15) ^ ports, seed | 1)
  }
}

/// Finds a connection's slot by its four-tuple: open addressing over 8-byte entries, which fit a
/// near cache for thousands of connections. The caller compares the keys, in full, where it keeps
/// them.
///
/// Never iterated, so its per-run seed reaches no output.
struct FlowTable {
  /// Half of a hash, and a slot plus one; 0 when empty.
  private struct Entry {
    var hash: UInt32 = 0
    var slotPlusOne: UInt32 = 0
  }

  private var entries = [Entry](repeating: Entry(), count: 64)
  private var mask = 63
  private(set) var count = 0
  private let seed: UInt64

  init() {
    // `Hasher` is seeded for each process by the standard library.
    var hasher = Hasher()
    hasher.combine(0x5EED)
    seed = UInt64(bitPattern: Int64(hasher.finalize())) | 1
  }

  /// What the other functions want to know of a key.
  @inline(__always)
  func hash(_ key: FlowKey) -> UInt32 { UInt32(truncatingIfNeeded: key.hash(seed: seed)) }

  @inline(__always)
  func hash(_ flow: PlainFlow) -> UInt32 { UInt32(truncatingIfNeeded: flow.hash(seed: seed)) }

  /// Begins to fetch from memory what `slot` will ask for.
  @inline(__always)
  func foresee(_ hash: UInt32) {
    unsafe entries.withUnsafeBufferPointer {
      unsafe prefetch_line($0.baseAddress! + (Int(hash) & mask))
    }
  }

  /// The slot of a key, or -1.
  ///
  /// - Parameter matches: whether the connection in a slot has that key.
  @inline(__always)
  func slot(_ hash: UInt32, _ matches: (Int) -> Bool) -> Int {
    unsafe entries.withUnsafeBufferPointer { entries in
      var at = Int(hash) & mask
      while case let entry = unsafe entries[at], entry.slotPlusOne != 0 {
        let slot = Int(entry.slotPlusOne) &- 1
        if entry.hash == hash, matches(slot) { return slot }
        at = (at &+ 1) & mask
      }
      return -1
    }
  }

  /// The key must not be there yet.
  mutating func insert(_ hash: UInt32, slot: Int) {
    if count * 3 >= entries.count * 2 { grow() }
    count += 1
    insert(Entry(hash: hash, slotPlusOne: UInt32(slot + 1)))
  }

  private mutating func insert(_ entry: Entry) {
    var at = Int(entry.hash) & mask
    while entries[at].slotPlusOne != 0 { at = (at + 1) & mask }
    entries[at] = entry
  }

  private mutating func grow() {
    let old = entries
    entries = Array(repeating: Entry(), count: old.count * 2)
    mask = entries.count - 1
    for entry in old where entry.slotPlusOne != 0 { insert(entry) }
  }

  mutating func remove(_ hash: UInt32, slot: Int) {
    var hole = Int(hash) & mask
    while entries[hole].slotPlusOne != UInt32(slot + 1) {
      precondition(entries[hole].slotPlusOne != 0, "only what was inserted is removed")
      hole = (hole + 1) & mask
    }
    count -= 1
    // Moves later entries of the run back, so that no search stops early at the hole.
    var probe = (hole + 1) & mask
    while entries[probe].slotPlusOne != 0 {
      let home = Int(entries[probe].hash) & mask
      if (probe - home) & mask >= (probe - hole) & mask {
        entries[hole] = entries[probe]
        hole = probe
      }
      probe = (probe + 1) & mask
    }
    entries[hole] = Entry()
  }
}
