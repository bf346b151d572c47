public import Timeline

/// Which copy counts when a sender repeats bytes with other content. Receivers differ; the first
/// copy is what most keep. Conflicts among bytes that are held back are warned about either way.
public enum OverlapPolicy: Sendable {
  case firstCopy
  /// Bytes are told only when they are acknowledged: until then another copy may come.
  case lastCopy
}

/// What a capture may cost in memory. Each limit that is met is warned about.
public struct CaptureLimits: Sendable {
  /// Out-of-order bytes that one direction of one connection may hold back.
  public var bufferedBytesPerStream = 16 << 20
  /// Out-of-order segments that one direction of one connection may hold back.
  public var bufferedSegmentsPerStream = 8192
  /// Out-of-order bytes that all connections together may hold back.
  public var bufferedBytes = 64 << 20
  /// Connections that are followed at a time; beyond, the longest idle are retired.
  public var connections = 100_000
  /// A connection without any packet for longer than this is retired: nobody says goodbye for a
  /// host that is gone. The longest keep-alive of MQTT is 18 hours, and one and a half of them are
  /// allowed.
  public var idle = Nanoseconds.hours(36)
  /// How long a connection that has ended is remembered, so that its stragglers are not taken for
  /// a new one: twice the maximum segment lifetime (RFC 9293 §3.4.2).
  public var afterlife = Nanoseconds.minutes(4)
  /// How long after a reset what the other end had under way is still told.
  public var resetLinger = Nanoseconds.seconds(1)
  /// Incomplete IP packets that are kept at a time, and for how long (RFC 8200 §4.5: 60 s).
  public var fragmentedPackets = 256
  public var fragmentLifetime = Nanoseconds.seconds(60)

  public var overlaps = OverlapPolicy.firstCopy

  public init() {}
}
