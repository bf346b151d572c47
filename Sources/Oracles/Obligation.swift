internal import Custody

extension DeliveryRow {
  /// A publication on its way to the server.
  var isUpward: Bool { receiver.isServer }

  /// Somebody is owed this delivery, and nobody has confirmed it.
  ///
  /// Exempt: quality 0, which promises nothing (MQTT 5 §4.3.1, "at most once"); what expired,
  /// was superseded, rejected or given up by the rules (`DeliveryFacts.excused`); on the way down
  /// also what the subscriber had no right to when it was accepted (not `owed`).
  var isOpen: Bool {
    guard quality >= 1, facts.isDisjoint(with: .excused) else { return false }
    if isUpward { return facts.isDisjoint(with: [.accepted, .acknowledged]) }
    return facts.isSuperset(of: [.accepted, .owed]) && !facts.contains(.acknowledged)
  }

  var isHeld: Bool { facts.contains(.held) }
}

extension DeliveryStep {
  /// The last thing that happened to a delivery, as the end of "…; the last thing known is that".
  var words: String {
    switch self {
    case .submitted: "it was submitted"
    case .accepted: "the server accepted it"
    case .rejected: "it was rejected"
    case .queued: "it was queued"
    case .sent: "it was written to a connection"
    case .transportAcknowledged: "the receiver's TCP had all of it"
    case .received: "the receiver's program read it"
    case .handedOver: "it was handed to the app"
    case .acknowledged: "it was acknowledged"
    case .settled: "the acknowledgement arrived"
    case .countedDone: "the sender counted it as delivered"
    case .expired: "it expired"
    case .superseded: "a newer one took its place"
    case .released: "its session state was given up"
    case .applied: "the app was done with it"
    }
  }
}
