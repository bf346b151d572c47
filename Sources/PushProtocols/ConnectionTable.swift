internal import CPrefetch
import Wire

/// What is known of each open connection.
///
/// Numbers of connections count up: a multiplication spreads them evenly, which is all the hashing
/// that they need. This is asked for every event of a capture.
struct ConnectionTable<Value> {
  private struct Entry {
    var connection = ConnectionID(0)
    var value: Value?
  }

  private var entries = ContiguousArray(repeating: Entry(), count: 16)
  private(set) var count = 0
  /// The last one that `repeated` found.
  private var latest: (connection: ConnectionID, value: Value)?

  /// The same as the subscript, for questions that are mostly about the same connection as the
  /// question before.
  mutating func repeated(_ connection: ConnectionID) -> Value? {
    if let latest, latest.connection == connection { return latest.value }
    guard let value = self[connection] else { return nil }
    latest = (connection, value)
    return value
  }

  subscript(connection: ConnectionID) -> Value? {
    get {
      unsafe entries.withUnsafeBufferPointer { entries in
        let mask = entries.count &- 1
        var at = home(connection)
        while let value = unsafe entries[at].value {
          if unsafe entries[at].connection == connection { return value }
          at = (at &+ 1) & mask
        }
        return nil
      }
    }
    set {
      latest = nil
      guard let newValue else { return remove(connection) }
      if count * 2 >= entries.count { grow() }
      if put(newValue, connection) { count += 1 }
    }
  }

  /// Begins to fetch from memory what the subscript will ask for.
  @inline(__always)
  func foresee(_ connection: ConnectionID) {
    unsafe entries.withUnsafeBufferPointer {
      unsafe prefetch_line($0.baseAddress! + home(connection))
    }
  }

  @inline(__always)
  private func home(_ connection: ConnectionID) -> Int {
    Int(truncatingIfNeeded: UInt64(connection.index) &* 0x9E37_79B9_7F4A_7C15 >> 40)
      & (entries.count - 1)
  }

  /// In the order of the connections.
  var keysInOrder: [ConnectionID] {
    entries.filter { $0.value != nil }.map(\.connection).sorted()
  }

  var valuesInOrder: [Value] { keysInOrder.compactMap { self[$0] } }

  /// Whether it is new.
  @discardableResult
  private mutating func put(_ value: Value, _ connection: ConnectionID) -> Bool {
    let mask = entries.count - 1
    var at = home(connection)
    while entries[at].value != nil, entries[at].connection != connection { at = (at + 1) & mask }
    let isNew = entries[at].value == nil
    entries[at] = Entry(connection: connection, value: value)
    return isNew
  }

  private mutating func grow() {
    let old = entries
    entries = ContiguousArray(repeating: Entry(), count: old.count * 2)
    for entry in old {
      if let value = entry.value { put(value, entry.connection) }
    }
  }

  mutating func remove(_ connection: ConnectionID) {
    latest = nil
    let mask = entries.count - 1
    var hole = home(connection)
    while entries[hole].value != nil, entries[hole].connection != connection {
      hole = (hole + 1) & mask
    }
    guard entries[hole].value != nil else { return }
    count -= 1
    // Moves later entries of the run back, so that no search stops early at the hole.
    var probe = (hole + 1) & mask
    while entries[probe].value != nil {
      let home = home(entries[probe].connection)
      if (probe - home) & mask >= (probe - hole) & mask {
        entries.swapAt(hole, probe)
        hole = probe
      }
      probe = (probe + 1) & mask
    }
    entries[hole].value = nil
  }
}
