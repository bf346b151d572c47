public import Custody

/// Judges a finished history by its ledger alone, wherever the ledger came from.
///
/// What a protocol does not promise is no finding: the exemptions stand beside each oracle, with
/// their sources. To add an oracle, write one file and one line in `OracleCatalog.all`.
public protocol Oracle: Sendable {
  /// The word of reports and scenario files.
  static var name: String { get }
  /// What a finding of it means, in one line.
  static var meaning: String { get }
  /// Liveness oracles say nothing about a run without a calm, nor about one that was cut short.
  static var needsCalm: Bool { get }

  /// Appends what it finds. Allocates nothing when there is nothing.
  ///
  /// The catalog fills in `Signature.oracle`, so that a number is nowhere written twice.
  func judge(_ ledger: borrowing Ledger, into violations: inout [Violation])

  /// One or two plain sentences about one of its violations.
  ///
  /// - Parameter name: what to call a node.
  func story(of violation: Violation, in ledger: Ledger, name: (NodeID) -> String) -> String
}

/// The oracles, in the order in which reports list findings.
public enum OracleCatalog {
  public static let all: [any Oracle] = [
    GhostOracle(), LostOracle(), StuckOracle(), ZombieOracle(), LockoutOracle(), StormOracle(),
    DuplicateOracle(), FalseAckOracle(), ProtocolOracle(), StaleOracle(), DeafOracle(),
    OfflineOracle(),
  ]

  public static let names: [String] = all.map { type(of: $0).name }

  public static func name(of signature: Signature) -> String { names[Int(signature.oracle)] }

  /// Position of the oracle with this name.
  public static func number(of name: String) -> UInt8? {
    names.firstIndex(of: name).map { UInt8($0) }
  }

  /// Lets every oracle judge. `violations` is emptied first.
  ///
  /// A gap in the evidence makes everything inconclusive. A run that reached its event limit is
  /// complete as far as it went, so what is wrong at every instant is still wrong; but an absence
  /// in it is never a pass.
  @discardableResult
  public static func judge(_ ledger: borrowing Ledger, into violations: inout [Violation])
    -> Verdict
  {
    violations.removeAll(keepingCapacity: true)
    let partial = ledger.inconclusive != nil
    if partial, ledger.inconclusive != .eventLimit { return .inconclusive }
    let calm = ledger.calmReached && !partial
    var number = 0
    for oracle in all {
      if calm || !type(of: oracle).needsCalm {
        let before = violations.count
        oracle.judge(ledger, into: &violations)
        for index in before..<violations.count {
          violations[index].signature.oracle = UInt8(truncatingIfNeeded: number)
        }
      }
      number &+= 1
    }
    if !violations.isEmpty { return .violated }
    return partial ? .inconclusive : .holds
  }

  public static func story(
    of violation: Violation, in ledger: Ledger, name: (NodeID) -> String
  ) -> String {
    all[Int(violation.signature.oracle)].story(of: violation, in: ledger, name: name)
  }
}

extension Violation {
  /// About a delivery; what tells failures apart is its quality of service and how far it came.
  init(_ row: DeliveryRow) {
    self.init(
      signature: Signature(
        oracle: 0, detail: UInt32(row.quality) << 8 | UInt32(row.lastStep.rawValue),
        upward: row.isUpward),
      device: row.isUpward ? row.sender : row.receiver, publication: row.publication)
  }

  /// About a device.
  init(_ row: DeviceRow, detail: UInt32) {
    self.init(
      signature: Signature(oracle: 0, detail: detail, upward: false), device: row.node,
      publication: 0)
  }
}

extension Ledger {
  /// The delivery that a violation is about.
  func delivery(of violation: Violation) -> DeliveryRow? {
    let receiver = violation.signature.upward ? NodeID.server : violation.device
    return index(of: violation.publication, to: receiver).map { deliveries[$0] }
  }

  func device(_ node: NodeID) -> DeviceRow? { devices.first { $0.node == node } }
}
