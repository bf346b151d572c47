import Wire

/// Tells MQTT from everything else by the first bytes of a connection.
enum MQTTRecognition {
  /// Whole packets in their middle that convince, when no CONNECT is there to do so.
  private static let midStreamPackets = 2

  static func judge(_ opening: ConnectionOpening) -> Recognition {
    if !opening.toServer.isEmpty {
      switch beginsWithConnect(opening.toServer) {
      case .mine: return .mine
      case .undecided: return opening.isComplete ? .notMine : .undecided
      case .notMine: break
      }
      // A client whose first byte was seen speaks CONNECT, or something else.
      if opening.handshake, !opening.hasGap { return .notMine }
    }
    if opening.handshake, !opening.hasGap {
      // No server of MQTT speaks first.
      if opening.toServer.isEmpty, !opening.toClient.isEmpty { return .notMine }
      return opening.isComplete ? .notMine : .undecided
    }
    return judgeMidStream(opening)
  }

  /// CONNECT: 0x10, Remaining Length, `MQTT` with level 3 to 5 or `MQIsdp` with 3 (§3.1).
  static func beginsWithConnect(_ bytes: [UInt8]) -> Recognition {
    guard let first = bytes.first else { return .undecided }
    if first >> 4 != 1 { return .notMine }
    var index = 1
    while index < bytes.count, bytes[index] >= 0x80 {
      index += 1
      if index > 4 { return .notMine }
    }
    index += 1
    for name in [[0, 4] + Array("MQTT".utf8), [0, 6] + Array("MQIsdp".utf8)] {
      let rest = bytes.dropFirst(index)
      if rest.count < name.count {
        if name.starts(with: rest) { return .undecided }
      } else if rest.starts(with: name) {
        return .mine
      }
    }
    return .notMine
  }

  /// Both directions must read as good packets, of kinds that their sender may send.
  private static func judgeMidStream(_ opening: ConnectionOpening) -> Recognition {
    var packets = 0
    var isPossible = false
    for (bytes, direction) in [
      (opening.toServer, Direction.toServer), (opening.toClient, .toClient),
    ] where !bytes.isEmpty {
      let chain = unsafe MQTTPacketChain(bytes.span.bytes, direction: direction)
      if !chain.isUnbroken {
        // It may begin in the middle of a packet; then the other direction has to convince alone.
        continue
      }
      isPossible = true
      packets += chain.packets
    }
    if packets >= midStreamPackets { return .mine }
    if opening.isComplete { return .notMine }
    return isPossible || opening.toServer.count + opening.toClient.count < 4096
      ? .undecided : .notMine
  }
}
