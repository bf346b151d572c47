public import Wire

/// What the packets seen so far prove about the format of a connection whose CONNECT is missing.
///
/// Only proof narrows: bytes that one format can't read at all, or a CONNECT. Formats that both
/// read them stay possible, however unlikely one is. On the wire 3.1 and 3.1.1 can't be told
/// apart without the CONNECT, so they are one: `v3_1_1` then stands for both.
public struct MQTTVersionGuess: Hashable, Sendable {
  /// `unknown` as long as more than one format is possible.
  public private(set) var version: MQTTVersion

  public init(_ version: MQTTVersion = .unknown) { self.version = version }

  /// Takes one whole packet of the connection, of either direction.
  ///
  /// - Returns: whether this packet decided it.
  @discardableResult
  public mutating func narrow(by packet: RawSpan, direction: Direction?) -> Bool {
    guard version == .unknown,
      let decoded = try? MQTTPacket.decode(packet, version: .unknown, direction: direction)
    else { return false }
    return narrow(by: decoded)
  }

  /// Takes what `MQTTPacket.decode` made of a packet with `version` `unknown`.
  @discardableResult
  public mutating func narrow(by decoded: MQTTDecoded) -> Bool {
    guard version == .unknown, decoded.version != .unknown else { return false }
    version = decoded.version
    return true
  }
}
