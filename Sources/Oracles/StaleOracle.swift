public import Custody

/// What a delivery announced never got to the app: the change was never fetched, the command never
/// carried out, whatever became of the announcement itself.
///
/// Of the layers of acknowledgement this is the last one. A push that was acknowledged by the
/// device, or that expired or was superseded, ends the obligation of the one who carries it, not of
/// the service that promised the change.
///
/// Exempt: deliveries that promise nothing beyond themselves; what was not owed; what was given up
/// by the app's own wish (`released`) or refused for good (`rejected`).
public struct StaleOracle: Oracle {
  public static let name = "stale"
  public static let meaning = "an app never got what a delivery announced"
  public static let needsCalm = true
  public init() {}

  public func judge(_ ledger: borrowing Ledger, into violations: inout [Violation]) {
    for index in ledger.deliveries.indices {
      let row = ledger.deliveries[index]
      guard row.facts.isSuperset(of: [.promisesApplication, .accepted, .owed]),
        row.facts.isDisjoint(with: [.applied, .released, .rejected])
      else { continue }
      var violation = Violation(row)
      // By the layer that it reached, not by the last thing that happened.
      violation.signature.detail =
        UInt32(row.quality) << 8 | UInt32(row.layerReached.rawValue)
      violations.append(violation)
    }
  }

  public func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    guard let row = ledger.delivery(of: violation) else { return Self.meaning }
    let receiver = name(row.receiver)
    let reached =
      switch row.layerReached {
      case .handedOver: "\(receiver) acknowledged the push and woke the app"
      case .acknowledged: "\(receiver) acknowledged the push, but did not wake the app"
      case .sent: "the push was written to a connection and \(receiver) never acknowledged it"
      default: "no push for it ever reached a connection"
      }
    return "The server has change \(row.publication) for \(receiver), and its app never got it: "
      + "\(reached)."
  }
}

extension DeliveryRow {
  /// The highest layer of acknowledgement on the way to the app: handed to the app, acknowledged by
  /// the device, written, or only accepted.
  fileprivate var layerReached: DeliveryStep {
    if facts.isSuperset(of: [.handedOver, .acknowledged]) { return .handedOver }
    if facts.contains(.acknowledged) { return .acknowledged }
    return facts.contains(.sent) ? .sent : .accepted
  }
}
