public import Custody

/// Acknowledged, and never handed to the app nor kept for it.
///
/// Exempt: quality 0, which has no acknowledgement; the way up, where the server's storage is the
/// app; what was excused before it could be handed over (`DeliveryFacts.excused`).
public struct FalseAckOracle: Oracle {
  public static let name = "false-ack"
  public static let meaning = "acknowledged but never handed to the app"
  public static let needsCalm = true
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.deliveries.indices where ledger.deliveries[index].quality >= 1 {
      let row = ledger.deliveries[index]
      guard !row.isUpward, row.facts.contains(.acknowledged), !row.facts.contains(.handedOver),
        row.facts.isDisjoint(with: .excused)
      else { continue }
      var violation = Violation(row)
      violation.signature.detail = UInt32(row.quality) << 8
      violations.append(violation)
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    "\(name(violation.device)) acknowledged publication \(violation.publication), but its app "
      + "never got it."
  }
}
