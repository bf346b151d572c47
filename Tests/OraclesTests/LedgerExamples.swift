import Custody
import Timeline

/// Hand-written ledgers.
extension Ledger {
  static let gk = NodeID(device: 0)

  /// After a calm, with one device that both ends believe to be connected.
  static func sane(_ rows: DeliveryRow...) -> Ledger {
    var ledger = Ledger()
    ledger.calmReached = true
    ledger.deliveries = rows
    var device = DeviceRow(node: gk)
    device.wantsConnection = true
    device.clientBelieves = true
    device.serverBelieves = true
    ledger.devices = [device]
    return ledger
  }
}

extension DeliveryRow {
  static func down(
    _ facts: DeliveryFacts, quality: UInt8 = 1, last: DeliveryStep = .sent, handOvers: UInt8 = 0
  ) -> DeliveryRow {
    var row = DeliveryRow(
      publication: 1, sender: NodeID(device: 1), receiver: Ledger.gk, quality: quality, at: .start)
    row.facts = facts
    row.lastStep = last
    row.handOvers = handOvers
    return row
  }

  static func up(_ facts: DeliveryFacts, quality: UInt8 = 1) -> DeliveryRow {
    var row = DeliveryRow(
      publication: 1, sender: Ledger.gk, receiver: .server, quality: quality, at: .start)
    row.facts = facts
    return row
  }
}
