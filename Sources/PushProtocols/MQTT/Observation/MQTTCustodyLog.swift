import Custody
import Timeline
import Wire

/// The custody events of one delivery, small and in one piece: most deliveries have three, and a
/// capture of a gigabyte has a million deliveries.
struct MQTTCustodyLog {
  private struct Kind: BitwiseCopyable {
    var step = CustodyEvent.Step.submitted
    var holder = CustodyEvent.Holder.nobody
    /// Of `usual`, or behind them of `notes`.
    var note: UInt16 = 0
  }

  private struct Entry: BitwiseCopyable {
    var time: Instant
    var frame: UInt32
    /// 0: none.
    var session: UInt32
    var kind: Kind
  }

  /// What few deliveries have.
  private struct More {
    var entries: [Entry] = []
    var notes: [String] = []
  }

  // The first ones, by their parts: as entries they would have holes.
  private var times = InlineArray<3, Instant>(repeating: .start)
  private var frames = InlineArray<3, UInt32>(repeating: 0)
  private var sessions = InlineArray<3, UInt32>(repeating: 0)
  private var kinds = InlineArray<3, Kind>(repeating: Kind())
  private var size: UInt32 = 0
  /// One of them, or none: in less memory than an optional one.
  private var more: [More] = []

  private static let firsts = 3

  var count: Int { Int(size) }

  mutating func append(
    _ step: CustodyEvent.Step, _ moment: Moment, in session: SessionID?,
    holder: CustodyEvent.Holder, _ text: String
  ) {
    let kind = Kind(step: step, holder: holder, note: text.isEmpty ? 0 : code(of: text))
    if count < Self.firsts {
      times[count] = moment.time
      frames[count] = moment.frame
      sessions[count] = session?.number ?? 0
      kinds[count] = kind
    } else {
      if more.isEmpty { more.append(More()) }
      more[0].entries.append(
        Entry(
          time: moment.time, frame: moment.frame, session: session?.number ?? 0, kind: kind))
    }
    size += 1
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
    case 6: identifierTaken
    case 7: goesOn
    case _: nil
    }
  }

  private static let usualCount: UInt16 = 8

  // Of every delivery that is given up.
  static let identifierTaken = "its packet identifier was given to another message"
  static let goesOn = "the resumed connection goes on with newer messages"

  private mutating func code(of text: String) -> UInt16 {
    switch text {
    case "PUBACK": return 1
    case "PUBREC": return 2
    case "PUBREL": return 3
    case "PUBCOMP": return 4
    case "DUP": return 5
    case Self.identifierTaken: return 6
    case Self.goesOn: return 7
    case _: break
    }
    if more.isEmpty { more.append(More()) }
    let count = more[0].notes.count
    if count == 0 || more[0].notes[count - 1] != text,
      count < Int(UInt16.max - Self.usualCount)
    {
      more[0].notes.append(text)
    }
    return Self.usualCount + UInt16(more[0].notes.count - 1)
  }

  // MARK: Reading

  private func entry(_ index: Int) -> Entry {
    if index >= Self.firsts { return more[0].entries[index - Self.firsts] }
    return Entry(
      time: times[index], frame: frames[index], session: sessions[index], kind: kinds[index])
  }

  private func step(_ index: Int) -> CustodyEvent.Step {
    index < Self.firsts ? kinds[index].step : more[0].entries[index - Self.firsts].kind.step
  }

  private func event(_ index: Int) -> CustodyEvent {
    let entry = entry(index)
    return CustodyEvent(
      entry.kind.step, RecordedMoment(time: entry.time, frame: entry.frame),
      session: entry.session == 0 ? nil : SessionID(entry.session), holder: entry.kind.holder,
      note: Self.usual(entry.kind.note)
        ?? more[0].notes[Int(entry.kind.note - Self.usualCount)])
  }

  /// In the order in which they were noted.
  var events: [CustodyEvent] { (0..<count).map(event) }

  /// The first event of a kind.
  func first(_ step: CustodyEvent.Step) -> CustodyEvent? {
    (0..<count).first { self.step($0) == step }.map(event)
  }

  /// In the order of the capture: an expiry is noticed late.
  var eventsInOrder: [CustodyEvent] {
    events.enumerated().sorted { a, b in
      (a.element.moment.time, a.offset) < (b.element.moment.time, b.offset)
    }.map(\.element)
  }
}
