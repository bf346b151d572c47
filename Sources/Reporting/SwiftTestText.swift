internal import Custody
internal import Oracles
public import Simulation
internal import Timeline

/// A Swift test that replays a scenario with the library.
public enum SwiftTestText {
  /// The type that the test suite is called, and its file.
  public static func typeName(for name: String) -> String {
    let words = name.split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    let joined = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    let start = joined.first.map { $0.isNumber } ?? true
    return (start ? "Scenario" : "") + joined + "Tests"
  }

  /// - Parameters:
  ///   - name: of the scenario, such as `ghost-qos1-after-sent`.
  ///   - script: the scenario as `ScenarioScript` wrote it.
  ///   - story: what is wrong, in a sentence.
  public static func text(
    name: String, script: String, story: String, scenario: Scenario, subject: ProtocolUnderTest
  ) -> String {
    let expected = scenario.expectations.map { "\($0.oracle)" }.first ?? "nothing"
    let indented = script.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.isEmpty ? "" : "    \($0)" }.joined(separator: "\n")
    let (client, server) = (subject.standardClient, subject.standardServer)
    let comment = ScenarioNotes.wrapped(story).map { "/// \($0)" }.joined(separator: "\n")
    let quotes = indented.contains("\"\"\"") || indented.contains("\\") ? "#" : ""
    return """
      import PushBench
      import Testing

      \(comment)
      ///
      /// The `expect` line says what the machines do today. Once the defect is fixed, write
      /// `expect none` there: from then on this test keeps it fixed.
      @Suite struct \(typeName(for: name)) {
        static let scenario = \(quotes)\"\"\"
      \(indented)
          \"\"\"\(quotes)

        @Test
        func `\(plain(scenario.client)) and \(plain(scenario.server)) show \(expected)`() throws {
          let run = try ScenarioCheck(of: Self.scenario)
          #expect(run.isAsExpected, "\\(run)")
        }

        @Test func `the machines that are meant to be right do not`() throws {
          let run = try ScenarioCheck(
            of: Self.scenario, client: "\(client)", server: "\(server)")
          #expect(run.verdict == .holds, "\\(run)")
        }
      }

      """
  }

  /// Raw identifiers hold no backticks, backslashes or line ends.
  private static func plain(_ text: String) -> String {
    String(text.map { $0 == "`" || $0 == "\\" || $0.isNewline ? "'" : $0 })
  }
}
