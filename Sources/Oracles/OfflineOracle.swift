public import Custody
internal import Timeline

/// A device wants to be connected, the network has been good for all of the calm, and still there
/// is no connection that both ends believe in.
///
/// Exempt: a device whose credential expired before it was connected again (that is a lockout), one
/// that believes to be connected (a zombie), and one that was refused for good and says so.
public struct OfflineOracle: Oracle {
  public static let name = "offline"
  public static let meaning = "a device that wants a connection does not get one on a good network"
  public static let needsCalm = true
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.devices.indices where ledger.devices[index].offlineFor > .zero {
      let row = ledger.devices[index]
      guard row.wantsConnection, !row.clientBelieves, row.expiries == 0 || row.backAfterExpiry
      else { continue }
      violations.append(Violation(row, detail: 0))
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.device(violation.device) else { return Self.meaning }
    return "\(name(row.node)) wants to be connected, and has not been for \(row.offlineFor) "
      + "though nothing was in its way."
  }
}
