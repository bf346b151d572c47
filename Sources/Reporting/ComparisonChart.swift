public import Comparison
internal import Simulation
internal import Timeline

/// A comparison as a picture: one small chart for each measure, a bar for each machine, and the
/// lowest and highest of single seeds as a whisker across its end. An SVG 1.1 file that needs
/// nothing else, in light and in dark.
public enum ComparisonChart {
  private static let columns = 3
  private static let panelWidth = 304
  private static let gap = 16
  private static let margin = 24
  private static let barHeight = 18
  private static let barStep = 24
  /// Room for the number behind the longest bar.
  private static let numberWidth = 132
  private static var width: Int { margin * 2 + panelWidth * columns + gap * (columns - 1) }

  public static func svg(_ comparison: Comparison) -> String {
    let labels = Contestant.labels(of: comparison.results.map(\.contestant))
    var body: [String] = []
    var y = margin + 18
    let title = "\(comparison.subject.name): " + labels.joined(separator: ", ")
    body.append(text(title, x: margin, y: y, "ink title"))
    for line in subtitle(comparison) {
      y += 18
      body.append(text(line, x: margin, y: y, "faint small"))
    }
    y += 24
    body += legend(labels, y: y)
    y += 22
    for part in Measure.Part.allCases {
      let rows = comparison.rows.filter { $0.measure.part == part && !$0.isZero }
      guard !rows.isEmpty else { continue }
      y += 22
      body.append(text(ComparisonText.heading(of: part), x: margin, y: y, "ink part"))
      y += 12
      for (index, row) in rows.enumerated() {
        let column = index % columns
        body += panel(row, x: margin + column * (panelWidth + gap), y: y)
        if column == columns - 1 || index == rows.count - 1 {
          y += panelHeight(labels.count) + gap
        }
      }
    }
    return document(body, height: y + 8)
  }

  private static func subtitle(_ comparison: Comparison) -> [String] {
    let settings = comparison.settings
    return [
      "\(TerminalNumber.counted(settings.seeds.count, "seed")) × "
        + "\(TerminalNumber.counted(settings.executions, "scenario")), the same for all, each run "
        + "for \(settings.day.length). Whiskers: lowest and highest of single seeds.",
      "Radio: a model, on for \(settings.radio.tail) after each transmission and reception.",
    ]
  }

  private static func legend(_ labels: [String], y: Int) -> [String] {
    var x = margin
    var parts: [String] = []
    for (index, label) in labels.enumerated() {
      parts.append(rectangle(x: x, y: y - 11, width: 12, height: 12, "bar\(index % 4)"))
      parts.append(text(label, x: x + 18, y: y, "ink"))
      x += 18 + label.count * 8 + 24
    }
    return parts
  }

  private static func panelHeight(_ bars: Int) -> Int { 26 + bars * barStep }

  private static func panel(_ row: ComparisonRow, x: Int, y: Int) -> [String] {
    var parts = [text(row.measure.title, x: x, y: y + 16, "ink")]
    let longest = row.cells.flatMap { [$0.value ?? 0, $0.highest ?? 0] }.max() ?? 0
    let room = Double(panelWidth - numberWidth)
    func length(_ value: Double) -> Int {
      longest > 0 ? Int((value / longest * room).rounded()) : 0
    }
    for (index, cell) in row.cells.enumerated() {
      let top = y + 26 + index * barStep
      let middle = top + barHeight / 2
      let bar = length(cell.value ?? 0)
      parts.append(
        rectangle(x: x, y: top, width: max(bar, 1), height: barHeight, "bar\(index % 4)"))
      var end = bar
      if let lowest = cell.lowest, let highest = cell.highest, lowest < highest {
        let (from, to) = (x + length(lowest), x + length(highest))
        parts.append(line(from, middle, to, middle))
        parts.append(line(from, middle - 5, from, middle + 5))
        parts.append(line(to, middle - 5, to, middle + 5))
        end = max(bar, to - x)
      }
      let number = cell.value.map { MeasureNumber.text($0, row.measure.unit) } ?? "–"
      parts.append(text(number, x: x + end + 8, y: middle + 5, "ink"))
    }
    return parts
  }

  // MARK: - SVG

  private static func document(_ body: [String], height: Int) -> String {
    let style = """
      text { font: 13px system-ui, sans-serif } .title { font-size: 18px; font-weight: 600 }
      .part { font-size: 12px; font-weight: 600; letter-spacing: 0.06em } .small { font-size: 12px }
      .paper { fill: #ffffff } .ink { fill: #1d1d1f } .faint { fill: #5c5c63 }
      .whisker { stroke: #1d1d1f; stroke-width: 1.5 }
      .bar0 { fill: #7fa7dd } .bar1 { fill: #ec9a5c }
      .bar2 { fill: #83bd78 } .bar3 { fill: #b495d2 }
      @media (prefers-color-scheme: dark) {
        .paper { fill: #1c1c1f } .ink { fill: #f2f2f4 } .faint { fill: #a9a9b2 }
        .whisker { stroke: #f2f2f4 }
        .bar0 { fill: #3d6fb3 } .bar1 { fill: #b0602a }
        .bar2 { fill: #45803c } .bar3 { fill: #7a56a0 }
      }
      """
    let root =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\" "
      + "viewBox=\"0 0 \(width) \(height)\" role=\"img\">"
    let paper = rectangle(x: 0, y: 0, width: width, height: height, "paper")
    return ([root, "<style>", style, "</style>", paper] + body + ["</svg>"])
      .joined(separator: "\n") + "\n"
  }

  private static func rectangle(
    x: Int, y: Int, width: Int, height: Int, _ kind: String
  ) -> String {
    "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(height)\" class=\"\(kind)\"/>"
  }

  private static func line(_ x1: Int, _ y1: Int, _ x2: Int, _ y2: Int) -> String {
    "<line x1=\"\(x1)\" y1=\"\(y1)\" x2=\"\(x2)\" y2=\"\(y2)\" class=\"whisker\"/>"
  }

  private static func text(_ text: String, x: Int, y: Int, _ kind: String) -> String {
    "<text x=\"\(x)\" y=\"\(y)\" class=\"\(kind)\">\(escaped(text))</text>"
  }

  static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}
