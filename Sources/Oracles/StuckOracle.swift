public import Custody

/// A delivery that is still pending after the calm, though both ends believe that they are
/// connected: nothing is left to wait for.
///
/// Exempt: see `DeliveryRow.isOpen`. A delivery to somebody who is not connected is pending, which
/// is what a queue is for.
public struct StuckOracle: Oracle {
  public static let name = "stuck"
  public static let meaning =
    "a delivery still pending at the end though both ends believe they are connected"
  public static let needsCalm = true
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.deliveries.indices where ledger.deliveries[index].isOpen {
      let row = ledger.deliveries[index]
      guard row.isHeld, !row.facts.contains(.countedDone) else { continue }
      let device = row.isUpward ? row.sender : row.receiver
      for other in ledger.devices.indices where ledger.devices[other].node == device {
        if ledger.devices[other].clientBelieves, ledger.devices[other].serverBelieves {
          violations.append(Violation(row))
        }
      }
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.delivery(of: violation) else { return Self.meaning }
    let sender = row.isUpward ? name(row.sender) : "the server"
    return "Publication \(row.publication) still waits at \(sender) for \(name(row.receiver)), "
      + "though both ends believe they are connected. The last thing known is that "
      + "\(row.lastStep.words)."
  }
}
