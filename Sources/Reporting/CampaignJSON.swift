internal import Custody
public import Search
public import Simulation

/// A campaign for programs, with stable names. No clock in it: equal campaigns give equal bytes.
public enum CampaignJSON {
  /// - Parameter files: of the findings, in their order; `nil` where none was written.
  public static func text(
    _ statistics: CampaignStatistics, findings: [Finding], files: [String?], seed: UInt64,
    subject: ProtocolUnderTest
  ) -> String {
    let found = findings.enumerated().map { index, finding in
      JSONText.Value.object([
        ("name", .string(finding.name)), ("oracle", .string(finding.oracle)),
        ("client", .string(finding.scenario.client)),
        ("server", .string(finding.scenario.server)),
        ("publication", .unsigned(UInt64(finding.violation.publication))),
        ("device", .string(FindingStory.name(finding.violation.device, finding.scenario))),
        ("execution", .unsigned(finding.execution)), ("epoch", .integer(Int64(finding.epoch))),
        ("faults", .integer(Int64(finding.scenario.faults.count))),
        ("steps", .integer(Int64(finding.scenario.steps.count))),
        ("mutators", .array(finding.mutators.map(JSONText.Value.string))),
        ("traceHash", .string(ScenarioNotes.hexadecimal(finding.traceHash))),
        ("repeatable", .bool(finding.isRepeatable)),
        ("file", .optional(index < files.count ? files[index] : nil)),
      ])
    }
    let mutators = statistics.mutators.map { mutator in
      JSONText.Value.object([
        ("name", .string(mutator.name)), ("tried", .unsigned(mutator.tried)),
        ("novel", .unsigned(mutator.novel)), ("findings", .unsigned(mutator.findings)),
      ])
    }
    return JSONText.write(
      .object([
        ("protocol", .string(subject.name)), ("seed", .unsigned(seed)),
        ("executions", .unsigned(statistics.executions)),
        ("epochs", .integer(Int64(statistics.epochs))), ("events", .unsigned(statistics.events)),
        ("inconclusive", .unsigned(statistics.inconclusive)),
        ("features", .integer(Int64(statistics.features))),
        ("corpus", .integer(Int64(statistics.corpus))), ("findings", .array(found)),
        ("mutators", .array(mutators)),
        (
          "faultsNeverStruck",
          .array(statistics.encounters.kindsNeverMet.map(JSONText.Value.string))
        ),
        (
          "neverMet",
          .object([
            ("client", missing(.client, statistics.encounters, subject)),
            ("server", missing(.server, statistics.encounters, subject)),
          ])
        ),
      ]))
  }

  private static func missing(
    _ side: Side, _ encounters: FaultEncounters, _ subject: ProtocolUnderTest
  ) -> JSONText.Value {
    .object(
      encounters.missing(side, among: subject.states(side)).map { fault, states in
        (fault, .array(states.map { .string(subject.stateName($0, side)) }))
      })
  }
}
