public import Simulation

/// The text form of a scenario: one event a line, to be read and edited by people.
///
///     pushbench scenario 1
///     client  mqtt.client@good
///     server  mqtt.broker@forgets-in-flight
///     path    rtt 42ms
///     device  gk   keep-alive 60s
///     device  pub
///
///     +0s     gk   connect
///     +0s     gk   subscribe t/x  qos 1
///     +1.2s   pub  submit 1  topic t/x  qos 1  expires 1h      # delivery 1
///     +59min  fault  gk  lose both  for 2min
///     fault   gk  cut  at server publish 3
///     expect  ghost 1 gk
///
/// Settings that have their standard value are left out. A `#` at the beginning of a word starts a
/// comment; a word with spaces, or one that could be mistaken for another, is quoted. Reading gives
/// back exactly the scenario that was written, if it was a `Scenario.flaw`less one.
public enum ScenarioScript {
  public static let version = 1

  /// - Parameter notes: comments for the file; they are no part of the scenario.
  public static func write(
    _ scenario: Scenario, for subject: ProtocolUnderTest, notes: ScenarioNotes = ScenarioNotes()
  ) -> String {
    let writer = ScenarioWriter(scenario: scenario, subject: subject, notes: notes)
    return writer.text()
  }

  /// - Parameters:
  ///   - file: its name, for error messages.
  ///   - catalog: the protocols whose machines a scenario may name.
  public static func read(
    _ text: String, file: String, catalog: [ProtocolUnderTest]
  ) throws(ScenarioError) -> Scenario {
    var reader = ScenarioReader(file: file, catalog: catalog)
    return try reader.read(text)
  }
}

/// Comments of a scenario file.
public struct ScenarioNotes: Hashable, Sendable {
  /// Lines above everything but the first line.
  public var header: [String] = []
  /// Behind the line of a step, by position.
  public var steps: [Int: String] = [:]
  /// Behind the line of a fault, by position.
  public var faults: [Int: String] = [:]
  /// Lines at the end.
  public var trailer: [String] = []

  public init() {}
}
