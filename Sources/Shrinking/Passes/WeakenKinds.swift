internal import Custody
internal import Simulation
internal import Timeline

/// Replaces a fault by a less drastic one.
public struct WeakenKinds: ShrinkPass {
  public static let name = "weaken-kinds"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    for index in target.scenario.faults.indices {
      var again = true
      while again {
        again = false
        for weaker in Self.weaker(than: target.scenario.faults[index].kind) where !again {
          again = target.consider { $0.faults[index].kind = weaker }
        }
      }
    }
    for index in target.scenario.steps.indices
    where target.scenario.steps[index].action == .kill(host: true) {
      _ = target.consider { $0.steps[index].action = .kill(host: false) }
    }
  }

  /// From the weakest; only what explains the same with less.
  static func weaker(than kind: FaultKind) -> [FaultKind] {
    let broken = FaultKind.reset(client: true, server: true)
    switch kind {
    case .lose(.both, let length):
      return [
        .delay(by: length), broken, .lose(.toServer, for: length), .lose(.toClient, for: length),
      ]
    case .lose(.toServer, let length), .lose(.toClient, let length):
      return [.delay(by: length), broken]
    case .slow(_, let by, _): return [.delay(by: by)]
    case .pause(_, let length): return [.delay(by: length), broken]
    case .cut: return [broken]
    case .reset(true, true), .reset(false, false): return []
    case .reset: return [broken]
    case .forgetMapping(let reset): return [broken] + (reset ? [] : [.forgetMapping(reset: true)])
    case .halfOpen, .changeNetwork:
      return [broken, .reset(client: true, server: false), .reset(client: false, server: true)]
    case .killClient(let length, let host):
      return [broken] + (host ? [.killClient(downFor: length, host: false)] : [])
    case .restartServer(let length, let host, let wipe):
      var weaker = [broken]
      if host || wipe { weaker.append(.restartServer(downFor: length, host: false, wipe: false)) }
      if wipe { weaker.append(.restartServer(downFor: length, host: host, wipe: false)) }
      if host { weaker.append(.restartServer(downFor: length, host: false, wipe: wipe)) }
      return weaker
    case .staleRefresh(let length), .loseRefresh(let length), .throttleRefresh(let length):
      return [.refuseRefresh(for: length)]
    case .delay, .clockJump, .refuse, .resubmit, .expireCredential, .slowRefresh, .refuseRefresh:
      return []
    }
  }
}
