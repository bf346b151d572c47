public import Timeline

/// Which way bytes or messages travel.
@frozen
public enum Direction: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case toServer = 0
  case toClient = 1

  @inlinable public var opposite: Direction { self == .toServer ? .toClient : .toServer }
}

/// Where in a capture something was seen.
@frozen
public struct Moment: Hashable, Sendable, BitwiseCopyable {
  /// Nanoseconds since the Unix epoch, as recorded.
  public var time: Instant
  /// One-based number of the packet in its capture, as Wireshark counts.
  public var frame: UInt32

  @inlinable public init(time: Instant, frame: UInt32) {
    self.time = time
    self.frame = frame
  }
}

/// A TCP connection of a capture: numbered from 0 in the order of their first packets.
@frozen
public struct ConnectionID: Hashable, Comparable, Sendable, BitwiseCopyable {
  public var index: UInt32
  @inlinable public init(_ index: UInt32) { self.index = index }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.index < b.index }
}

/// An IPv4 or IPv6 address and a port.
///
/// Plain bits, no array: descriptions go along with every event, and copying one must cost nothing.
@frozen
public struct Endpoint: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  /// The first 8 bytes of an IPv6 address, big endian; 0 for IPv4.
  public var high: UInt64
  /// The last 8 bytes of an IPv6 address, or the 4 bytes of an IPv4 address.
  public var low: UInt64
  public var port: UInt16
  public var isIPv6: Bool

  @inlinable public init(high: UInt64, low: UInt64, isIPv6: Bool, port: UInt16) {
    self.high = high
    self.low = low
    self.port = port
    self.isIPv6 = isIPv6
  }

  /// - Parameter address: 4 or 16 bytes in network order.
  public init(address: [UInt8], port: UInt16) {
    precondition(address.count == 4 || address.count == 16, "\(address.count) bytes of address")
    func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    self.high = address.count == 16 ? number(address[..<8]) : 0
    self.low = number(address.count == 16 ? address[8...] : address[...])
    self.port = port
    self.isIPv6 = address.count == 16
  }

  /// 4 or 16 bytes in network order.
  public var address: [UInt8] {
    func bytes(_ word: UInt64, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64(count - 1 - $0))) }
    }
    return isIPv6 ? bytes(high, 8) + bytes(low, 8) : bytes(low, 4)
  }

  /// `10.0.0.1:1883`, `[2001:db8::1]:1883` (RFC 5952).
  public var description: String {
    isIPv6
      ? "[" + Self.compressed(address) + "]:\(port)"
      : address.map(String.init).joined(separator: ".") + ":\(port)"
  }

  private static func compressed(_ bytes: [UInt8]) -> String {
    let groups = stride(from: 0, to: bytes.count & ~1, by: 2).map {
      UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
    }
    var best = 0..<0
    var start: Int?
    for (index, group) in (groups + [1]).enumerated() {
      if group == 0, index < groups.count {
        start = start ?? index
      } else if let from = start {
        if index - from > best.count, index - from > 1 { best = from..<index }
        start = nil
      }
    }
    func hex(_ slice: ArraySlice<UInt16>) -> String {
      slice.map { String($0, radix: 16) }.joined(separator: ":")
    }
    if best.isEmpty { return hex(groups[...]) }
    return hex(groups[..<best.lowerBound]) + "::" + hex(groups[best.upperBound...])
  }
}

/// Who talks to whom on a connection.
@frozen
public struct ConnectionDescription: Hashable, Sendable, BitwiseCopyable {
  public var client: Endpoint
  public var server: Endpoint
  /// How `client` was told from `server`.
  @frozen
  public enum ClientRule: String, Sendable, BitwiseCopyable {
    case synSender, synAckReceiver, port, firstSpeaker
  }
  public var clientRule: ClientRule

  public init(client: Endpoint, server: Endpoint, clientRule: ClientRule) {
    self.client = client
    self.server = server
    self.clientRule = clientRule
  }
}

/// Why bytes of a stream are not there.
public enum GapKind: String, Sendable, BitwiseCopyable {
  /// The peer acknowledged them: they travelled, the capture missed them.
  case notCaptured
  /// Nobody ever acknowledged them.
  case lostOnTheWire
  /// The capture can't tell (one-sided, cut by the snap length, began mid-stream).
  case unknown
  /// They were captured encrypted and can't be decrypted; the length is that of what is inside, or
  /// a little more.
  case encrypted
  /// They were captured, and given up before what they began was complete: too much waited
  /// (`UnfinishedBytes`).
  case givenUp
}

/// Whether the bytes of an encrypted direction can be read, and if not, why.
public enum Secrecy: String, Sendable, BitwiseCopyable {
  /// What follows was decrypted.
  case decrypted
  /// Nobody gave the secrets of this client random.
  case noSecrets
  /// The handshake, or one side of it, is not in the capture.
  case beganMidStream
  case suiteNotSupported
  case versionNotSupported
  /// Records are missing, and the place in the sequence could not be found again.
  case bytesMissing
  /// The secrets are not those of this connection, or somebody changed bytes.
  case authenticationFailed
  /// It isn't what it seemed to be, or a limit was met.
  case malformed
}

