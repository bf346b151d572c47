import Testing
import Timeline

@testable import Reporting

@Suite struct TerminalProgressTests {
  private let start = Instant(nanoseconds: 5_000_000_000)

  private func progress(
    _ goal: TerminalProgress.Goal, isTerminal: Bool = true, columns: Int = 100
  ) -> TerminalProgress {
    TerminalProgress(
      style: TerminalStyle(isTerminal: isTerminal, noColor: true, columns: columns),
      goal: goal, unit: "executions", started: start)
  }

  @Test func `nothing is drawn in the first two seconds`() {
    var progress = progress(.count(100))
    #expect(progress.update(at: start + .milliseconds(1999), done: 10, findings: 0) == nil)
    #expect(progress.clear() == nil)
    #expect(progress.update(at: start + .seconds(2), done: 10, findings: 0) != nil)
  }

  @Test func `nothing is ever drawn into a file`() {
    var progress = progress(.count(100), isTerminal: false)
    #expect(progress.update(at: start + .seconds(60), done: 10, findings: 0) == nil)
    #expect(progress.clear() == nil)
  }

  @Test func `it redraws ten times a second, and clears what it drew`() {
    var progress = progress(.count(100))
    #expect(progress.update(at: start + .milliseconds(3000), done: 1, findings: 0) != nil)
    #expect(progress.update(at: start + .milliseconds(3099), done: 2, findings: 0) == nil)
    #expect(progress.update(at: start + .milliseconds(3100), done: 3, findings: 0) != nil)
    #expect(progress.clear() == "\r\u{1B}[K")
    #expect(progress.clear() == nil)
  }

  @Test func `the line tells share, count, rate, findings and what is left`() {
    #expect(
      progress(.count(48_000)).line(at: start + .seconds(10), done: 12_000, findings: 3)
        == "[#####...............]  25%  12,000 executions  1.2k/s  3 findings  30 s left")
    #expect(
      progress(.time(.seconds(20))).line(at: start + .seconds(10), done: 7, findings: 1)
        == "[##########..........]  50%  7 executions  0/s  1 finding  10 s left")
  }

  @Test func `a goal that is reached or open has no estimate`() {
    #expect(
      progress(.count(10)).line(at: start + .seconds(4), done: 11, findings: 0)
        == "[####################] 100%  11 executions  2/s  0 findings")
    #expect(
      progress(.open).line(at: start + .seconds(4), done: 8, findings: 0)
        == "8 executions  2/s  0 findings")
  }

  @Test func `a narrow terminal loses the end of the line, never gains a second one`() {
    let line = progress(.count(48_000), columns: 50)
      .line(at: start + .seconds(10), done: 12_000, findings: 3)
    #expect(line == "[#####...............]  25%  12,000 executions")
  }
}
