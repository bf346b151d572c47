internal import Custody
internal import Oracles
internal import PushProtocols
public import Replay
internal import Simulation
internal import Timeline

/// Replays as JSON. Times are seconds since the first packet of the capture, or since the start of
/// the run; names of devices are those of the scenario.
public enum ReplayJSON {
  /// The layout of what is written; goes up when a name changes its meaning or goes away.
  public static let version = 1

  /// One document for everything that a command was given.
  public static func text(
    captures: [(path: String, fidelity: Fidelity)], scenarios: [(path: String, run: ScenarioRun)]
  ) -> String {
    JSONText.write(
      .object([
        ("version", .integer(Int64(version))),
        ("replays", .array(captures.map { replay($0.fidelity, $0.path) })),
        ("runs", .array(scenarios.map { run($0.run, $0.path) })),
      ]))
  }

  private static func replay(_ fidelity: Fidelity, _ path: String) -> JSONText.Value {
    let scenario = fidelity.history.scenario
    return .object([
      ("capture", .string(path)), ("subscriber", .string(fidelity.history.subscriber)),
      ("client", .string(fidelity.client)), ("server", .string(fidelity.server)),
      ("faithful", .bool(fidelity.isFaithful)),
      ("application_messages", count(fidelity.application)),
      ("control_packets", count(fidelity.all)),
      ("ledger_equal", .bool(fidelity.isLedgerSame)),
      ("trace_hash", .string(ReplayRunText.hash(fidelity.summary))),
      ("differences", .array(fidelity.differences.map { difference($0, fidelity) })),
      ("ledger", .array(fidelity.ledger.map { ledger($0, scenario) })),
      (
        "unmodelled",
        .array(
          fidelity.history.unmodelled.map {
            .object([
              ("time", seconds($0.time)), ("frame", .unsigned(UInt64($0.frame))),
              ("device", .string(scenario.name(of: $0.device))), ("reason", .string($0.text)),
            ])
          })
      ),
    ])
  }

  private static func count(_ count: Fidelity.Count) -> JSONText.Value {
    .object([
      ("captured", .integer(Int64(count.captured))),
      ("reproduced", .integer(Int64(count.reproduced))),
      ("only_simulated", .integer(Int64(count.extra))),
    ])
  }

  private static func difference(
    _ difference: Fidelity.Difference, _ fidelity: Fidelity
  ) -> JSONText.Value {
    let line = fidelity.lines[difference.line]
    let device = line.captured?.device ?? line.simulated?.device ?? .server
    let sender = line.captured?.sender ?? line.simulated?.sender ?? .client
    return .object([
      ("time", seconds(line.time)),
      ("frame", .unsigned(UInt64(line.captured?.frame ?? 0))),
      ("device", .string(fidelity.history.scenario.name(of: device))),
      ("sender", .string(sender == .client ? "client" : "server")),
      ("captured", .optional(line.captured?.text)),
      ("simulated", .optional(line.simulated?.text)),
      ("cause", .string(difference.cause.rawValue)), ("reason", .string(difference.reason)),
    ])
  }

  private static func ledger(
    _ line: Fidelity.LedgerLine, _ scenario: Scenario
  ) -> JSONText.Value {
    .object([
      ("publication", .unsigned(UInt64(line.publication))),
      ("receiver", .string(scenario.name(of: line.receiver))),
      ("equal", .bool(line.isSame)),
      ("captured_sends", .unsigned(UInt64(line.captured?.sends ?? 0))),
      ("captured_acknowledged", .bool(line.captured?.isAcknowledged ?? false)),
      ("simulated_sends", .unsigned(UInt64(line.simulated?.sends ?? 0))),
      ("simulated_state", .optional(line.simulated?.outcome)),
    ])
  }

  private static func run(_ run: ScenarioRun, _ path: String) -> JSONText.Value {
    let scenario = run.scenario
    return .object([
      ("scenario", .string(path)), ("client", .string(scenario.client)),
      ("server", .string(scenario.server)), ("verdict", .string(run.verdict.rawValue)),
      ("events", .unsigned(UInt64(run.summary.events))),
      ("trace_hash", .string(ReplayRunText.hash(run.summary))),
      (
        "findings",
        .array(
          run.violations.map { violation in
            .object([
              ("oracle", .string(OracleCatalog.name(of: violation.signature))),
              ("device", .string(scenario.name(of: violation.device))),
              ("publication", .unsigned(UInt64(violation.publication))),
              (
                "reason",
                .string(
                  OracleCatalog.story(of: violation, in: run.ledger) { scenario.name(of: $0) })
              ),
            ])
          })
      ),
      (
        "deliveries",
        .array(
          run.ledger.deliveries.map { row in
            .object([
              ("publication", .unsigned(UInt64(row.publication))),
              ("sender", .string(scenario.name(of: row.sender))),
              ("receiver", .string(scenario.name(of: row.receiver))),
              ("quality", .unsigned(UInt64(row.quality))),
              ("sends", .unsigned(UInt64(row.sends))),
              ("hand_overs", .unsigned(UInt64(row.handOvers))),
              ("state", .string(row.outcome)),
            ])
          })
      ),
    ])
  }

  /// Microseconds are enough for a capture, and all digits that most have.
  private static func seconds(_ time: Instant) -> JSONText.Value {
    let microseconds = (time.nanoseconds + 500) / 1000
    let rest = String(microseconds % 1_000_000)
    return .number(
      "\(microseconds / 1_000_000)." + String(repeating: "0", count: 6 - rest.count) + rest)
  }
}
