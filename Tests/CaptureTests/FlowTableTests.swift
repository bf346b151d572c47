import Testing

@testable import Capture

@Suite struct FlowTableTests {
  private func key(_ number: Int) -> FlowKey {
    FlowKey(
      first: IPAddress(high: 0, low: UInt64(number / 100)),
      second: IPAddress(high: 0, low: 7), firstPort: UInt16(number % 100), secondPort: 1883)
  }

  @Test func `every key is found after insertions and removals in any order`() {
    var table = FlowTable()
    let keys = (0..<5000).map { key($0) }
    for (slot, key) in keys.enumerated() { table.insert(table.hash(key), slot: slot) }
    for slot in stride(from: 0, to: 5000, by: 3) {
      table.remove(table.hash(keys[slot]), slot: slot)
    }
    for (slot, key) in keys.enumerated() {
      let found = table.slot(table.hash(key)) { keys[$0] == key }
      #expect(found == (slot % 3 == 0 ? -1 : slot))
    }
    #expect(table.count == 5000 - 1667)
  }

  @Test func `equal hashes do not confuse two connections`() {
    var table = FlowTable()
    let keys = [key(1), key(2)]
    table.insert(99, slot: 0)
    table.insert(99, slot: 1)
    #expect(table.slot(99) { keys[$0] == key(2) } == 1)
    table.remove(99, slot: 0)
    #expect(table.slot(99) { keys[$0] == key(2) } == 1)
    #expect(table.slot(99) { keys[$0] == key(1) } == -1)
  }
}