/// What a capture shows of one connection, in the order of its packets.
///
/// Bytes that came out of order are told when the bytes before them have come, with the moment of
/// the packet that carried them: within a direction offsets never go back, moments may.
/// Stream offsets count payload bytes of one direction from 0 = the first byte after the SYN, or
/// the first byte seen when the SYN is missing.
public enum ConnectionEvent: Sendable, BitwiseCopyable {
  /// The first packet. `handshake`: the SYN was seen, so offsets are the true ones.
  case began(handshake: Bool)
  /// Both SYNs were acknowledged; from now on both ends can send.
  case established
  /// In-order bytes, never seen before. They come beside the event.
  case bytes(Direction, offset: UInt64)
  /// A hole that will not be filled: bytes after it follow.
  case gap(Direction, offset: UInt64, length: UInt64, GapKind)
  /// The receiver's TCP has everything below `upTo`.
  case acknowledged(Direction, upTo: UInt64)
  /// Bytes that had been sent before, sent again (not in `bytes` again).
  case retransmission(Direction, offset: UInt64, length: UInt64)
  /// A TCP keep-alive probe (RFC 9293 §3.8.4), not data.
  case keepAliveProbe(Direction)
  /// The receiver of this direction advertises that it can take nothing (`true`), or something
  /// again.
  case windowClosed(Direction, Bool)
  /// FIN: the sender of this direction will send nothing after `offset`.
  case finished(Direction, offset: UInt64)
  /// From here on what this direction sends is inside TLS: offsets and lengths count the plaintext,
  /// and what can't be read comes as gaps that are `encrypted`. Told when it changes.
  case secured(Direction, Secrecy)
  /// RST sent in this direction.
  case reset(Direction)
  /// Nothing more will be told: the connection ended, was retired, or the capture is over.
  case ended(EndOfConnection)
}

extension ConnectionEvent {
  /// It says something of what was sent, seen or not.
  @inlinable public var isContent: Bool {
    switch self {
    case .bytes, .gap: true
    case .began, .established, .acknowledged, .retransmission, .keepAliveProbe, .windowClosed,
      .finished, .secured, .reset, .ended:
      false
    }
  }
}

/// Why nothing more is told of a connection.
public enum EndOfConnection: String, Sendable, BitwiseCopyable {
  case closed, reset, refused
  /// The same four-tuple was used again.
  case reused
  /// The capture stopped while it was open.
  case captureOver
  /// Retired to keep memory bounded.
  case evicted
}

/// Takes what a capture shows of its connections, packet by packet.
public protocol ConnectionSink: AnyObject {
  /// - Parameters:
  ///   - description: who talks to whom. Known from the first packet on and the same for all
  ///     events of the connection.
  ///   - bytes: the payload of a `.bytes` event, empty for all others; valid during the call only.
  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment)

  /// Takes a segment like nearly all of them, if the sink has a quick way for it.
  ///
  /// - Parameter bytes: the payload, maybe empty; valid during the call only.
  /// - Returns: `false` when nothing has happened, and the sink wants to be told the segment's
  ///   events instead.
  func takes(
    _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) -> Bool

  /// The same for segments that come one after the other: as many calls less.
  ///
  /// - Returns: how many were taken, from the first one on. When it is 0, nothing has happened, and
  ///   the sink wants to be told the first one's events instead.
  func take(_ run: SegmentRun) -> Int

  /// What may be done to the bytes of each segment of a run before the sink is told of it. Segments
  /// may come without it.
  var preparation: SegmentPreparation? { get }

  /// Bytes that are told from now on and lie there are more than valid during the call: whoever
  /// holds them can come back to them. `nil`: no others do.
  func lend(_ memory: (any LastingBytes)?)

  /// These segments come soon, or events of their connections, in this order. Nothing is told by
  /// this: a sink that keeps much of each of many connections can fetch what it keeps from memory,
  /// for several connections at a time, instead of waiting for each piece when it is needed. They
  /// may be of connections that the sink will never be told of.
  func foresee(_ run: SegmentRun)
}

extension ConnectionSink {
  public func takes(
    _ segment: PlainSegment, of connection: ConnectionID, bytes: UnsafeRawBufferPointer,
    at moment: Moment
  ) -> Bool { false }

  public func take(_ run: SegmentRun) -> Int {
    var taken = 0
    while taken < run.count,
      unsafe takes(
        run[taken].segment, of: run[taken].connection, bytes: run.at(taken).bytes,
        at: run[taken].moment)
    {
      taken += 1
    }
    return taken
  }

  public var preparation: SegmentPreparation? { nil }

  public func lend(_ memory: (any LastingBytes)?) {}

  public func foresee(_ run: SegmentRun) {}
}
