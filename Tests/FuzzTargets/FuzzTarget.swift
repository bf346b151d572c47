/// What a hostile input did that it must not: it broke a promise that readers of bytes make.
public struct FuzzFinding: Error, CustomStringConvertible {
  public var description: String

  init(_ description: String) { self.description = description }
}

/// A reader of bytes that anybody may have written, from the bytes on.
///
/// `run` returns, whatever the input: no trap, no hang, no event that breaks the order which sinks
/// rely on, no more events than the input accounts for.
public enum FuzzTarget: String, CaseIterable, Sendable {
  /// A capture file: pcap, pcapng, either in gzip or zstd.
  case containers
  /// A link type, and packets of it.
  case links
  /// TCP segments, told in a few bytes each.
  case segments
  /// A key log, and both directions of a connection.
  case tls
  /// Both directions of a connection that may be a WebSocket.
  case websocket
  /// Both directions of a connection that is taken for MQTT.
  case mqtt
  /// Both directions of a connection that is taken for a provider's to APNs.
  case http2
  /// One direction of a courier's connection, in either framing.
  case apnsSerial = "apns-serial"
  case apnsPacked = "apns-packed"
  /// Both directions of a connection that is taken for a courier's.
  case apns
  /// A scenario file.
  case scenario

  public func run(_ input: [UInt8]) throws(FuzzFinding) {
    switch self {
    case .containers: try CaptureTargets.readFile(input)
    case .links: try CaptureTargets.readPackets(input)
    case .segments: try SegmentTarget.run(input)
    case .tls: try WrappingTargets.readTLS(input)
    case .websocket: try WrappingTargets.readWebSocket(input)
    case .mqtt: try ObservationTarget.run(input, "mqtt")
    case .http2: try ObservationTarget.run(input, "apns-provider")
    case .apnsSerial: try APNsTargets.readSerial(input)
    case .apnsPacked: try APNsTargets.readPacked(input)
    case .apns: try ObservationTarget.run(input, "apns")
    case .scenario: try ScenarioTarget.run(input)
    }
  }
}

/// Takes an input apart. Behind its end there are zeros, without end.
struct InputCursor {
  private(set) var rest: ArraySlice<UInt8>

  init(_ input: [UInt8]) { rest = input[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func uint8() -> UInt8 { rest.popFirst() ?? 0 }

  mutating func uint16() -> UInt16 {
    let low = uint8()
    return UInt16(uint8()) << 8 | UInt16(low)
  }

  mutating func int16() -> Int { Int(Int16(bitPattern: uint16())) }

  /// The next bytes, or fewer at the end.
  mutating func take(_ count: Int) -> [UInt8] {
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }
}
