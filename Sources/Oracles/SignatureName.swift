public import Custody

extension Signature {
  /// Short and stable, for file names and lists: `ghost-qos1-after-sent`, `zombie-server`.
  public var name: String {
    let oracle = OracleCatalog.name(of: self)
    let way = upward ? "-up" : ""
    switch oracle {
    case GhostOracle.name, LostOracle.name, StuckOracle.name, StaleOracle.name:
      let step = DeliveryStep(rawValue: UInt8(truncatingIfNeeded: detail)) ?? .submitted
      return "\(oracle)\(way)-qos\(detail >> 8)-after-\(step.slug)"
    case FalseAckOracle.name: return "\(oracle)\(way)-qos\(detail >> 8)"
    case ZombieOracle.name:
      return detail == UInt32(DeviceRow.Deceived.client.rawValue)
        ? "zombie-client" : "zombie-server"
    case StormOracle.name:
      switch DeviceRow.Storm(rawValue: UInt8(truncatingIfNeeded: detail)) ?? .none {
      case .none: return "storm"
      case .connects: return "storm-connects"
      case .refreshes: return "storm-refreshes"
      case .messages: return "storm-messages"
      }
    case ProtocolOracle.name:
      let (byServer, rule) = ProtocolOracle.rule(of: self)
      return "protocol-\(byServer ? "server" : "client")-rule\(rule)"
    default: return oracle + way
    }
  }
}

extension DeliveryStep {
  var slug: String {
    switch self {
    case .submitted: "submitted"
    case .accepted: "accepted"
    case .rejected: "rejected"
    case .queued: "queued"
    case .sent: "sent"
    case .transportAcknowledged: "arrived"
    case .received: "received"
    case .handedOver: "hand-over"
    case .acknowledged: "acknowledged"
    case .settled: "settled"
    case .countedDone: "counted"
    case .expired: "expired"
    case .superseded: "superseded"
    case .released: "released"
    case .applied: "applied"
    }
  }
}
