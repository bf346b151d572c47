public import Custody
public import Simulation
internal import Timeline

/// Runs nothing: asks the planted rule what the ledger would say, and makes up edges and a trace
/// from what is in the scenario.
public final class ToyBench: Bench {
  private let rule: ToyRule
  public private(set) var ledger = Ledger()
  public private(set) var edges: [UInt32] = []
  public private(set) var faultContexts: [FaultEncounter] = []
  public private(set) var trace: [TraceEntry] = []
  public private(set) var runs = 0

  public init(rule: @escaping ToyRule) { self.rule = rule }

  public func run(_ scenario: Scenario, options: RunOptions) -> RunSummary {
    runs += 1
    ledger.clear()
    ledger.calmReached = options.calm
    edges.removeAll(keepingCapacity: true)
    faultContexts.removeAll(keepingCapacity: true)
    trace.removeAll(keepingCapacity: true)
    var summary = RunSummary()
    summary.traceHash = Self.hash(of: scenario)
    for index in scenario.devices.indices {
      ledger.devices.append(DeviceRow(node: NodeID(device: index)))
    }
    for (index, step) in scenario.steps.enumerated() {
      edges.append(UInt32(step.action.number) << 8 | UInt32(min(index, 7)))
      if options.tracing { record(step) }
      summary.ended = step.time
    }
    for (index, fault) in scenario.faults.enumerated() {
      edges.append(0x1_0000 | UInt32(fault.kind.number) << 4 | UInt32(min(index, 3)))
      faultContexts.append(
        FaultEncounter(
          fault: UInt8(fault.kind.number), clientState: UInt16(index % 5), serverState: 0))
      if index < 64 { summary.faultsStruck |= 1 << UInt64(index) }
    }
    rule(scenario, &ledger)
    summary.events = UInt32(scenario.steps.count + scenario.faults.count)
    return summary
  }

  private func record(_ step: Step) {
    trace.append(
      TraceEntry(time: step.time, device: step.node, link: nil, what: .action(step.action)))
    guard case .submit(let submission) = step.action else { return }
    trace.append(
      TraceEntry(
        time: step.time + .milliseconds(20), device: step.node, link: LinkID(0),
        what: .wrote(.server), publication: submission.publication,
        text: "push \(submission.publication)", kind: 2))
    trace.append(
      TraceEntry(
        time: step.time + .milliseconds(60), device: step.node, link: LinkID(0),
        what: .wrote(.client), publication: submission.publication,
        text: "ack \(submission.publication)", kind: 3))
  }

  /// The same in every process, unlike `Hasher`.
  static func hash(of scenario: Scenario) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(scenario.faults)".utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
    }
    return hash
  }
}

extension Action {
  var number: UInt8 {
    switch self {
    case .connect: 0
    case .disconnect: 1
    case .subscribe: 2
    case .unsubscribe: 3
    case .submit: 4
    case .sleep: 5
    case .wake: 6
    case .kill: 7
    case .launch: 8
    }
  }
}

extension Ledger {
  /// Enters a ghost: accepted, sent and forgotten.
  public mutating func plantGhost(_ publication: UInt16, for device: NodeID) {
    var row = DeliveryRow(
      publication: publication, sender: .server, receiver: device, quality: 1, at: .start)
    row.facts = [.accepted, .owed, .sent]
    row.lastStep = .sent
    deliveries.append(row)
  }
}
