import Capture

/// TCP, told in eight bytes a segment, so that mutations move segments and not checksums.
///
/// Each payload byte is the last one of its sequence number: what arrives at the sink shows by
/// itself whether it stands where it belongs.
enum SegmentTarget {
  /// One segment: flags and which connection, shifts of both numbers, sequence and acknowledgement
  /// number as distances from where the two ends are, length, window and time.
  private struct Spec {
    var flags: UInt8
    var isToServer: Bool
    var isSecondConnection: Bool
    var hasOtherBytes: Bool
    var isCut: Bool
    var sequence: UInt32
    var acknowledgement: UInt32
    var length: Int
    var window: UInt16
    var step: UInt64

    init(_ cursor: inout InputCursor) {
      let first = cursor.uint8()
      let shifts = cursor.uint8()
      // FIN, SYN, RST, and ACK where TCP has it.
      flags = first & 7 | (first & 8) << 1
      isToServer = first & 16 == 0
      isSecondConnection = first & 32 != 0
      hasOtherBytes = first & 64 != 0
      isCut = first & 128 != 0
      sequence = UInt32(truncatingIfNeeded: cursor.int16() << (Int(shifts & 15) * 2))
      acknowledgement = UInt32(truncatingIfNeeded: cursor.int16() << (Int(shifts >> 4) * 2))
      length = Int(cursor.uint8())
      let last = cursor.uint8()
      window = last & 15 == 0 ? 0 : UInt16(truncatingIfNeeded: 1 << Int(last & 15) &+ 1)
      step = last >> 4 == 15 ? .max : 1 << (4 * UInt64(last >> 4))
    }
  }

  /// Where the two ends of a connection are.
  private struct Ends {
    var client: UInt32 = 0xFFFF_FF00
    var server: UInt32 = 1000
  }

  static func run(_ input: [UInt8]) throws(FuzzFinding) {
    var cursor = InputCursor(input)
    let limits = limits(cursor.uint8())
    var file = PcapWriter(linkType: 228)
    var time: UInt64 = 1
    var ends = [Ends(), Ends()]
    var bytesCountUp = true
    while !cursor.isAtEnd {
      let spec = Spec(&cursor)
      // Clocks are set back at times.
      time = spec.step == .max ? 0 : time &+ spec.step
      if spec.hasOtherBytes { bytesCountUp = false }
      let packet = packet(spec, &ends[spec.isSecondConnection ? 1 : 0])
      let captured = spec.isCut ? packet.count - spec.length + spec.length / 2 : packet.count
      file.add(Array(packet.prefix(captured)), wireLength: packet.count, nanoseconds: time)
    }
    try CaptureTargets.read(file.bytes, limits, into: ContractSink(bytesCountUp: bytesCountUp))
  }

  /// Small ones are met by small inputs.
  private static func limits(_ choice: UInt8) -> CaptureLimits {
    var limits = CaptureLimits()
    if choice & 1 != 0 { limits.overlaps = .lastCopy }
    if choice & 2 != 0 {
      limits.bufferedSegmentsPerStream = 4
      limits.bufferedBytesPerStream = 1000
    }
    if choice & 4 != 0 { limits.bufferedBytes = 500 }
    if choice & 8 != 0 { limits.connections = 1 }
    return limits
  }

  private static func packet(_ spec: Spec, _ ends: inout Ends) -> [UInt8] {
    let sender = spec.isToServer ? ends.client : ends.server
    let receiver = spec.isToServer ? ends.server : ends.client
    let sequence = sender &+ spec.sequence
    let hasSyn = spec.flags & 2 != 0
    let first = hasSyn ? sequence &+ 1 : sequence
    let behind = first &+ UInt32(spec.length) &+ (spec.flags & 1 != 0 ? 1 : 0)
    // Who sends something near to where it is has come so far; what is far away came from nobody.
    if Int32(bitPattern: spec.sequence).magnitude < 1 << 16, Int32(bitPattern: behind &- sender) > 0
    {
      if spec.isToServer { ends.client = behind } else { ends.server = behind }
    }
    let client = port(40_000 + (spec.isSecondConnection ? 1 : 0))
    let server = port(1883)
    let total = 40 + spec.length
    var packet: [UInt8] = [0x45, 0] + port(total) + [0, 0, 0x40, 0, 64, 6, 0, 0]
    packet += spec.isToServer ? [10, 0, 0, 1, 10, 0, 0, 2] : [10, 0, 0, 2, 10, 0, 0, 1]
    packet += spec.isToServer ? client + server : server + client
    packet += number(sequence) + number(receiver &+ spec.acknowledgement)
    packet += [0x50, spec.flags] + port(Int(spec.window)) + [0, 0, 0, 0]
    for index in 0..<UInt32(spec.length) {
      let byte = UInt8(truncatingIfNeeded: first &+ index)
      packet.append(spec.hasOtherBytes ? ~byte : byte)
    }
    return packet
  }

  private static func port(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
  }

  private static func number(_ value: UInt32) -> [UInt8] {
    port(Int(value >> 16)) + port(Int(value & 0xFFFF))
  }

  /// The segments of a short life: SYN, SYN/ACK, data both ways with one out of order, FINs.
  static let seeds: [[UInt8]] = {
    let opening: [[UInt8]] = [
      [0x02, 0, 0, 0, 0, 0, 0, 0x4F], [0x1A, 0, 0, 0, 0, 0, 0, 0x4F],
      [0x08, 0, 0, 0, 0, 0, 0, 0x4F],
    ]
    let talk: [[UInt8]] = [
      [0x08, 0, 0, 0, 0, 0, 40, 0x5F], [0x18, 0, 0, 0, 0, 0, 30, 0x5F],
      [0x08, 0, 20, 0, 0, 0, 20, 0x5F], [0x08, 0, 0xD8, 0xFF, 0, 0, 20, 0x5F],
      [0x18, 0, 0, 0, 0, 0, 0, 0x50], [0x18, 0, 0, 0, 0, 0, 0, 0x5F],
    ]
    let ends: [[UInt8]] = [
      [0x09, 0, 0, 0, 0, 0, 0, 0x6F], [0x19, 0, 0, 0, 0, 0, 5, 0x6F],
      [0x08, 0, 0, 0, 0, 0, 0, 0x6F],
    ]
    let reset: [[UInt8]] = [[0x1C, 0, 0, 0, 0, 0, 0, 0x7F]]
    // Single bytes behind a hole, and segments over all of them of which half was captured.
    let islands = (0..<100).map { _ in [0x08, 0, 1, 0, 0, 0, 1, 0x5F] as [UInt8] }
    let covers = (0..<100).map { _ in [0x88, 0, 0x39, 0xFF, 0, 0, 199, 0x5F] as [UInt8] }
    let second = (opening + talk).map { [$0[0] | 0x20] + $0[1...] }
    return [
      [0] + (opening + talk + ends).joined(), [6] + (opening + talk + reset).joined(),
      [1] + (talk + ends + opening).joined(), [0] + (opening + islands + covers).joined(),
      [14] + (opening + talk + second + ends).joined(),
    ]
  }()
}
