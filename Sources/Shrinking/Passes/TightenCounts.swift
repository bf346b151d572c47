internal import Simulation

/// Lowers a limit so that fewer steps reach it: a window of one leaks at the first loss.
public struct TightenCounts: ShrinkPass {
  public static let name = "tighten-counts"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    let subject = target.subject
    for device in target.scenario.devices.indices {
      for index in target.scenario.devices[device].parameters.indices {
        let parameter = target.scenario.devices[device].parameters[index]
        guard Self.isCount(parameter, subject.deviceParameters) else { continue }
        tighten(parameter.value, &target) { $0.devices[device].parameters[index].value = $1 }
      }
    }
    for index in target.scenario.serverParameters.indices {
      let parameter = target.scenario.serverParameters[index]
      guard Self.isCount(parameter, subject.serverParameters) else { continue }
      tighten(parameter.value, &target) { $0.serverParameters[index].value = $1 }
    }
  }

  private static func isCount(_ parameter: Parameter, _ kinds: [ParameterKind]) -> Bool {
    kinds.contains { $0.name == parameter.name && $0.unit == .count } && parameter.value > 1
  }

  /// With the lower limit, one of the submissions has to be dispensable.
  private func tighten(
    _ value: UInt64, _ target: inout ShrinkTarget, set: (inout Scenario, UInt64) -> Void
  ) {
    for lower in value == 2 ? [1] : [1, value - 1] {
      for step in target.scenario.steps.indices.reversed() {
        guard case .submit = target.scenario.steps[step].action else { continue }
        let tightened = target.consider { scenario in
          set(&scenario, lower)
          scenario.steps.remove(at: step)
        }
        if tightened { return }
      }
    }
  }
}
