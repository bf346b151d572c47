public import Custody
internal import Timeline

/// The two ends disagreed about being connected for longer than the protocol's own bound.
///
/// Exempt: whatever is within that bound (MQTT 5 §3.1.2.10: the server must close after one and a
/// half times the keep-alive); a keep-alive of 0 turns the mechanism off, so nothing is bounded.
/// Both are the witness's business: `zombieFor` is what goes beyond.
public struct ZombieOracle: Oracle {
  public static let name = "zombie"
  public static let meaning =
    "the ends disagree about being connected for longer than the protocol allows"
  public static let needsCalm = false
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.devices.indices where ledger.devices[index].zombieFor > .zero {
      let row = ledger.devices[index]
      violations.append(Violation(row, detail: UInt32(row.deceived.rawValue)))
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.device(violation.device) else { return Self.meaning }
    let (believer, other) =
      row.deceived == .client
      ? (name(row.node), "the server") : ("The server", name(row.node))
    return "\(believer) believed in the connection \(row.zombieFor) longer than the protocol "
      + "allows after \(other) had ended it."
  }
}
