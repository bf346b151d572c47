public import Custody
internal import Oracles
public import PushProtocols
public import Simulation
public import Unwrapping

/// Runs captures and scenarios through machines.
///
///     let faithful = try Replay.capture("offline-queue.pcap").allSatisfy(\.isFaithful)
public enum Replay {
  /// Compares what each subscriber history of a capture shows with what the machines do.
  ///
  /// - Parameters:
  ///   - client: name of a machine; `nil`: the protocol's own.
  ///   - filter: which packets to read, in pcap-filter(7) syntax.
  public static func capture(
    _ path: String, client: String? = nil, server: String? = nil, filter: String? = nil
  ) throws(ReplayError) -> [Fidelity] {
    try capture(path, CaptureOptions(filter: filter), client: client, server: server)
  }

  /// The same with secrets, and with what the user knows of who speaks what.
  public static func capture(
    _ path: String, _ options: CaptureOptions, client: String? = nil, server: String? = nil
  ) throws(ReplayError) -> [Fidelity] {
    let extraction: CaptureExtraction
    do {
      extraction = try ScenarioSource.extraction(fromCapture: path, options)
    } catch {
      throw .capture(error)
    }
    guard !extraction.histories.isEmpty else { throw extraction.whyEmpty(path) }
    var result: [Fidelity] = []
    for history in extraction.histories {
      result.append(try fidelity(of: history, client: client, server: server))
    }
    return result
  }

  /// Compares one history that has been extracted.
  public static func fidelity(
    of history: ExtractedHistory, client: String? = nil, server: String? = nil
  ) throws(ReplayError) -> Fidelity {
    let pair = try machines(for: history.scenario, client: client, server: server)
    guard
      let format = ExtractionCatalog.all.first(where: { $0.name == history.scenario.model })
    else { throw .unknownProtocol(name: history.scenario.model) }
    return Fidelity(
      of: history, on: pair.bench, client: pair.client, server: pair.server, format: format)
  }

  /// Runs a scenario until nothing is pending any more, and judges it.
  ///
  /// - Parameter client: name of a machine; `nil`: the one that the scenario names.
  public static func scenario(
    _ scenario: Scenario, client: String? = nil, server: String? = nil
  ) throws(ReplayError) -> ScenarioRun {
    let pair = try machines(
      for: scenario, client: client ?? scenario.client, server: server ?? scenario.server)
    var scenario = scenario
    scenario.client = pair.client
    scenario.server = pair.server
    let summary = pair.bench.run(scenario, options: RunOptions())
    var violations: [Violation] = []
    let ledger = pair.bench.ledger
    let verdict = OracleCatalog.judge(ledger, into: &violations)
    return ScenarioRun(
      scenario: scenario, summary: summary, ledger: ledger, verdict: verdict,
      violations: violations)
  }

  /// What the protocol's own machines find wrong with a scenario to begin with: an overflowing
  /// queue loses messages whoever keeps it. Empty for nearly all.
  static func expectations(of scenario: Scenario) -> [Expectation] {
    guard let subject = ProtocolCatalog.named(scenario.model),
      let run = try? Self.scenario(
        scenario, client: subject.standardClient, server: subject.standardServer)
    else { return [] }
    return run.violations.map {
      Expectation(
        oracle: OracleCatalog.name(of: $0.signature), publication: $0.publication, node: $0.device)
    }
  }

  private static func machines(
    for scenario: Scenario, client: String?, server: String?
  ) throws(ReplayError) -> (bench: any Bench, client: String, server: String) {
    guard let subject = ProtocolCatalog.named(scenario.model) else {
      throw .unknownProtocol(name: scenario.model)
    }
    let client = client ?? subject.standardClient
    let server = server ?? subject.standardServer
    for (name, side) in [(client, Side.client), (server, .server)] {
      let known = subject.machines.filter { $0.side == side }.map(\.name)
      guard known.contains(name) else {
        throw .unknownMachine(name: name, side: side, known: known)
      }
    }
    guard let bench = subject.makeBench(client, server) else {
      throw .unknownMachine(
        name: client, side: .client, known: subject.machines.map(\.name))
    }
    return (bench, client, server)
  }
}

/// What a scenario led to.
public struct ScenarioRun: Sendable {
  public var scenario: Scenario
  public var summary: RunSummary
  public var ledger: Ledger
  public var verdict: Verdict
  public var violations: [Violation]
}
