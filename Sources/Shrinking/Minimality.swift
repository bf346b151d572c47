internal import Custody
internal import Simulation
internal import Timeline

/// What was tried on a shrunk scenario to make it simpler still, and that none of it worked.
///
/// 1-minimal: removing any one fault, step or device, giving up any one setting, or taking any one
/// magnitude or kind a notch down makes the finding vanish.
public struct Minimality: Hashable, Sendable {
  /// One simplification that does not work.
  public struct Attempt: Hashable, Sendable {
    /// In words, such as `without fault 1 (lose)`.
    public var what: String
  }

  /// Everything was checked. `false` when the limit on runs came first.
  public var isVerified = true
  public var checked: [Attempt] = []

  public init() {}

  /// One sentence for reports.
  public var sentence: String {
    guard isVerified else {
      return "Not verified to be minimal: the limit on runs was reached after "
        + "\(checked.count) checks."
    }
    return "Minimal: each of \(checked.count) simplifications was tried and makes the finding "
      + "vanish."
  }

  /// Looks for a simplification that works after all: it then becomes the best scenario, and the
  /// answer is `nil`.
  static func verify(_ target: inout ShrinkTarget) -> Minimality? {
    var minimality = Minimality()
    let best = target.scenario
    for (what, candidate) in simplifications(of: best, target.subject) {
      if target.isExhausted {
        minimality.isVerified = false
        return minimality
      }
      // Answers from memory when a pass has tried just this.
      if target.consider(candidate) { return nil }
      minimality.checked.append(Attempt(what: what))
    }
    return minimality
  }

  static func simplifications(
    of scenario: Scenario, _ subject: ProtocolUnderTest
  ) -> [(what: String, scenario: Scenario)] {
    var list: [(String, Scenario)] = []
    func add(_ what: String, _ change: (inout Scenario) -> Void) {
      var simpler = scenario
      change(&simpler)
      list.append((what, simpler))
    }
    for (index, fault) in scenario.faults.enumerated() {
      let name = "fault \(index + 1) (\(fault.kind.name))"
      add("without \(name)") { $0.faults.remove(at: index) }
      for kind in WeakenKinds.weaker(than: fault.kind) {
        add("\(name) as \(kind.name)") { $0.faults[index].kind = kind }
      }
      if let by = fault.kind.by, let less = RoundLength.below(by) {
        add("\(name) by \(less)") { $0.faults[index].kind.by = less }
      }
      if let length = fault.kind.length, let less = RoundLength.below(length) {
        add("\(name) for \(less)") { $0.faults[index].kind.length = less }
      }
    }
    for index in scenario.steps.indices {
      add("without step \(index + 1)") { $0.steps.remove(at: index) }
    }
    for (index, device) in scenario.devices.enumerated() {
      add("without device \(device.name)") { $0.removeDevice(index) }
      for (position, parameter) in device.parameters.enumerated() {
        add("\(device.name) without \(parameter.name)") {
          $0.devices[index].parameters.remove(at: position)
        }
      }
    }
    for (index, parameter) in scenario.serverParameters.enumerated() {
      add("server without \(parameter.name)") { $0.serverParameters.remove(at: index) }
    }
    return list
  }
}
