import Wire

/// Topics that break no rule, each kept once and known by a number: a PUBLISH to one of them needs
/// neither a look at its letters nor a new text.
@safe final class MQTTGoodTopics {
  @safe private struct Entry {
    var hash: UInt64
    var bytes: UnsafeMutableRawPointer
    var count: Int
    var text: String
  }

  private var entries: [Entry] = []
  /// Numbers plus one, at the places of their hashes; 0 where there is none.
  private var places = [UInt32](repeating: 0, count: 256)

  /// Beyond these, of topics and of their letters, new topics go without a number.
  private static let limit = (topics: 1 << 16, letters: 4 << 20)
  private var letters = 0

  deinit {
    for entry in entries { unsafe entry.bytes.deallocate() }
  }

  func text(_ number: UInt32) -> String { entries[Int(number)].text }

  /// Where its letters lie, as long as the table lives.
  func bytes(_ number: UInt32) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(
      start: entries[Int(number)].bytes, count: entries[Int(number)].count)
  }

  /// The number of a topic; `nil` for one that breaks a rule, or is one too many.
  func number(of topic: UnsafeRawBufferPointer) -> UInt32? {
    let bytes = unsafe topic.bytes
    let hash = MQTTContentHash.hash(bytes)
    var at = Int(truncatingIfNeeded: hash) & (places.count - 1)
    while places[at] != 0 {
      let number = places[at] - 1
      if entries[Int(number)].hash == hash, unsafe MQTTBytes.areSame(self.bytes(number), topic) {
        return number
      }
      at = (at + 1) & (places.count - 1)
    }
    guard entries.count < Self.limit.topics, letters + topic.count <= Self.limit.letters,
      topic.count > 0, MQTTText.problem(in: bytes) == nil, !MQTTText.hasWildcard(bytes)
    else { return nil }
    return unsafe add(topic, hash)
  }

  private func add(_ topic: UnsafeRawBufferPointer, _ hash: UInt64) -> UInt32 {
    let number = UInt32(entries.count)
    letters += topic.count
    let memory = UnsafeMutableRawPointer.allocate(byteCount: topic.count, alignment: 16)
    unsafe memory.copyMemory(from: topic.baseAddress!, byteCount: topic.count)
    unsafe entries.append(
      Entry(hash: hash, bytes: memory, count: topic.count, text: MQTTText.string(topic.bytes)))
    if entries.count * 2 > places.count {
      places = [UInt32](repeating: 0, count: places.count * 2)
      for index in entries.indices { put(UInt32(index)) }
    } else {
      put(number)
    }
    return number
  }

  private func put(_ number: UInt32) {
    var at = Int(truncatingIfNeeded: entries[Int(number)].hash) & (places.count - 1)
    while places[at] != 0 { at = (at + 1) & (places.count - 1) }
    places[at] = number + 1
  }
}

enum MQTTBytes {
  /// Eight at a time, the last eight once more.
  @inline(__always)
  static func areSame(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    let count = a.count
    guard count == b.count else { return false }
    guard count >= 8 else {
      for at in 0..<count where unsafe a[at] != b[at] { return false }
      return true
    }
    guard let a = a.baseAddress, let b = b.baseAddress else { return false }
    var at = 0
    while at < count {
      let place = min(at, count &- 8)
      if unsafe a.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        != b.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      {
        return false
      }
      at &+= 8
    }
    return true
  }
}
