internal import Custody
public import Simulation
internal import Timeline

/// Adds a fault of one family.
public struct AddFault: Mutator {
  public let family: FaultKind.Family

  public init(_ family: FaultKind.Family) { self.family = family }

  public var name: String {
    switch family {
    case .timing: "add-timing"
    case .drops: "add-drop"
    case .credentials: "add-credential"
    }
  }

  public func mutate(
    _ scenario: inout Scenario, on ground: borrowing MutationGround,
    using random: inout SeededRandom
  ) -> Bool {
    guard scenario.faults.count < ground.moderation.faults,
      let device = scenario.randomDevice(&random)
    else { return false }
    // Nobody asks for credentials: such faults would meet nothing.
    if family == .credentials, !ground.hints.hasCredentials { return false }
    let kind: FaultKind
    switch family {
    case .timing: kind = timing(ground, &random)
    case .drops: kind = drop(ground, &random)
    case .credentials: kind = credential(ground, &random)
    }
    guard ground.allows(kind) else { return false }
    let node = kind.isServers ? NodeID.server : random.chance(1, in: 16) ? .server : device
    scenario.faults.append(Fault(kind, node: node, ground.anchor(of: device, using: &random)))
    return true
  }

  private func timing(
    _ ground: borrowing MutationGround, _ random: inout SeededRandom
  ) -> FaultKind {
    let side: Side = random.chance(1, in: 2) ? .client : .server
    let length = ground.length(using: &random)
    switch random.below(8) {
    case 0..<3: return .delay(by: length)
    case 3..<6: return .pause(side, for: length)
    case 6:
      return .slow(side, by: min(length, .minutes(5)), for: ground.length(using: &random))
    default: return .clockJump(side, forward: random.chance(1, in: 2), by: length)
    }
  }

  private func drop(
    _ ground: borrowing MutationGround, _ random: inout SeededRandom
  ) -> FaultKind {
    let flag = random.chance(1, in: 2)
    switch random.below(20) {
    case 0..<4:
      return .lose(
        LossDirection.allCases[random.below(3)], for: ground.length(using: &random))
    case 4..<7: return .cut
    case 7..<9: return .halfOpen
    case 9: return .reset(client: true, server: true)
    // Only one end hears of it.
    case 10..<12: return .reset(client: flag, server: !flag)
    case 12: return .forgetMapping(reset: flag)
    case 13: return .changeNetwork
    case 14: return .refuse(for: ground.length(using: &random))
    case 15..<17:
      return .restartServer(
        downFor: ground.length(using: &random), host: flag,
        wipe: ground.moderation.mayWipe && random.chance(1, in: 4))
    case 17..<19: return .killClient(downFor: ground.length(using: &random), host: flag)
    default: return .resubmit
    }
  }

  private func credential(
    _ ground: borrowing MutationGround, _ random: inout SeededRandom
  ) -> FaultKind {
    let length = ground.length(using: &random)
    switch random.below(9) {
    case 0..<4: return .expireCredential
    case 4: return .slowRefresh(by: length, for: ground.length(using: &random))
    case 5: return .refuseRefresh(for: length)
    case 6: return .staleRefresh(for: length)
    case 7: return .loseRefresh(for: length)
    default: return .throttleRefresh(for: length)
    }
  }
}

extension FaultKind {
  /// Concerns the server, so it has no device.
  public var isServers: Bool {
    switch self {
    case .restartServer, .pause(.server, _), .slow(.server, _, _), .clockJump(.server, _, _): true
    case .delay, .pause, .slow, .clockJump, .lose, .cut, .halfOpen, .reset, .forgetMapping,
      .changeNetwork, .refuse, .killClient, .resubmit, .expireCredential, .slowRefresh,
      .refuseRefresh, .staleRefresh, .loseRefresh, .throttleRefresh:
      false
    }
  }
}
