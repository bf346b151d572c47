/// Objects by packet identifier.
///
/// A dictionary for the few that are in flight: identifiers are given out in order, and a
/// multiplication spreads them evenly, which is all the hashing that they need.
/// Never iterated in its own order.
struct MQTTPacketIDTable<Value: AnyObject> {
  private struct Entry {
    var value: Value?
    var id: UInt16 = 0
  }

  private var entries: ContiguousArray<Entry> = []
  private(set) var count = 0

  var capacity: Int { entries.count }
  var isEmpty: Bool { count == 0 }

  subscript(id: UInt16) -> Value? {
    get {
      guard let at = place(of: id) else { return nil }
      return entries[at].value
    }
    set {
      if let newValue {
        insert(newValue, id)
      } else {
        remove(id)
      }
    }
  }

  /// In the order of the identifiers.
  var valuesInOrder: [Value] {
    entries.filter { $0.value != nil }.sorted { $0.id < $1.id }.compactMap(\.value)
  }

  /// Tells each identifier, in no order that means anything.
  func forEachIdentifier(_ receive: (UInt16) -> Void) {
    if count == 0 { return }
    for entry in entries where entry.value != nil { receive(entry.id) }
  }

  mutating func removeAll() {
    entries = []
    count = 0
  }

  @inline(__always)
  private func home(_ id: UInt16) -> Int {
    Int(truncatingIfNeeded: UInt32(id) &* 0x9E37_79B9 >> 8) & (entries.count - 1)
  }

  /// Whether there was one.
  @discardableResult
  mutating func remove(_ id: UInt16) -> Bool {
    guard var hole = place(of: id) else { return false }
    count -= 1
    let mask = entries.count - 1
    // Moves later entries of the run back, so that no search stops early at the hole.
    var probe = (hole + 1) & mask
    while entries[probe].value != nil {
      let home = home(entries[probe].id)
      if (probe - home) & mask >= (probe - hole) & mask {
        entries.swapAt(hole, probe)
        hole = probe
      }
      probe = (probe + 1) & mask
    }
    entries[hole].value = nil
    return true
  }

  private func place(of id: UInt16) -> Int? {
    if entries.isEmpty { return nil }
    let mask = entries.count - 1
    var at = home(id)
    while entries[at].value != nil {
      if entries[at].id == id { return at }
      at = (at + 1) & mask
    }
    return nil
  }

  private mutating func insert(_ value: Value, _ id: UInt16) {
    if let known = place(of: id) {
      entries[known].value = value
      return
    }
    if count * 4 >= entries.count * 3 { grow() }
    count += 1
    put(Entry(value: value, id: id))
  }

  private mutating func put(_ entry: Entry) {
    let mask = entries.count - 1
    var at = home(entry.id)
    while entries[at].value != nil { at = (at + 1) & mask }
    entries[at] = entry
  }

  private mutating func grow() {
    let old = entries
    entries = ContiguousArray(repeating: Entry(), count: max(8, old.count * 2))
    for entry in old where entry.value != nil { put(entry) }
  }
}
