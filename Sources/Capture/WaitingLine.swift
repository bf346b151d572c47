import Timeline
import Wire

/// Connections in the order in which something is to be done with them.
struct WaitingLine {
  private var waiting: [(slot: Int, id: ConnectionID, until: Instant)] = [] {
    didSet { noteDue() }
  }
  private var head = 0 {
    didSet { noteDue() }
  }
  /// When there is something to do for the first of them; `never` when there is none.
  private var due = Instant.never

  private mutating func noteDue() {
    due = head < waiting.count ? waiting[head].until : .never
  }

  @inline(__always)
  func isDue(at now: Instant) -> Bool { due <= now && head < waiting.count }

  var isEmpty: Bool { head == waiting.count }
  var count: Int { waiting.count - head }

  mutating func removeAll() {
    waiting.removeAll(keepingCapacity: true)
    head = 0
  }

  mutating func removeAll(where isGone: (_ slot: Int, _ id: ConnectionID) -> Bool) {
    waiting.removeFirst(head)
    head = 0
    waiting.removeAll { isGone($0.slot, $0.id) }
  }

  mutating func append(_ id: ConnectionID, _ slot: Int, until: Instant) {
    waiting.append((slot, id, until))
  }

  mutating func popDue(at now: Instant) -> (slot: Int, id: ConnectionID)? {
    guard head < waiting.count, waiting[head].until <= now else { return nil }
    return popFirst()
  }

  mutating func popFirst() -> (slot: Int, id: ConnectionID)? {
    guard head < waiting.count else { return nil }
    let first = waiting[head]
    head += 1
    if head == waiting.count {
      waiting.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024, head * 2 >= waiting.count {
      waiting.removeFirst(head)
      head = 0
    }
    return (first.slot, first.id)
  }
}
