public import Capture
public import Simulation

/// Why something can't be replayed.
public enum ReplayError: Error, Hashable, Sendable {
  case capture(CaptureError)
  /// The capture was read, and holds no connection of a protocol that can be replayed from its
  /// beginning.
  case nothingToReplay(file: String, packets: UInt64)
  /// The same, and connections in TLS could not be decrypted.
  case encrypted(file: String, connections: Int)
  case unknownProtocol(name: String)
  /// `known`: the machines of that side.
  case unknownMachine(name: String, side: Side, known: [String])

  /// What a command exits with (sysexits.h).
  public var exitCode: Int32 {
    switch self {
    case .capture(let error): error.exitClass.rawValue
    case .nothingToReplay, .encrypted, .unknownProtocol: CaptureError.ExitClass.badInput.rawValue
    case .unknownMachine: CaptureError.ExitClass.usage.rawValue
    }
  }

  /// What a person can do about it, in one sentence.
  public var remedy: String {
    switch self {
    case .capture(let error): error.remedy
    case .nothingToReplay:
      "Capture from before the clients connect: without CONNECT nobody knows who they are."
    case .encrypted:
      "Give their key log with --keylog; pushbench inspect says why each can't be read."
    case .unknownProtocol: "pushbench can replay mqtt."
    case .unknownMachine(_, let side, let known):
      "Known \(side == .client ? "clients" : "servers"): \(known.joined(separator: ", "))."
    }
  }
}

extension ReplayError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .capture(let error): error.description
    case .nothingToReplay(let file, let packets):
      "\(file): no connection in its \(packets) packets can be replayed from its beginning"
    case .encrypted(let file, let connections):
      "\(file): nothing in it can be replayed, and \(connections) of its connections "
        + "\(connections == 1 ? "is" : "are") encrypted"
    case .unknownProtocol(let name): "there is no protocol '\(name)'"
    case .unknownMachine(let name, let side, _):
      "there is no \(side == .client ? "client" : "server") '\(name)'"
    }
  }
}
