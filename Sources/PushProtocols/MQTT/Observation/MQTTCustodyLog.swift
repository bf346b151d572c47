import Custody
import Timeline
import Wire

/// The custody events of one delivery, small and in one piece: most deliveries have three, and a
/// capture of a gigabyte has a million deliveries.
struct MQTTCustodyLog {
  private struct Entry: BitwiseCopyable {
    var time = Instant.start
    var frame: UInt32 = 0
    /// 0: none.
    var session: UInt32 = 0
    var step = CustodyEvent.Step.submitted
    var holder = CustodyEvent.Holder.nobody
    /// Of `usual`, or behind them of `notes`.
    var note: UInt16 = 0
  }

  private var first = Entry()
  private var second = Entry()
  private var third = Entry()
  private var rest: [Entry] = []
  private var notes: [String] = []
  private(set) var count = 0

  mutating func append(
    _ step: CustodyEvent.Step, _ moment: Moment, in session: SessionID?,
    holder: CustodyEvent.Holder, _ text: String
  ) {
    let entry = Entry(
      time: moment.time, frame: moment.frame, session: session?.number ?? 0, step: step,
      holder: holder, note: text.isEmpty ? 0 : code(of: text))
    switch count {
    case 0: first = entry
    case 1: second = entry
    case 2: third = entry
    case _: rest.append(entry)
    }
    count += 1
  }

  // MARK: Notes

  /// What is noted of nearly every delivery; the empty one first.
  private static func usual(_ code: UInt16) -> String? {
    switch code {
    case 0: ""
    case 1: "PUBACK"
    case 2: "PUBREC"
    case 3: "PUBREL"
    case 4: "PUBCOMP"
    case 5: "DUP"
    case _: nil
    }
  }

  private static let usualCount: UInt16 = 6

  private mutating func code(of text: String) -> UInt16 {
    switch text {
    case "PUBACK": return 1
    case "PUBREC": return 2
    case "PUBREL": return 3
    case "PUBCOMP": return 4
    case "DUP": return 5
    case _: break
    }
    if notes.last != text, notes.count < Int(UInt16.max - Self.usualCount) { notes.append(text) }
    return Self.usualCount + UInt16(notes.count - 1)
  }

  // MARK: Reading

  private func entry(_ index: Int) -> Entry {
    switch index {
    case 0: first
    case 1: second
    case 2: third
    case _: rest[index - 3]
    }
  }

  private func event(_ index: Int) -> CustodyEvent {
    let entry = entry(index)
    return CustodyEvent(
      entry.step, RecordedMoment(time: entry.time, frame: entry.frame),
      session: entry.session == 0 ? nil : SessionID(entry.session), holder: entry.holder,
      note: Self.usual(entry.note) ?? notes[Int(entry.note - Self.usualCount)])
  }

  /// In the order in which they were noted.
  var events: [CustodyEvent] { (0..<count).map(event) }

  /// The first event of a kind.
  func first(_ step: CustodyEvent.Step) -> CustodyEvent? {
    (0..<count).first { entry($0).step == step }.map(event)
  }

  /// In the order of the capture: an expiry is noticed late.
  var eventsInOrder: [CustodyEvent] {
    events.enumerated().sorted { a, b in
      (a.element.moment.time, a.offset) < (b.element.moment.time, b.offset)
    }.map(\.element)
  }
}
