public import Wire

/// A PUBLISH where it lies: what an inspection needs of it, with topic, properties and payload as
/// ranges of the packet's bytes.
///
/// Reading one allocates nothing as long as the packet breaks no rule. A capture of a gigabyte
/// holds millions of PUBLISHes, most of which are only counted and matched: a topic is looked up
/// by `topicHash(in:)` before anybody makes a `String` of it, a payload is recognised on its way
/// from publisher to subscriber by `payloadHash(in:)`, and neither is copied before `owned(in:)`.
/// The view doesn't hold on to the bytes; the caller passes the same packet again.
public struct MQTTPublishView: Hashable, Sendable {
  public var duplicate: Bool
  public var qos: MQTTQoS
  public var retain: Bool
  /// `nil` with QoS 0.
  public var packetID: UInt16?
  /// All ranges count bytes from the start of the packet, its fixed header included.
  public var topic: Range<Int>
  /// The property block with its length; empty before 5.0.
  public var properties: Range<Int>
  public var payload: Range<Int>
  public var topicAlias: UInt16?
  /// Seconds.
  public var messageExpiryInterval: UInt32?

  /// Reads the whole packet `bytes`, fixed header and all.
  ///
  /// - Parameters:
  ///   - version: 3.1, 3.1.1 or 5.0; `unknown` reads as 3.1.1, see `MQTTPacket.decode`.
  ///   - direction: who sends it, for the rules that depend on it.
  ///   - violations: is appended to.
  public init(
    decoding bytes: RawSpan, version: MQTTVersion, direction: Direction?,
    violations: inout [MQTTViolation]
  ) throws(DecodeError) {
    var reader = MQTTPacketReader(
      bytes, version: version == .unknown ? .v3_1_1 : version, direction: direction)
    let header = try reader.fixedHeader()
    guard header.type == .publish else {
      throw DecodeError(offset: 0, expected: "PUBLISH, not \(header.type.name)")
    }
    self = try reader.publish(flags: header.flags)
    if !reader.violations.isEmpty { violations += reader.violations }
  }

  /// A 64-bit hash of the topic: the same for the same bytes, in all runs and on all machines.
  public func topicHash(in packet: RawSpan) -> UInt64 {
    MQTTContentHash.hash(packet.extracting(topic))
  }

  /// A 64-bit hash of the payload: the same for the same bytes, in all runs and on all machines.
  public func payloadHash(in packet: RawSpan) -> UInt64 {
    MQTTContentHash.hash(packet.extracting(payload))
  }

  public func topicText(in packet: RawSpan) -> String {
    MQTTText.string(packet.extracting(topic))
  }

  /// The property list, read again; empty before 5.0.
  public func propertyList(in packet: RawSpan) -> MQTTProperties {
    if properties.isEmpty { return [] }
    var reader = MQTTPacketReader(packet, version: .v5, direction: nil)
    reader.reader.seek(to: properties.lowerBound)
    // The view was made by reading the same block: it can't fail now, and has told its faults.
    return (try? reader.properties(in: .packet(.publish))) ?? []
  }

  /// Copies everything out.
  public func owned(in packet: RawSpan) -> MQTTPublish {
    MQTTPublish(
      topic: topicText(in: packet), payload: payloadBytes(in: packet), qos: qos,
      packetID: packetID, retain: retain, duplicate: duplicate,
      properties: propertyList(in: packet))
  }

  public func payloadBytes(in packet: RawSpan) -> [UInt8] {
    unsafe packet.extracting(payload).withUnsafeBytes { unsafe Array($0) }
  }
}

extension MQTTPacketReader {
  /// Reads what follows the fixed header of a PUBLISH (§3.3).
  mutating func publish(flags: UInt8) throws(DecodeError) -> MQTTPublishView {
    guard let qos = MQTTQoS(rawValue: flags >> 1 & 3) else { throw failure(.publishQoS3, at: 0) }
    let duplicate = flags & 0b1000 != 0
    if duplicate, qos == .atMostOnce { report(.duplicateQoS0, at: 0) }

    let topicOffset = reader.offset
    let topic = try textBytes("topic name")
    let topicRange = topicOffset + 2..<reader.offset
    if MQTTText.hasWildcard(topic) {
      report(.topicWildcard, at: topicOffset, "'\(MQTTText.string(topic))'")
    }
    let id: UInt16? = qos == .atMostOnce ? nil : try packetID()

    let propertyOffset = reader.offset
    let glance = try glanceAtProperties(in: .packet(.publish))
    if topicRange.isEmpty, glance.topicAlias == nil {
      report(version == .v5 ? .topicAbsentWithoutAlias : .topicEmpty, at: topicOffset)
    }
    let payload = reader.offset..<packet.byteCount
    return MQTTPublishView(
      duplicate: duplicate, qos: qos, retain: flags & 1 != 0, packetID: id, topic: topicRange,
      properties: propertyOffset..<reader.offset, payload: payload, topicAlias: glance.topicAlias,
      messageExpiryInterval: glance.messageExpiryInterval)
  }
}

