public import Custody

/// Both ends are content with their connection, and the server would still not send all that the
/// device wants: it has another filter, no registration, or a token that is not the device's.
///
/// Exempt: a device that is not connected at the end; what it misses is judged by the deliveries.
public struct DeafOracle: Oracle {
  public static let name = "deaf"
  public static let meaning =
    "both ends believe in the connection, but what the device wants would not be sent to it"
  public static let needsCalm = true
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.devices.indices where ledger.devices[index].deaf {
      let row = ledger.devices[index]
      guard row.clientBelieves, row.serverBelieves else { continue }
      violations.append(Violation(row, detail: 0))
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    "\(name(violation.device)) and the server are content with their connection, but something "
      + "that \(name(violation.device)) wants would never be sent to it."
  }
}
