import Testing

@testable import Reporting

@Suite struct TerminalNumberTests {
  @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")])
  func `digits are grouped by three`(number: Int, text: String) {
    #expect(TerminalNumber.grouped(number) == text)
  }

  @Test(
    arguments: [
      (0, "0"), (950, "950"), (1_000, "1k"), (1_299, "1.2k"), (9_999, "9.9k"), (51_200, "51k"),
      (999_999, "999k"), (3_400_000, "3.4M"), (UInt64.max, "18446744T"),
    ] as [(UInt64, String)])
  func `short numbers round down`(number: UInt64, text: String) {
    #expect(TerminalNumber.short(number) == text)
  }

  @Test func `one is singular`() {
    #expect(TerminalNumber.counted(1, "finding") == "1 finding")
    #expect(TerminalNumber.counted(0, "finding") == "0 findings")
    #expect(TerminalNumber.counted(2, "delivery", "deliveries") == "2 deliveries")
  }
}