extension MQTTPublishView {
  fileprivate init(
    duplicate: Bool, qos: MQTTQoS, retain: Bool, packetID: UInt16?, topic: Range<Int>,
    properties: Range<Int>, payload: Range<Int>, topicAlias: UInt16?,
    messageExpiryInterval: UInt32?
  ) {
    self.duplicate = duplicate
    self.qos = qos
    self.retain = retain
    self.packetID = packetID
    self.topic = topic
    self.properties = properties
    self.payload = payload
    self.topicAlias = topicAlias
    self.messageExpiryInterval = messageExpiryInterval
  }
}

/// A fast hash of bytes that is part of what a run prints, so never seeded by the process.
///
/// Eight bytes at a time, mixed by a folded 128-bit product. Not for telling apart what an
/// attacker chose: a match is evidence to look at, and is confirmed by comparing bytes.
public enum MQTTContentHash {
  public static func hash(_ bytes: RawSpan) -> UInt64 {
    unsafe bytes.withUnsafeBytes { unsafe hash($0) }
  }

  static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let count = bytes.count
    var hash = mix(
      UInt64(truncatingIfNeeded: count) ^ 0x9E37_79B9_7F4A_7C15, 0xBF58_476D_1CE4_E5B9)
    guard count > 0, let start = bytes.baseAddress else {
      return mix(hash, 0xD6E8_FEB8_6659_FD93)
    }
    var index = 0
    if count >= 64 {
      index = count & ~63
      hash = unsafe hashOfBlocks(start, index, hash)
    }
    while index &+ 8 <= count {
      hash = unsafe mix(hash ^ word(start, index), 0x94D0_49BB_1331_11EB)
      index &+= 8
    }
    var tail: UInt64 = 0
    if count >= 8 {
      // The last eight bytes, without those that were hashed already.
      let last = unsafe word(start, count &- 8).byteSwapped
      tail = last & (1 << (8 * UInt64(truncatingIfNeeded: count &- index)) - 1)
    } else {
      while index < count {
        tail = tail << 8 | UInt64(unsafe bytes[index])
        index &+= 1
      }
    }
    return mix(hash ^ tail, 0xD6E8_FEB8_6659_FD93)
  }

  /// Four chains side by side: a processor multiplies one while it waits for the others.
  ///
  /// - Parameter count: a multiple of 64.
  private static func hashOfBlocks(
    _ bytes: UnsafeRawPointer, _ count: Int, _ start: UInt64
  ) -> UInt64 {
    var (a, b, c, d) = (start, start ^ 0x2545, start ^ 0xF491, start ^ 0x4F6C)
    var at = unsafe bytes
    let end = unsafe bytes + count
    while unsafe at < end {
      a = unsafe mix(a ^ word(at, 0), word(at, 8) ^ 0x94D0_49BB_1331_11EB)
      b = unsafe mix(b ^ word(at, 16), word(at, 24) ^ 0xBF58_476D_1CE4_E5B9)
      c = unsafe mix(c ^ word(at, 32), word(at, 40) ^ 0xD6E8_FEB8_6659_FD93)
      d = unsafe mix(d ^ word(at, 48), word(at, 56) ^ 0x9E37_79B9_7F4A_7C15)
      unsafe at += 64
    }
    return mix(a ^ b, c | 1) ^ mix(c ^ d, 0x94D0_49BB_1331_11EB)
  }

  @inline(__always)
  private static func word(_ bytes: UnsafeRawPointer, _ index: Int) -> UInt64 {
    unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
  }

  @inline(__always)
  private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low ^ a
  }
}
