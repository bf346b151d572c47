import Wire

/// What a user says of ports: that one protocol or another is spoken there, whatever it looks like.
///
/// A port may have several: `tls=9001 websocket=9001 mqtt=9001` is MQTT in WebSocket in TLS.
public struct PortAssignments: Hashable, Sendable {
  /// What can be around a protocol.
  public static let wrappings = ["tls", "websocket"]

  private var wrapped: [String: Set<UInt16>] = [:]
  /// The protocol inside, by port.
  public private(set) var protocols: [UInt16: String] = [:]

  public init() {}

  public var isEmpty: Bool { wrapped.isEmpty && protocols.isEmpty }

  /// Why an assignment is of no use.
  public struct Misuse: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
  }

  /// - Parameters:
  ///   - text: `mqtt=18834`.
  ///   - known: the protocols besides `wrappings`.
  public mutating func add(_ text: String, known: [String]) throws(Misuse) {
    let parts = text.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw Misuse(description: "'\(text)' is not protocol=port, such as mqtt=18834.")
    }
    let name = parts[0].lowercased()
    guard known.contains(name) || Self.wrappings.contains(name) else {
      let all = (known + Self.wrappings).joined(separator: ", ")
      throw Misuse(description: "There is no protocol '\(parts[0])'; known are \(all).")
    }
    guard let port = UInt16(parts[1]), port > 0, parts[1].allSatisfy(\.isNumber) else {
      throw Misuse(description: "'\(parts[1])' is no port: a number from 1 to 65535.")
    }
    if Self.wrappings.contains(name) {
      wrapped[name, default: []].insert(port)
    } else if let other = protocols[port], other != name {
      throw Misuse(description: "Port \(port) can't be both \(other) and \(name).")
    } else {
      protocols[port] = name
    }
  }

  /// Whether the server's port, or the client's, was said to be inside of this.
  func assigns(_ wrapping: String, _ description: ConnectionDescription) -> Bool {
    guard let ports = wrapped[wrapping] else { return false }
    return ports.contains(description.server.port) || ports.contains(description.client.port)
  }
}
