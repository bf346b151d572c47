import Timeline
import Wire

/// Both directions of one connection, told in three bytes a turn and the bytes themselves.
struct Talk {
  enum Turn {
    case bytes(Direction, [UInt8])
    case gap(Direction, Int)
    case acknowledged(Direction, Int)
    case retransmission(Direction, Int)
    case finished(Direction)
  }

  private var turns: [(turn: Turn, step: UInt64)] = []

  static let client = Endpoint(address: [10, 0, 0, 1], port: 40_000)
  static let server = Endpoint(address: [10, 0, 0, 2], port: 1883)
  static let description = ConnectionDescription(
    client: client, server: server, clientRule: .synSender)

  /// Reads on to the end of an input.
  init(_ cursor: inout InputCursor) {
    while !cursor.isAtEnd {
      let first = cursor.uint8()
      let count = Int(cursor.uint16())
      let direction = first & 1 == 0 ? Direction.toServer : .toClient
      let turn: Turn =
        switch first >> 1 & 7 {
        case 4: .gap(direction, max(1, count))
        case 5: .acknowledged(direction, count)
        case 6: .retransmission(direction, max(1, count))
        case 7: .finished(direction)
        default: .bytes(direction, cursor.take(count))
        }
      turns.append((turn, 1 << (4 * UInt64(first >> 4))))
    }
  }

  var hasGaps: Bool {
    turns.contains { turn, _ in
      if case .gap = turn { true } else { false }
    }
  }

  /// Told as one connection.
  ///
  /// - Parameter chunk: the most bytes that one event has.
  /// - Returns: the last moment.
  @discardableResult
  func tell(_ sink: any ConnectionSink, handshake: Bool, chunk: Int = .max) -> Moment {
    let connection = ConnectionID(0)
    var moment = Moment(time: .start, frame: 1)
    var next: [UInt64] = [0, 0]
    var acknowledged: [UInt64] = [0, 0]
    var isFinished = [false, false]
    func send(_ event: ConnectionEvent, _ bytes: ArraySlice<UInt8> = []) {
      unsafe bytes.withUnsafeBytes {
        unsafe sink.receive(event, of: connection, Self.description, bytes: $0, at: moment)
      }
    }
    send(.began(handshake: handshake))
    for (turn, step) in turns {
      moment.time = moment.time + Nanoseconds(step)
      moment.frame += 1
      switch turn {
      case .bytes(let direction, let bytes):
        let index = Int(direction.rawValue)
        var rest = bytes[...]
        while !rest.isEmpty, !isFinished[index] {
          let piece = rest.prefix(chunk)
          rest = rest.dropFirst(chunk)
          send(.bytes(direction, offset: next[index]), piece)
          next[index] += UInt64(piece.count)
        }
      case .gap(let direction, let length):
        let index = Int(direction.rawValue)
        if isFinished[index] { continue }
        send(.gap(direction, offset: next[index], length: UInt64(length), .notCaptured))
        next[index] += UInt64(length)
      case .acknowledged(let direction, let back):
        let index = Int(direction.rawValue)
        let upTo = next[index] - min(next[index], UInt64(back))
        guard upTo > acknowledged[index] else { continue }
        acknowledged[index] = upTo
        send(.acknowledged(direction, upTo: upTo))
      case .retransmission(let direction, let length):
        let index = Int(direction.rawValue)
        let start = next[index] - min(next[index], UInt64(length))
        guard start < next[index] else { continue }
        send(.retransmission(direction, offset: start, length: next[index] - start))
      case .finished(let direction):
        let index = Int(direction.rawValue)
        if isFinished[index] { continue }
        isFinished[index] = true
        send(.finished(direction, offset: next[index]))
      }
    }
    send(.ended(.captureOver))
    return moment
  }
}

/// Writes a talk down as it is told, for seeds from captures.
final class TalkWriter: ConnectionSink {
  private(set) var talks: [ConnectionID: [UInt8]] = [:]
  private let longest: Int

  init(longest: Int) { self.longest = longest }

  func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    switch event {
    case .bytes(let direction, _):
      unsafe append(direction, kind: 0, bytes.count, Array(bytes), connection)
    case .gap(let direction, _, let length, _):
      append(direction, kind: 4, Int(clamping: length), [], connection)
    case .acknowledged(let direction, _): append(direction, kind: 5, 0, [], connection)
    case .retransmission(let direction, _, let length):
      append(direction, kind: 6, Int(clamping: length), [], connection)
    case .finished(let direction, _): append(direction, kind: 7, 0, [], connection)
    case .began, .established, .keepAliveProbe, .windowClosed, .secured, .reset, .ended: break
    }
  }

  private func append(
    _ direction: Direction, kind: UInt8, _ count: Int, _ bytes: [UInt8],
    _ connection: ConnectionID
  ) {
    let count = min(count, 0xFFFF)
    guard talks[connection, default: []].count + bytes.count <= longest else { return }
    let first = direction.rawValue | kind << 1 | 5 << 4
    talks[connection, default: []] += [first, UInt8(count & 0xFF), UInt8(count >> 8)]
    talks[connection, default: []] += bytes.prefix(count)
  }
}
