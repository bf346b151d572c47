import Testing
import Timeline

@Suite struct TimeTextTests {
  @Test(arguments: [
    (Nanoseconds.zero, "0s"), (.milliseconds(42), "42ms"), (.milliseconds(1_200), "1.2s"),
    (.minutes(59), "59min"), (.hours(1), "1h"), (.seconds(90), "90s"), (.forever, "never"),
    (.init(1_000_000_001), "1.000000001s"), (.microseconds(250), "250us"), (.init(7), "7ns"),
  ])
  func `a length reads back as it was written`(length: Nanoseconds, text: String) {
    #expect(length.description == text)
    #expect(Nanoseconds(text: text) == length)
  }

  @Test(arguments: ["", "12", "s", "1.s", "1.2", "1m", "-1s", "1,5s", "1.0000000001s"])
  func `text that is no length is refused`(text: String) {
    #expect(Nanoseconds(text: text) == nil)
  }

  @Test func `arithmetic saturates at both ends`() {
    #expect(Instant.start - Nanoseconds.seconds(1) == .start)
    #expect(Instant.never + .seconds(1) == .never)
    #expect(Nanoseconds.hours(.max) == .forever)
  }
}
