import Wire

/// The deliveries of a conversation that are in flight and go the usual way, in no order.
///
/// Their packet identifiers lie side by side behind the rows, so that looking for one touches
/// little memory. What is in flight longest is asked for least: looking begins with the youngest.
@safe struct MQTTFlight {
  /// More are no usual flight.
  static let limit = 255

  private var rows: UnsafeMutablePointer<MQTTCompactDelivery>?
  private var capacity: UInt16 = 0
  private(set) var size: UInt16 = 0
  /// No identifier in flight is above it: servers count them up, so a new one needs no search.
  private var highest: UInt16 = 0

  var count: Int { Int(size) }
  var hasRoom: Bool { count < Self.limit }

  /// Gives the memory back; nothing is in flight.
  mutating func free(to near: MQTTNearMemory) {
    if let rows = unsafe rows { unsafe near.free(rows, Self.byteCount(capacity)) }
    unsafe rows = nil
    (capacity, size, highest) = (0, 0, 0)
  }

  /// Looking for one looks at four.
  private static func identifierCount(_ capacity: UInt16) -> Int { (Int(capacity) + 3) & ~3 }

  private static func byteCount(_ capacity: UInt16) -> Int {
    Int(capacity) * MemoryLayout<MQTTCompactDelivery>.stride
      + identifierCount(capacity) * MemoryLayout<UInt16>.stride
  }

  subscript(place: Int) -> MQTTCompactDelivery {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(rows!) + place }
    @inline(__always) nonmutating unsafeMutableAddress { unsafe rows! + place }
  }

  /// The place of an identifier, or -1.
  @inline(__always)
  func place(of id: UInt16) -> Int {
    unsafe size == 0 ? -1 : MQTTIdentifiers.place(of: id, identifiers, count)
  }

  @inline(__always)
  func contains(_ id: UInt16) -> Bool { id <= highest && place(of: id) >= 0 }

  var isFull: Bool { size == capacity }

  /// For a delivery whose identifier is not in flight, when it is not full.
  @inline(__always)
  mutating func append(_ delivery: MQTTCompactDelivery) {
    unsafe (rows! + count).initialize(to: delivery)
    unsafe identifiers[count] = delivery.packetID
    highest = size == 0 ? delivery.packetID : max(highest, delivery.packetID)
    size += 1
  }

  /// Takes one out; the last one gets its place.
  @inline(__always)
  mutating func remove(at place: Int) {
    size -= 1
    let last = count
    if place != last {
      unsafe rows![place] = rows![last]
      unsafe identifiers[place] = identifiers[last]
    }
    unsafe identifiers[last] = 0
  }

  /// In the order of their sending.
  var inOrder: [MQTTCompactDelivery] {
    let all = unsafe UnsafeBufferPointer(start: rows, count: count)
    return unsafe all.sorted { $0.order < $1.order }
  }

  /// Where one and its identifier lie, to fetch them from memory beforehand.
  typealias Place = (row: UnsafeRawPointer, identifier: UnsafeRawPointer)

  var youngest: Place? { unsafe size == 0 ? nil : at(count - 1) }

  /// Where the next one will lie; `nil` when there is no room yet.
  var next: Place? { unsafe size == capacity ? nil : at(count) }

  @inline(__always)
  private func at(_ place: Int) -> Place {
    unsafe (UnsafeRawPointer(rows! + place), UnsafeRawPointer(identifiers + place))
  }

  /// Those that are not in use are 0, which is no identifier.
  private var identifiers: UnsafeMutablePointer<UInt16> {
    unsafe UnsafeMutableRawPointer(rows! + Int(capacity)).assumingMemoryBound(to: UInt16.self)
  }

  mutating func grow(in near: MQTTNearMemory) { makeRoom(for: 1, in: near) }

  /// For so many more.
  mutating func makeRoom(for more: Int, in near: MQTTNearMemory) {
    if count + more <= Int(capacity) { return }
    // Two sizes between a power of two and the next: pieces of few sizes are used again.
    var wanted = 4
    while wanted < count + more {
      wanted = wanted & (wanted - 1) == 0 ? wanted + wanted / 2 : wanted / 3 * 4
    }
    grow(to: UInt16(wanted), in: near)
  }

  private mutating func grow(to wider: UInt16, in near: MQTTNearMemory) {
    let byteCount = Self.byteCount(wider)
    let memory = unsafe near.allocate(byteCount)
    var old = self
    unsafe rows = memory.bindMemory(to: MQTTCompactDelivery.self, capacity: Int(wider))
    capacity = wider
    unsafe identifiers.initialize(repeating: 0, count: Self.identifierCount(wider))
    for place in 0..<count {
      unsafe rows![place] = old.rows![place]
      unsafe identifiers[place] = old.identifiers[place]
    }
    old.free(to: near)
  }
}

/// A few packet identifiers.
@safe struct MQTTIdentifiers {
  static let limit = 255

  /// A bit for each, shared by all that end alike: most questions are answered here.
  private var endings = InlineArray<4, UInt64>(repeating: 0)
  private var all: UnsafeMutablePointer<UInt16>?
  private var capacity: UInt16 = 0
  private var count: UInt16 = 0

  mutating func free() {
    unsafe all?.deallocate()
    unsafe all = nil
    (capacity, count) = (0, 0)
  }

  mutating func removeAll() {
    count = 0
    endings = InlineArray(repeating: 0)
  }

  /// Below the limit.
  mutating func append(_ id: UInt16) {
    endings[Int(id >> 6 & 3)] |= 1 << UInt64(id & 63)
    if count == capacity {
      let wider = max(8, capacity * 2)
      let memory = UnsafeMutablePointer<UInt16>.allocate(capacity: Int(wider))
      unsafe memory.initialize(repeating: 0, count: Int(wider))
      if let old = unsafe all { unsafe memory.update(from: old, count: Int(count)) }
      unsafe all?.deallocate()
      unsafe all = memory
      capacity = wider
    }
    unsafe all![Int(count)] = id
    count += 1
  }

  @inline(__always)
  func contains(_ id: UInt16) -> Bool {
    if endings[Int(id >> 6 & 3)] & 1 << UInt64(id & 63) == 0 { return false }
    return unsafe Self.place(of: id, all!, Int(count)) >= 0
  }

  /// The place of an identifier that is there at most once, or -1. Four are compared at a time: up
  /// to the next multiple of four there must be memory behind `count`.
  @inline(__always)
  static func place(of id: UInt16, _ identifiers: UnsafePointer<UInt16>, _ count: Int) -> Int {
    let ones: UInt64 = 0x0001_0001_0001_0001
    let wanted = UInt64(id) &* ones
    var four = (count - 1) & ~3
    while four >= 0 {
      let found =
        unsafe UnsafeRawPointer(identifiers + four).loadUnaligned(as: UInt64.self) ^ wanted
      // The lowest of these bits stands in the lowest of the equal ones (Hacker's Delight).
      let equal = (found &- ones) & ~found & (ones << 15)
      if equal != 0 {
        let place = four + equal.trailingZeroBitCount / 16
        if place < count { return place }
      }
      four -= 4
    }
    return -1
  }
}
