import Testing
import Wire

@testable import PushProtocols

/// The tables that observers keep against a dictionary that does the same.
@Suite struct ObservationTablesTests {
  private final class Thing {}

  private struct Dice {
    var state: UInt64 = 7
    mutating func roll(_ limit: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % limit
    }
  }

  @Test(arguments: [40, 3000])
  func `packet identifiers are found after any insertions and removals`(_ range: Int) {
    var dice = Dice()
    var table = MQTTPacketIDTable<Thing>()
    var model: [UInt16: Thing] = [:]
    for _ in 0..<20_000 {
      let id = UInt16(truncatingIfNeeded: 65_000 + dice.roll(range))
      if dice.roll(2) == 0 {
        let thing = Thing()
        table[id] = thing
        model[id] = thing
      } else {
        #expect(table.remove(id) == (model.removeValue(forKey: id) != nil))
      }
      #expect(table[id] === model[id] && table.count == model.count)
    }
    let inOrder = model.keys.sorted().map { ObjectIdentifier(model[$0]!) }
    #expect(table.valuesInOrder.map { ObjectIdentifier($0) } == inOrder)
  }

  @Test func `connections are found after any insertions and removals`() {
    var dice = Dice()
    var table = ConnectionTable<Int>()
    var model: [ConnectionID: Int] = [:]
    for step in 0..<20_000 {
      let connection = ConnectionID(UInt32(dice.roll(500)))
      if dice.roll(2) == 0 {
        table[connection] = step
        model[connection] = step
      } else {
        table.remove(connection)
        model[connection] = nil
      }
      #expect(table[connection] == model[connection] && table.count == model.count)
      // Asked for again and again, whatever happens to it in between.
      #expect(table.repeated(ConnectionID(7)) == model[ConnectionID(7)])
    }
    #expect(table.keysInOrder == model.keys.sorted())
  }

  @Test func `the last acknowledged of an identifier is remembered, up to a limit`() {
    var memory = MQTTAcknowledgedMemory()
    func delivery(_ id: UInt16) -> MQTTDelivery {
      let delivery = MQTTDelivery(
        publication: nil, topic: "t", content: MQTTContent([1]), qos: .atLeastOnce,
        claim: .possible, to: MQTTAddressee(name: "s", tally: 0))
      delivery.packetID = id
      return delivery
    }
    let first = delivery(1)
    let second = delivery(1)
    memory.add(first, limit: 3)
    memory.add(second, limit: 3)
    #expect(memory.object(1) === second)
    for id in 2...4 { memory.add(delivery(UInt16(id)), limit: 3) }
    #expect(memory.object(1) == nil && memory.object(4) != nil)
    memory.remove(4)
    #expect(memory.object(4) == nil)
  }

  @Test func `many things are looked at in turn, so many each time`() {
    let most = LookedAfter<Int>.most
    var things = LookedAfter<Int>()
    let count = 3 * most
    for thing in 0..<count { things.append(thing) }
    // All that are new.
    things.lookAt { _ in true }
    #expect(things.count == count)
    var seen: [Int] = []
    for _ in 0..<3 {
      var looks = 0
      things.lookAt { thing in
        looks += 1
        seen.append(thing)
        return thing % 2 == 0
      }
      #expect(looks == most)
    }
    #expect(seen == Array(0..<count))
    #expect(things.count == count / 2)
    for _ in 0..<3 { things.lookAt { _ in false } }
    #expect(things.count == 0)
  }

  @Test func `what is over does not pile up, however much comes in`() {
    var things = LookedAfter<Int>()
    var most = 0
    for round in 0..<50 {
      for thing in 0..<10_000 { things.append(round * 10_000 + thing) }
      things.lookAt { $0 % 100 == 0 }
      most = max(most, things.count)
    }
    #expect(most < 50 * 100 + 10_000)
  }

  @Test func `good topics are numbered, up to a limit of their letters`() {
    let topics = MQTTGoodTopics()
    func number(_ topic: [UInt8]) -> UInt32? {
      unsafe topic.withUnsafeBytes { unsafe topics.number(of: $0) }
    }
    let first = number(Array("t/x".utf8))
    #expect(first != nil && number(Array("t/x".utf8)) == first)
    #expect(first.map(topics.text) == "t/x")
    for bad in ["", "t/#", "a+b", "a\0"] { #expect(number(Array(bad.utf8)) == nil, "\(bad)") }
    var long = [UInt8](repeating: UInt8(ascii: "x"), count: 65_535)
    var numbered = 0
    for index in 0..<100 {
      long[0] = UInt8(ascii: "0") + UInt8(index % 10)
      long[1] = UInt8(ascii: "0") + UInt8(index / 10)
      if number(long) != nil { numbered += 1 }
    }
    #expect(numbered == 64)
    #expect(number(Array("t/x".utf8)) == first)
  }
}
