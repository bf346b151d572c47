public import Custody

/// A credential expired, and the device never got back in all of the calm.
///
/// Exempt: a device whose app does not want to be connected.
public struct LockoutOracle: Oracle {
  public static let name = "lockout"
  public static let meaning = "a credential expired and the client never gets connected again"
  public static let needsCalm = true
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.devices.indices where ledger.devices[index].expiries > 0 {
      let row = ledger.devices[index]
      if row.wantsConnection, !row.backAfterExpiry {
        violations.append(Violation(row, detail: 0))
      }
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    "The credential of \(name(violation.device)) expired, and it never got connected again with "
      + "a valid one."
  }
}
