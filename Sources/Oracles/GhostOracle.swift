public import Custody

/// A delivery counts as done, or has been sent and forgotten, and nobody acknowledged it.
///
/// Two ways to see it: the sender says so itself while the acknowledgement is missing (at any
/// time); or, after the calm, it was written at least once and no end holds it any more.
///
/// Exempt: see `DeliveryRow.isOpen`. An acknowledgement written before the sender closed counts,
/// even when it gets lost afterwards: the receiver has it then, and a repetition is the sender's
/// right (MQTT 5 §4.4).
public struct GhostOracle: Oracle {
  public static let name = "ghost"
  public static let meaning =
    "the sender counts a delivery as done that the receiver never acknowledged"
  public static let needsCalm = false
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    let ended = ledger.calmReached && ledger.inconclusive == nil
    for index in ledger.deliveries.indices where ledger.deliveries[index].isOpen {
      let row = ledger.deliveries[index]
      let forgotten = ended && !row.isUpward && !row.isHeld && row.facts.contains(.sent)
      if row.facts.contains(.countedDone) || forgotten { violations.append(Violation(row)) }
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.delivery(of: violation) else { return Self.meaning }
    let sender = row.isUpward ? name(row.sender) : name(.server)
    let receiver = name(row.receiver)
    let claim =
      row.facts.contains(.countedDone)
      ? "\(sender) counts publication \(row.publication) as delivered to \(receiver)"
      : "\(sender) sent publication \(row.publication) to \(receiver) and no longer has it"
    return "\(claim), but \(receiver) never acknowledged it. The last thing known is that "
      + "\(row.lastStep.words)."
  }
}
