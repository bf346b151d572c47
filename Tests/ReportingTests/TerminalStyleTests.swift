import Testing

@testable import Reporting

@Suite struct TerminalStyleTests {
  @Test func `colours need a terminal and no NO_COLOR`() {
    #expect(TerminalStyle(isTerminal: true, noColor: false).usesColour)
    #expect(!TerminalStyle(isTerminal: true, noColor: true).usesColour)
    #expect(!TerminalStyle(isTerminal: false, noColor: false).usesColour)
  }

  @Test func `paint adds nothing without colours, nor to nothing`() {
    let colourful = TerminalStyle(isTerminal: true, noColor: false)
    #expect(colourful.paint("lost", .bad) == "\u{1B}[1;31mlost\u{1B}[0m")
    #expect(colourful.paint("", .bad) == "")
    #expect(TerminalStyle.plain.paint("lost", .bad) == "lost")
  }

  @Test func `the width is the terminal's, assumed without one, and never absurd`() {
    #expect(TerminalStyle(isTerminal: true, noColor: false, columns: 132).width == 132)
    #expect(TerminalStyle(isTerminal: true, noColor: false, columns: 0).width == 100)
    #expect(TerminalStyle(isTerminal: true, noColor: false, columns: 3).width == 40)
    #expect(TerminalStyle(isTerminal: false, noColor: false, columns: 132).width == 100)
  }

  @Test(arguments: [
    ("plain", 5), ("\u{1B}[1;31mred\u{1B}[0m", 3), ("broker → gk", 11), ("電池", 4), ("é", 1),
    ("", 0),
  ])
  func `columns count what is seen`(text: String, columns: Int) {
    #expect(TerminalStyle.columns(of: text) == columns)
  }

  @Test func `cutting keeps to the limit and shows that it cut`() {
    #expect(TerminalStyle.cut("subscriber", to: 10) == "subscriber")
    #expect(TerminalStyle.cut("subscriber", to: 6) == "subsc…")
    #expect(TerminalStyle.cut("電池電池", to: 4) == "電…")
    #expect(TerminalStyle.cut("subscriber", to: 0) == "")
  }

  @Test func `wrapping breaks at spaces, indents, and leaves a long word whole`() {
    let narrow = TerminalStyle(isTerminal: true, noColor: true, columns: 40)
    let word = String(repeating: "x", count: 50)
    #expect(
      narrow.wrap("Four were sent to a client that had stopped reading \(word) end", indent: 2) == [
        "  Four were sent to a client that had", "  stopped reading", "  " + word, "  end",
      ])
    #expect(narrow.wrap("") == [])
  }
}
