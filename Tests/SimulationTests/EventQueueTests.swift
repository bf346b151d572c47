import Custody
@testable import Simulation
import Testing
import Timeline

@Suite struct EventQueueTests {
  /// What a list that is sorted anew each time would do.
  private struct Plain {
    var events: [(time: UInt64, order: UInt32, mark: UInt16)] = []
    mutating func pop() -> UInt16 {
      events.sort { ($0.time, $0.order) < ($1.time, $1.order) }
      return events.removeFirst().mark
    }
  }

  private func event(_ mark: UInt16) -> Event<ToyMessage> {
    Event(.connected, device: .server, link: LinkID(mark))
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `events come by time, then in the order in which they were pushed`(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var queue = EventQueue<ToyMessage>()
    var plain = Plain()
    for mark in 0..<UInt16(3000) {
      // Few different times, so that many are equal; more pushes than pops, so that it grows.
      let time = UInt64(random.below(40))
      plain.events.append((time, queue.nextOrder, mark))
      queue.push(event(mark), at: Instant(nanoseconds: time))
      if random.chance(2, in: 3) { #expect(queue.pop().link.index == plain.pop()) }
    }
    while queue.count > 0 { #expect(queue.pop().link.index == plain.pop()) }
    #expect(plain.events.isEmpty)
    #expect(queue.nextTime == .never)
  }

  @Test func `an event that is put back keeps its place among those of its new time`() {
    var queue = EventQueue<ToyMessage>()
    let place = queue.reservePlace()
    queue.push(event(1), at: .start + .seconds(1))
    queue.push(event(2), at: .start + .seconds(1), order: place)
    #expect(queue.pop().link.index == 2)
    #expect(queue.pop().link.index == 1)
  }

  @Test func `what waits for ever is released in its order, among what is due then`() {
    var queue = EventQueue<ToyMessage>()
    queue.push(event(1), at: .start + .seconds(9))
    queue.push(event(2), at: .never)
    queue.push(event(3), at: .start + .seconds(5))
    queue.push(event(4), at: .never)
    queue.push(event(5), at: .start + .seconds(5))
    queue.release(at: .start + .seconds(5))
    var marks: [UInt16] = []
    while queue.count > 0 { marks.append(queue.pop().link.index) }
    #expect(marks == [2, 3, 4, 5, 1])
  }
}
