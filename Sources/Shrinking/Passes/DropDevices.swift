internal import Simulation

/// Does without a device, with all its steps and faults.
public struct DropDevices: ShrinkPass {
  public static let name = "drop-devices"
  public init() {}

  public func run(on target: inout ShrinkTarget) {
    var device = target.scenario.devices.count - 1
    while device >= 0 {
      _ = target.consider { $0.removeDevice(device) }
      device -= 1
    }
  }
}
