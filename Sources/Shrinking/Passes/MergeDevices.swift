internal import Custody
internal import Simulation

/// Lets one device do what two did: a subscriber may well publish to itself.
public struct MergeDevices: ShrinkPass {
  public static let name = "merge-devices"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    var device = target.scenario.devices.count - 1
    while device >= 0 {
      for other in target.scenario.devices.indices where other != device {
        if merge(device, into: other, &target) { break }
      }
      device -= 1
    }
  }

  /// First without the second device's own connects, which the other has already.
  private func merge(_ device: Int, into other: Int, _ target: inout ShrinkTarget) -> Bool {
    let node = NodeID(device: device)
    let merged = target.consider { scenario in
      scenario.steps.removeAll { $0.node == node && $0.action == .connect }
      scenario.merge(device: device, into: other)
    }
    return merged || target.consider { $0.merge(device: device, into: other) }
  }
}
