public import Custody
public import PushProtocols
public import Simulation
public import Timeline

/// How well a run of an extracted scenario repeats what its capture showed.
///
/// Only what TCP orders is compared in order: the messages of one device in one direction. Which of
/// two devices, or of two directions, was first may differ and is no difference.
public struct Fidelity: Sendable {
  /// A message of the run, in the words of `CapturedMessage`.
  public struct SimulatedMessage: Hashable, Sendable {
    public var time: Instant
    public var device: NodeID
    public var sender: Side
    public var kind: UInt8
    public var publication: UInt16
    public var text: String
  }

  /// Two messages that correspond, or one that has no counterpart.
  public struct Line: Hashable, Sendable {
    public var captured: CapturedMessage?
    public var simulated: SimulatedMessage?
    public var isSame: Bool { captured != nil && simulated != nil }
    public var time: Instant { captured?.time ?? simulated?.time ?? .start }
    public var isApplication: Bool
  }

  public struct Count: Hashable, Sendable {
    public var captured = 0
    /// Of those, how many the run has in the same order.
    public var reproduced = 0
    /// What only the run has.
    public var extra = 0

    public var isWhole: Bool { captured == reproduced && extra == 0 }
    /// 100 when there was nothing to reproduce.
    public var percent: Double {
      captured == 0 ? 100 : Double(reproduced) * 100 / Double(captured)
    }
  }

  public struct Difference: Hashable, Sendable {
    public enum Cause: String, Sendable, CaseIterable {
      /// The machine does something else than the software that was captured.
      case machine
      /// The same, at another time or in another order.
      case timing
      /// The capture shows something that a scenario has no words for.
      case unmodelled
    }

    /// Position in `lines`.
    public var line: Int
    public var cause: Cause
    public var reason: String
  }

  /// One delivery in the capture and in the run.
  public struct LedgerLine: Hashable, Sendable {
    public var publication: UInt16
    public var receiver: NodeID
    /// `nil`: never written in the capture.
    public var captured: CapturedDelivery?
    /// `nil`: not in the run's ledger.
    public var simulated: DeliveryRow?

    public var isSame: Bool {
      let sends = simulated.map { Int($0.sends) } ?? 0
      let acknowledged = simulated?.facts.contains(.acknowledged) ?? false
      return Int(captured?.sends ?? 0) == sends
        && (captured?.isAcknowledged ?? false) == acknowledged
    }
  }

  public var history: ExtractedHistory
  public var client: String
  public var server: String
  /// In order of time.
  public var lines: [Line] = []
  public var application = Count()
  public var all = Count()
  /// In order of time.
  public var differences: [Difference] = []
  /// Deliveries that promise something (QoS 0 does not), in order of receiver and publication.
  public var ledger: [LedgerLine] = []
  public var summary = RunSummary()
  /// Kinds of messages that carry notifications.
  let applicationKinds: [UInt8]

  /// Every application message in order, none besides, and the same ledger.
  public var isFaithful: Bool { application.isWhole && isLedgerSame }
  public var isLedgerSame: Bool { ledger.allSatisfy(\.isSame) }
  public var firstDifference: Difference? { differences.first }

  /// Runs the scenario to the end of the capture and compares.
  ///
  /// - Parameter bench: of the machines that the run is to have; its results are overwritten.
  public init(
    of history: ExtractedHistory, on bench: any Bench, client: String, server: String,
    format: ExtractedProtocol
  ) {
    self.history = history
    self.client = client
    self.server = server
    var scenario = history.scenario
    scenario.client = client
    scenario.server = server
    self.history.scenario = scenario
    var options = RunOptions()
    options.calm = false
    options.tracing = true
    options.until = history.end
    // A capture may be long; its run has a few events for each message.
    options.eventLimit = UInt32(clamping: 200_000 + history.messages.count * 64)
    applicationKinds = format.applicationKinds
    summary = bench.run(scenario, options: options)
    let simulated = Self.messages(of: bench.trace, in: history, format)
    align(simulated)
    explain(format)
    compare(bench.ledger)
  }

  private static func messages(
    of trace: [TraceEntry], in history: ExtractedHistory, _ format: ExtractedProtocol
  ) -> [SimulatedMessage] {
    trace.compactMap { entry in
      guard case .wrote(let side) = entry.what, entry.device != history.unseen,
        !format.unseenKinds.contains(entry.kind)
      else { return nil }
      return SimulatedMessage(
        time: entry.time, device: entry.device, sender: side, kind: entry.kind,
        publication: entry.publication, text: format.comparableText(entry.text))
    }
  }

  // MARK: - Ledger

  private mutating func compare(_ simulated: Ledger) {
    var rows: [LedgerLine] = []
    for row in simulated.deliveries
    where row.quality > 0 && !(row.receiver.isServer && row.sender == history.unseen) {
      rows.append(
        LedgerLine(
          publication: row.publication, receiver: row.receiver, captured: nil, simulated: row))
    }
    for delivery in history.deliveries where delivery.quality > 0 {
      if let index = rows.firstIndex(where: {
        $0.publication == delivery.publication && $0.receiver == delivery.receiver
      }) {
        rows[index].captured = delivery
      } else {
        rows.append(
          LedgerLine(
            publication: delivery.publication, receiver: delivery.receiver, captured: delivery,
            simulated: nil))
      }
    }
    ledger = rows.sorted { ($0.receiver, $0.publication) < ($1.receiver, $1.publication) }
  }
}
