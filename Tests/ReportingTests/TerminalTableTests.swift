import Testing

@testable import Reporting

@Suite struct TerminalTableTests {
  private func sessions() -> TerminalTable {
    var table = TerminalTable([
      .init("subscriber", narrowest: 6), .init("sent", .right), .init("end", narrowest: 8),
    ])
    table.append(["gk", .init(12), "reset by the client's host"])
    table.append(["a-very-long-client-identifier", .init(1_234_567, .bad), ""])
    return table
  }

  @Test func `numbers stand to the right, and no line ends with a space`() {
    #expect(
      sessions().lines() == [
        " subscriber                          sent  end",
        " gk                                    12  reset by the client's host",
        " a-very-long-client-identifier  1,234,567",
      ])
  }

  @Test func `a narrow terminal cuts the columns that may be cut, the widest first`() {
    let lines = sessions().lines(TerminalStyle(isTerminal: true, noColor: true, columns: 50))
    #expect(
      lines == [
        " subscriber               sent  end",
        " gk                         12  reset by the clie…",
        " a-very-long-clien…  1,234,567",
      ])
    for line in lines { #expect(TerminalStyle.columns(of: line) <= 50) }
  }

  @Test func `what may not be cut overhangs rather than lies`() {
    var table = TerminalTable([.init("count", .right)])
    table.append([.init(String(repeating: "9", count: 60))])
    #expect(table.lines(TerminalStyle(isTerminal: true, noColor: true, columns: 40))[1].count == 61)
  }

  @Test func `ink does not move the columns`() {
    let colourful = TerminalStyle(isTerminal: true, noColor: false, columns: 100)
    let plain = sessions().lines()
    for (painted, bare) in zip(sessions().lines(colourful), plain) {
      #expect(TerminalStyle.columns(of: painted) == TerminalStyle.columns(of: bare))
    }
    #expect(sessions().lines(colourful)[2].contains("\u{1B}[1;31m1,234,567\u{1B}[0m"))
  }
}
