/// A table of text: columns as wide as they must be, numbers to the right, never wider than told.
public struct TerminalTable: Sendable {
  public enum Alignment: Sendable { case left, right }

  public struct Column: Sendable {
    public var title: String
    public var alignment: Alignment
    /// The narrowest that it may be cut to when the table is too wide; `nil`: it stays whole.
    public var narrowest: Int?

    public init(_ title: String, _ alignment: Alignment = .left, narrowest: Int? = nil) {
      self.title = title
      self.alignment = alignment
      self.narrowest = narrowest
    }
  }

  /// A field of a row; its ink is applied after it was cut and padded.
  public struct Cell: Sendable, ExpressibleByStringLiteral {
    public var text: String
    public var ink: TerminalStyle.Ink?

    public init(_ text: String, _ ink: TerminalStyle.Ink? = nil) {
      self.text = text
      self.ink = ink
    }

    public init(_ number: some BinaryInteger, _ ink: TerminalStyle.Ink? = nil) {
      self.init(TerminalNumber.grouped(number), ink)
    }

    public init(stringLiteral value: String) { self.init(value) }
  }

  public let columns: [Column]
  public private(set) var rows: [[Cell]] = []
  /// Spaces before each line, and between two columns.
  public var indent = 1
  public var gap = 2

  public init(_ columns: [Column]) {
    precondition(!columns.isEmpty, "a table has columns")
    self.columns = columns
  }

  /// - Precondition: one cell for each column.
  public mutating func append(_ row: [Cell]) {
    precondition(row.count == columns.count, "\(row.count) cells for \(columns.count) columns")
    rows.append(row)
  }

  /// The title line and a line for each row, without trailing spaces and line ends.
  public func lines(_ style: TerminalStyle = .plain) -> [String] {
    let widths = fittingWidths(style.width)
    let titles = columns.map { Cell($0.title, .faint) }
    return ([titles] + rows).map { line($0, widths, style) }
  }

  /// The widths of the columns: what the texts need, less what has to be saved.
  func fittingWidths(_ limit: Int) -> [Int] {
    var widths = columns.indices.map { index in
      rows.reduce(TerminalStyle.columns(of: columns[index].title)) {
        max($0, TerminalStyle.columns(of: $1[index].text))
      }
    }
    var excess = indent + widths.reduce(0, +) + gap * (columns.count - 1) - limit
    // The widest column gives first, one column of text at a time, so that all end about even.
    while excess > 0 {
      let candidates = columns.indices.filter { index in
        columns[index].narrowest.map { widths[index] > max($0, 1) } ?? false
      }
      guard let widest = candidates.max(by: { widths[$0] < widths[$1] }) else { break }
      widths[widest] -= 1
      excess -= 1
    }
    return widths
  }

  private func line(_ row: [Cell], _ widths: [Int], _ style: TerminalStyle) -> String {
    var line = String(repeating: " ", count: indent)
    for (index, cell) in row.enumerated() {
      var text = cell.text
      var width = TerminalStyle.columns(of: text)
      if width > widths[index] {
        text = TerminalStyle.cut(text, to: widths[index])
        width = TerminalStyle.columns(of: text)
      }
      let painted = cell.ink.map { style.paint(text, $0) } ?? text
      let isLast = index == row.count - 1
      let padding = max(0, widths[index] - width)
      switch columns[index].alignment {
      case .left:
        line += painted
        if !isLast { line.append(spaces: padding) }
      case .right:
        line.append(spaces: padding)
        line += painted
      }
      if !isLast { line.append(spaces: gap) }
    }
    // An empty last cell would leave the gap before it at the end of the line.
    while line.last == " " { line.removeLast() }
    return line
  }
}

extension String {
  fileprivate mutating func append(spaces count: Int) {
    for _ in 0..<count { append(" ") }
  }
}
