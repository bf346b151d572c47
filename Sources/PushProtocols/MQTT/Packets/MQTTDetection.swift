public import Wire

/// Whether a byte stream is MQTT, judged by its content. A port number is no proof.
public enum MQTTDetection: Hashable, Sendable {
  /// It begins with the head of a CONNECT: protocol name, level and flags are right.
  case certain(MQTTVersion)
  /// At least three packets without any fault follow each other, and nothing else stands between.
  case likely
  /// Nothing speaks against it yet; more bytes may decide.
  case undecided
  case no

  /// Judges the first bytes that were captured of one direction.
  ///
  /// - Parameters:
  ///   - direction: which end sends them, `nil` when nobody knows.
  ///   - minimumPackets: how long a chain has to be without a CONNECT in front.
  public static func judge(
    _ bytes: RawSpan, direction: Direction?, minimumPackets: Int = 3
  ) -> MQTTDetection {
    guard bytes.byteCount > 0 else { return .undecided }
    if direction != .toClient, let verdict = judgeConnect(bytes) { return verdict }
    let chain = MQTTPacketChain(bytes, direction: direction)
    guard chain.isUnbroken else { return .no }
    return chain.packets >= minimumPackets ? .likely : .undecided
  }

  /// `nil` when the bytes don't begin with a CONNECT.
  private static func judgeConnect(_ bytes: RawSpan) -> MQTTDetection? {
    var reader = ByteReader(bytes)
    guard let first = try? reader.readUInt8("type"), first == 0x10 else { return nil }
    var length = 0
    for shift in [0, 7, 14, 21] {
      guard let byte = try? reader.readUInt8("length") else { return .undecided }
      length |= Int(byte & 0x7F) << shift
      if byte < 0x80 { break }
      if shift == 21 { return .no }
    }
    // The shortest CONNECT: name, level, flags, keep alive and an empty client identifier.
    guard length >= 12 else { return .no }
    for (name, level) in heads {
      var head = reader
      var matched = true
      for expected in name {
        guard let byte = try? head.readUInt8("name") else { return .undecided }
        if byte != expected {
          matched = false
          break
        }
      }
      guard matched else { continue }
      guard let byte = try? head.readUInt8("level") else { return .undecided }
      guard let version = MQTTVersion(rawValue: byte & 0x7F), level.contains(version) else {
        return .no
      }
      guard let flags = try? head.readUInt8("flags") else { return .undecided }
      return flags & 1 == 0 || version == .v3_1 ? .certain(version) : .no
    }
    return .no
  }

  private static let heads: [(name: [UInt8], levels: [MQTTVersion])] = [
    ([0, 4] + Array("MQTT".utf8), [.v3_1_1, .v5]),
    ([0, 6] + Array("MQIsdp".utf8), [.v3_1]),
  ]
}

/// What stands at the beginning of some bytes if they are read as packets, one after the other.
public struct MQTTPacketChain: Hashable, Sendable {
  /// How many packets follow each other that can be read and break no rule at all.
  public var packets = 0
  /// Bytes that they cover.
  public var length = 0
  /// What follows them is nothing, or could be the beginning of another.
  public var isUnbroken = true

  /// Reads at most `limit` packets: enough to judge.
  public init(
    _ bytes: RawSpan, version: MQTTVersion = .unknown, direction: Direction?, limit: Int = 16
  ) {
    while packets < limit, length < bytes.byteCount {
      let rest = bytes.extracting(length..<bytes.byteCount)
      switch Self.size(rest, direction: direction) {
      case .unfinished: return
      case .implausible:
        isUnbroken = false
        return
      case .whole(let size):
        let packet = rest.extracting(0..<size)
        guard
          let decoded = try? MQTTPacket.decode(packet, version: version, direction: direction),
          decoded.violations.isEmpty
        else {
          isUnbroken = false
          return
        }
        packets += 1
        length += size
      }
    }
  }

  private enum Size {
    case whole(Int)
    case unfinished
    case implausible
  }

  /// Judges a fixed header without looking further: cheap, as most candidates fail here.
  private static func size(_ bytes: RawSpan, direction: Direction?) -> Size {
    var reader = ByteReader(bytes)
    guard let first = try? reader.readUInt8("type"),
      let type = MQTTPacketType(rawValue: first >> 4),
      first & 0x0F == type.requiredFlags ?? first & 0x0F,
      type != .publish || first & 6 != 6
    else { return .implausible }
    var length = 0
    for shift in [0, 7, 14, 21] {
      guard let byte = try? reader.readUInt8("length") else { return .unfinished }
      length |= Int(byte & 0x7F) << shift
      if byte < 0x80 { break }
      if shift == 21 { return .implausible }
    }
    guard isPlausible(length, for: type) else { return .implausible }
    return length <= reader.remaining ? .whole(reader.offset + length) : .unfinished
  }

  private static func isPlausible(_ length: Int, for type: MQTTPacketType) -> Bool {
    switch type {
    case .pingreq, .pingresp: length == 0
    case .connect: length >= 12
    case .connack, .puback, .pubrec, .pubrel, .pubcomp, .unsuback: length >= 2
    case .publish, .suback: length >= 3
    case .subscribe: length >= 6
    case .unsubscribe: length >= 5
    case .disconnect, .auth: true
    }
  }
}
