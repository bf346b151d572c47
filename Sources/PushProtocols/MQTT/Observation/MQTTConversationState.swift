import Custody
import Timeline
import Wire

extension ConnectionEvent {
  /// A segment of the server shows it.
  var isFromServer: Bool {
    switch self {
    case .bytes(let direction, _), .gap(let direction, _, _, _),
      .retransmission(let direction, _, _),
      .keepAliveProbe(let direction), .finished(let direction, _), .reset(let direction):
      direction == .toClient
    case .acknowledged(let direction, _), .windowClosed(let direction, _): direction == .toServer
    case .began, .established, .secured, .ended: false
    }
  }
}

/// A packet with where it was.
struct MQTTSeenPacket {
  var packet: MQTTPacket
  /// Stream offset behind its last byte.
  var end: UInt64
  /// Bytes of the whole packet.
  var size: UInt64
  /// Of the segment that completed it.
  var moment: Moment
}

/// A PUBACK or PUBREC that came before its PUBLISH.
struct MQTTEarlyAnswer {
  var direction: Direction
  var type: MQTTPacketType
  var packet: MQTTAcknowledgement
  var end: UInt64
  var moment: Moment
}

/// What TCP shows of a connection, as far as a verdict needs it.
struct MQTTTransportState {
  private var sent = BothWays<UInt64>(0)
  private var acknowledged = BothWays<UInt64>(0)
  /// To the client: how often bytes were repeated since the client last acknowledged any.
  private(set) var repetitions = 0
  private(set) var lastRepetition: Moment?

  mutating func sent(_ direction: Direction, upTo: UInt64) {
    sent[direction] = max(sent[direction], upTo)
  }

  mutating func acknowledged(_ direction: Direction, upTo: UInt64) {
    acknowledged[direction] = max(acknowledged[direction], upTo)
  }

  mutating func repeated(_ direction: Direction, at moment: Moment) {
    guard direction == .toClient else { return }
    repetitions += 1
    lastRepetition = moment
  }

  func handOver(to traffic: inout MQTTTraffic) {
    traffic.sentUpTo = sent
    traffic.acknowledgedUpTo = acknowledged
  }

  mutating func catchUp(with traffic: borrowing MQTTTraffic) {
    sent = traffic.sentUpTo
    acknowledged = traffic.acknowledgedUpTo
  }

  /// Bytes that the other end's TCP has not acknowledged: a FIN behind them may not have come out.
  func isOutstanding(_ direction: Direction) -> Bool {
    acknowledged[direction] < sent[direction]
  }
}
