public import Custody

/// How far a delivery came that somebody was owed and that did not come to its end.
///
/// No layer of acknowledgement implies the next one, so each is counted: a row stays in the first
/// of `all` that holds it. To count another layer, add a line.
public struct DeliveryLayer: Sendable {
  /// For programs: `atTransport`.
  public var name: String
  /// For people: where such a delivery stays.
  public var title: String
  /// Whether this is where the delivery stayed. Asked of deliveries on the way down that were
  /// accepted and owed, and that nothing excuses.
  public var holds: @Sendable (DeliveryRow) -> Bool

  public init(
    _ name: String, _ title: String, holds: @escaping @Sendable (DeliveryRow) -> Bool
  ) {
    self.name = name
    self.title = title
    self.holds = holds
  }

  public static let all: [DeliveryLayer] = [
    DeliveryLayer("accepted", "accepted but unwritten") { !$0.facts.contains(.sent) },
    DeliveryLayer("sent", "written but not arrived") {
      $0.facts.isDisjoint(with: [.transportAcknowledged, .received])
    },
    DeliveryLayer("transportAcknowledged", "arrived but not read") {
      !$0.facts.contains(.received)
    },
    DeliveryLayer("received", "read, nothing more") {
      $0.facts.isDisjoint(with: [.acknowledged, .handedOver])
    },
    DeliveryLayer("acknowledged", "acked but not with app") { !$0.facts.contains(.handedOver) },
    DeliveryLayer("handedOver", "with app but not acked") { !$0.facts.contains(.acknowledged) },
    DeliveryLayer("woken", "app woken, not applied") {
      $0.facts.contains(.promisesApplication) && !$0.facts.contains(.applied)
    },
    DeliveryLayer("settling", "acked but not settled") { !$0.facts.contains(.settled) },
  ]
}
