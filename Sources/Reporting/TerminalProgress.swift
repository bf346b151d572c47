public import Timeline

/// The one line that tells how a long job is doing: bar, rate, findings so far.
///
/// It asks no clock and writes nothing itself: `update` gets the time and returns what to write, or
/// `nil`. It stays silent for the first two seconds (a short job needs no bar), between redraws,
/// and for ever when the text does not go to a terminal.
public struct TerminalProgress: Sendable {
  /// When the job is done.
  public enum Goal: Sendable {
    case count(UInt64)
    case time(Nanoseconds)
    /// Until somebody stops it: no bar, no estimate.
    case open
  }

  public static let silence = Nanoseconds.seconds(2)
  public static let redraw = Nanoseconds.milliseconds(100)

  public let style: TerminalStyle
  public let goal: Goal
  /// What is counted, in the plural: `executions`.
  public let unit: String
  private let started: Instant
  private var drawnAt: Instant?

  public init(style: TerminalStyle, goal: Goal, unit: String, started: Instant) {
    self.style = style
    self.goal = goal
    self.unit = unit
    self.started = started
  }

  /// What to write to the terminal now, cursor movement included.
  public mutating func update(at now: Instant, done: UInt64, findings: Int) -> String? {
    guard style.isTerminal, now - started >= Self.silence else { return nil }
    if let drawnAt, now - drawnAt < Self.redraw { return nil }
    drawnAt = now
    return Self.erase + line(at: now, done: done, findings: findings)
  }

  /// What clears the line again; `nil` when none was drawn. To be written before anything else.
  public mutating func clear() -> String? {
    guard drawnAt != nil else { return nil }
    drawnAt = nil
    return Self.erase
  }

  /// Back to the first column, erase to the end of the line (ECMA-48 §8.3.41).
  static let erase = "\r\u{1B}[K"

  /// The line itself:
  /// `[#####...............]  25%  12,000 executions  1.2k/s  3 findings  12 s left`.
  func line(at now: Instant, done: UInt64, findings: Int) -> String {
    let elapsed = now - started
    var parts: [String] = []
    if let share = share(elapsed, done) {
      let filled = Int(share * 20)
      parts.append(
        "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
          + "] " + Self.padded("\(Int(share * 100))%", to: 4))
    }
    parts.append("\(TerminalNumber.grouped(done)) \(unit)")
    parts.append("\(TerminalNumber.short(Self.perSecond(done, elapsed)))/s")
    let count = TerminalNumber.counted(findings, "finding")
    parts.append(style.paint(count, findings > 0 ? .bad : .good))
    if let share = share(elapsed, done), share > 0, share < 1 {
      let left = Double(elapsed.count) * (1 - share) / share
      // Far-off ends are guesses that help nobody.
      if left < 360_000e9 { parts.append("\(Self.remaining(UInt64(left / 1e9))) left") }
    }
    // Parts are dropped from the end rather than wrapped: a second line could not be erased.
    while parts.count > 1, TerminalStyle.columns(of: parts.joined(separator: "  ")) >= style.width {
      parts.removeLast()
    }
    return parts.joined(separator: "  ")
  }

  /// How much of the goal is reached, 0…1.
  private func share(_ elapsed: Nanoseconds, _ done: UInt64) -> Double? {
    switch goal {
    case .count(let all): min(1, Double(done) / Double(max(all, 1)))
    case .time(let all): min(1, Double(elapsed.count) / Double(max(all.count, 1)))
    case .open: nil
    }
  }

  static func perSecond(_ done: UInt64, _ elapsed: Nanoseconds) -> UInt64 {
    let rate = Double(done) * 1e9 / Double(max(elapsed.count, 1))
    return rate < Double(UInt64.max) ? UInt64(rate) : .max
  }

  static func remaining(_ seconds: UInt64) -> String {
    switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    default: "\(seconds / 3600) h"
    }
  }

  private static func padded(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
