public import Custody

/// A message that the protocol forbids where it was sent. The rule is the protocol's own.
///
/// Exempt: nothing; what is legal is no violation, and the witness cites the rule.
public struct ProtocolOracle: Oracle {
  public static let name = "protocol"
  public static let meaning = "a message that the protocol forbids in that state"
  public static let needsCalm = false
  public init() {}

  static let serverBit: UInt32 = 1 << 16

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.devices.indices {
      let row = ledger.devices[index]
      if row.clientViolation != 0 {
        violations.append(Violation(row, detail: UInt32(row.clientViolation)))
      }
      if row.serverViolation != 0 {
        violations.append(Violation(row, detail: Self.serverBit | UInt32(row.serverViolation)))
      }
    }
  }

  /// The side that broke a rule and the rule's position in the protocol's table.
  public static func rule(of signature: Signature) -> (byServer: Bool, rule: UInt16) {
    (signature.detail & serverBit != 0, UInt16(truncatingIfNeeded: signature.detail))
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    let (byServer, rule) = Self.rule(of: violation.signature)
    let sender = byServer ? "The server" : name(violation.device)
    let receiver = byServer ? name(violation.device) : "the server"
    return "\(sender) sent \(receiver) a message that the protocol forbids there (rule \(rule))."
  }
}
