internal import Simulation

/// Takes the first message or state of a kind rather than a later one.
public struct LowerOrdinals: ShrinkPass {
  public static let name = "lower-ordinals"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    for index in target.scenario.faults.indices {
      let ordinal: UInt16
      switch target.scenario.faults[index].anchor {
      case .at: continue
      case .message(_, _, let count), .state(_, _, let count): ordinal = count
      }
      let lower = [1, 2, ordinal / 2, ordinal - 1].filter { $0 > 0 && $0 < ordinal }
      for ordinal in lower {
        let moved = target.consider { scenario in
          switch scenario.faults[index].anchor {
          case .at: return
          case .message(let sender, let kind, _):
            scenario.faults[index].anchor = .message(sender: sender, kind: kind, ordinal: ordinal)
          case .state(let side, let state, _):
            scenario.faults[index].anchor = .state(side: side, state: state, ordinal: ordinal)
          }
        }
        if moved { break }
      }
    }
  }
}
