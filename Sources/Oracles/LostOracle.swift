public import Custody

/// A delivery that somebody is owed, and that no end will ever send.
///
/// Downward: accepted, never written to a connection, and gone. Upward: the app handed it to the
/// client, which no longer has it, and the server never accepted it.
///
/// Exempt: see `DeliveryRow.isOpen`. What a client loses with its process when it keeps nothing
/// durably is `released` by the witness, not lost (MQTT 5 §4.1: the client's session state may be
/// as short-lived as the network connection).
public struct LostOracle: Oracle {
  public static let name = "lost"
  public static let meaning = "a delivery that is owed and that no end will ever send again"
  public static let needsCalm = true
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.deliveries.indices where ledger.deliveries[index].isOpen {
      let row = ledger.deliveries[index]
      // Otherwise it is a ghost.
      guard !row.isHeld, !row.facts.contains(.countedDone) else { continue }
      if row.isUpward || !row.facts.contains(.sent) { violations.append(Violation(row)) }
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.delivery(of: violation) else { return Self.meaning }
    if row.isUpward {
      return "\(name(row.sender)) took publication \(row.publication) from its app and no longer "
        + "has it; the server never accepted it."
    }
    return "The server accepted publication \(row.publication) for \(name(row.receiver)), never "
      + "sent it, and no longer has it."
  }
}
