public import Custody

/// More connection attempts, refreshes or messages in a short time than the scenario allows.
///
/// Exempt: nothing; a scenario that wants more says so in its `budget`.
public struct StormOracle: Oracle {
  public static let name = "storm"
  public static let meaning = "reconnects, refreshes or messages exceed the budget"
  public static let needsCalm = false
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.devices.indices where ledger.devices[index].storm != .none {
      let row = ledger.devices[index]
      violations.append(Violation(row, detail: UInt32(row.storm.rawValue)))
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.device(violation.device) else { return Self.meaning }
    let name = name(row.node)
    switch row.storm {
    case .none: return Self.meaning
    case .connects:
      return "\(name) tried to connect more often than the budget allows, \(row.connects) times "
        + "in all."
    case .refreshes:
      return "\(name) asked for a new credential more often than the budget allows, "
        + "\(row.refreshes) times in all."
    case .messages: return "\(name) and the server exchanged more messages than the budget allows."
    }
  }
}
