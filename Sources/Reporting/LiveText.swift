public import Custody
public import Timeline

/// What happens in a capture while it is made, one line each.
public enum LiveText {
  /// - Parameter began: time of the first packet.
  public static func line(
    _ event: LiveEvent, began: Instant, style: TerminalStyle = .plain
  ) -> String {
    let time = padded(since(began, event.moment).seconds3, to: 10)
    let (word, ink) = word(event.kind)
    let gap = String(repeating: " ", count: max(1, 15 - word.count))
    var parts: [String] = []
    if let session = event.session { parts.append("session \(session.number)") }
    if let connection = event.connection { parts.append("connection \(connection)") }
    if !event.subscriber.isEmpty { parts.append(event.subscriber) }
    let who = parts.joined(separator: " ")
    let text = who.isEmpty ? event.text : "\(who)  \(event.text)"
    let painted = ink.map { style.paint(word, $0) } ?? word
    return "\(time)  \(painted)\(gap)\(text)\n"
  }

  /// One JSON object, with the names that `docs/inspect-json.md` explains.
  public static func json(_ event: LiveEvent, began: Instant) -> String {
    JSONText.line(
      .object([
        ("event", .string(event.kind.rawValue)),
        ("time", InspectionJSON.seconds(since(began, event.moment).count)),
        ("frame", InspectionJSON.frame(event.moment.frame)),
        ("session", event.session.map { .unsigned(UInt64($0.number)) } ?? .null),
        ("connection", event.connection.map { .unsigned(UInt64($0)) } ?? .null),
        ("subscriber", event.subscriber.isEmpty ? .null : .string(event.subscriber)),
        ("delivery", event.delivery.map { .unsigned(UInt64($0.number)) } ?? .null),
        ("text", .string(event.text)),
      ])) + "\n"
  }

  private static func since(_ began: Instant, _ moment: RecordedMoment) -> Nanoseconds {
    moment.time > began ? moment.time - began : .zero
  }

  private static func padded(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  private static func word(_ kind: LiveEvent.Kind) -> (String, TerminalStyle.Ink?) {
    switch kind {
    case .sessionOpened: ("opened", nil)
    case .sessionClosed: ("closed", nil)
    case .unacknowledged: ("UNACKNOWLEDGED", .doubtful)
    case .acknowledgedLate: ("acknowledged", .good)
    case .ghost: ("GHOST", .bad)
    case .lost: ("LOST", .bad)
    case .zombie: ("ZOMBIE", .bad)
    case .packetsDropped: ("DROPPED", .doubtful)
    case .connectionOpened: ("opened", nil)
    case .connectionClosed: ("closed", nil)
    case .clientSilent: ("SILENT", .doubtful)
    }
  }
}
