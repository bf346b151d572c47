public import Custody

/// Handed to the app more often than its quality of service allows.
///
/// Exempt: quality 1, which is "at least once" (MQTT 5 §4.3.2), and quality 0, where overlapping
/// subscriptions may give copies (§3.3.4). Quality 2 may repeat when session state ended between
/// two hand-overs (`repeatAllowed`).
public struct DuplicateOracle: Oracle {
  public static let name = "duplicate"
  public static let meaning = "handed to the app more often than the quality of service allows"
  public static let needsCalm = false
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.deliveries.indices where ledger.deliveries[index].quality == 2 {
      let row = ledger.deliveries[index]
      guard row.handOvers > 1, !row.facts.contains(.repeatAllowed) else { continue }
      var violation = Violation(row)
      // How far the rest of the exchange came afterwards is another story.
      violation.signature.detail = 0
      violations.append(violation)
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.delivery(of: violation) else { return Self.meaning }
    return "\(name(row.receiver)) gave publication \(row.publication) to its app "
      + "\(row.handOvers) times, though it was to be delivered exactly once."
  }
}
