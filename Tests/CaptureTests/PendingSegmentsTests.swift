import Testing
import Timeline
import Wire

@testable import Capture

/// What waits behind a hole, and lines of connections that wait: thousands of entries, none of
/// which may cost as much as all.
@Suite struct PendingSegmentsTests {
  private func segment(_ offset: Int64, _ count: Int) -> PendingSegments.Segment {
    PendingSegments.Segment(
      offset: offset, bytes: [UInt8](repeating: 1, count: count), wireLength: count,
      moment: Moment(time: .start, frame: 1))
  }

  @Test func `what is put in and taken off stays in order, whatever came first`() {
    var pending = PendingSegments()
    var expected: [Int64] = []
    var state: UInt32 = 7
    for _ in 0..<3000 {
      state = state &* 1_664_525 &+ 1_013_904_223
      if state >> 30 == 0, !expected.isEmpty {
        let count = min(expected.count, 1 + Int(state >> 8 & 3))
        pending.removeFirst(count)
        expected.removeFirst(count)
      } else {
        let offset = Int64(state >> 8 & 0xFFFF) * 2
        if expected.contains(offset) { continue }
        let index = pending.index(endingAfter: offset)
        #expect(index == expected.count { $0 < offset })
        pending.insert(segment(offset, 1), at: index)
        expected.insert(offset, at: index)
      }
      #expect(pending.count == expected.count)
      #expect(pending.first?.offset == expected.first)
      #expect(pending.last?.offset == expected.last)
    }
    #expect((0..<pending.count).map { pending[$0].offset } == expected)
    pending.removeFirst(pending.count)
    #expect(pending.isEmpty && pending.cost == 0)
  }

  @Test func `a line of connections lets go of those that are gone`() {
    var line = WaitingLine()
    for slot in 0..<100 { line.append(ConnectionID(UInt32(slot)), slot, until: .never) }
    for _ in 0..<10 { _ = line.popFirst() }
    line.removeAll { slot, _ in slot % 2 == 0 }
    #expect(line.count == 45)
    #expect(line.popFirst()?.slot == 11)
  }

  @Test func `a segment over many held ones is told once`() {
    var talk = Conversation()
    talk.handshake()
    let letters = Array("CDEFGHIJ")
    for (index, letter) in letters.enumerated() {
      talk.client(seq: 3 + index, ack: 1, String(letter))
    }
    talk.client(seq: 3, ack: 1, String(letters))
    #expect(talk.sink.lines.last?.hasSuffix("> again 2+8") == true)
    #expect(talk.sink.lines.count == 3)
  }

  @Test func `an end that was counted from a guessed beginning moves along with it`() {
    var talk = Conversation()
    // An acknowledgement, then a FIN of the side it is for, then the data in front of that FIN.
    talk.server(seq: 50, ack: 101)
    talk.client(.fin, seq: 104, ack: 50)
    talk.client(seq: 100, ack: 50, "ABCD")
    talk.server(seq: 50, ack: 105)
    #expect(talk.sink.lines.contains { $0.hasSuffix("> 0 'ABCD'") })
    #expect(talk.sink.lines.contains { $0.hasSuffix("> finished 4") })
  }
}
