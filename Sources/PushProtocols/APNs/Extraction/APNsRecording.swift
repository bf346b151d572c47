internal import Timeline
internal import Wire

/// A frame of a capture with what a scenario can be made of, without what is long.
struct APNsRecordedFrame {
  var command: APNsCommand
  var direction: Direction
  /// Of the segment that completed it.
  var moment: Moment
  var status: UInt64 = 0
  /// Item 1 where it is a token; that of the answer to a Connect.
  var token: APNsToken?
  var messageID: UInt32?
  /// A filter's topics.
  var topics: [APNsTopic] = []
  /// Of the courier.
  var notification: APNsNotification?
  /// How long the certificate of a Connect is good.
  var lifetime: Nanoseconds?
  /// What a keep-alive says of its interval.
  var interval: Nanoseconds?
  /// Its receiver's FIN or RST was captured before it.
  var peerHadClosed = false
}

/// One connection of a capture that speaks to a courier from its Connect on.
final class APNsRecording {
  /// One end of the connection went.
  struct End {
    var direction: Direction
    var isReset: Bool
    var moment: Moment
  }

  private enum Stage { case opening, reading, foreign }

  let connection: ConnectionID
  let began: Moment
  private(set) var established: Moment?
  private(set) var frames: [APNsRecordedFrame] = []
  private(set) var ends: [End] = []
  /// What makes the record incomplete.
  private(set) var trouble: [(moment: Moment, text: String)] = []
  private var stage = Stage.opening
  /// The device's bytes until they are known to be a Connect.
  private var opening: [UInt8] = []
  private var framers = BothWays<APNsFramer?>(nil)
  private var counted = BothWays(0)

  init(_ connection: ConnectionID, at moment: Moment) {
    self.connection = connection
    began = moment
  }

  /// The token that the courier gave; `nil` when it let nobody in.
  var token: APNsToken? {
    let presented = frames.first { $0.command == .connect }?.token
    guard let response = response else { return nil }
    return response.token ?? presented
  }

  /// The first good answer to a Connect.
  var response: APNsRecordedFrame? {
    frames.first { $0.command == .connectResponse && $0.status == 0 }
  }

  /// How it ended first; `nil` when the capture did.
  var end: End? { ends.first }

  func receive(_ event: ConnectionEvent, bytes: UnsafeRawBufferPointer, at moment: Moment) {
    switch event {
    case .began(let handshake): if !handshake { stage = .foreign }
    case .established: established = moment
    case .bytes(let direction, let offset):
      unsafe read(Array(bytes), direction, offset: offset, at: moment)
    case .gap(let direction, _, let length, let kind):
      if stage == .opening { stage = .foreign }
      framers[direction] = nil
      trouble.append((moment, "\(length) bytes \(kind.words)"))
    case .finished(let direction, _):
      ends.append(End(direction: direction, isReset: false, moment: moment))
    case .reset(let direction):
      ends.append(End(direction: direction, isReset: true, moment: moment))
    case .acknowledged, .retransmission, .keepAliveProbe, .windowClosed, .secured, .ended: break
    }
  }

  private func read(
    _ bytes: [UInt8], _ direction: Direction, offset: UInt64, at moment: Moment
  ) {
    switch stage {
    case .foreign: return
    case .opening:
      guard direction == .toServer else {
        stage = .foreign
        return
      }
      opening += bytes
      recognise(at: moment)
    case .reading:
      take(bytes, direction, offset: offset, at: moment)
    }
  }

  private func recognise(at moment: Moment) {
    switch APNsRecognition.beginsWithConnect(opening) {
    case .undecided: if opening.count > 64 * 1024 { stage = .foreign }
    case .notMine: stage = .foreign
    case .mine:
      stage = .reading
      let framing = APNsRecognition.framing(opening)
      for direction in Direction.allCases {
        var limit = 0
        if case .packed(let toServer, let toClient) = framing {
          limit = direction == .toServer ? toServer : toClient
        }
        framers[direction] = APNsFramer(framing, tableLimit: limit, startingAt: 0)
      }
      take(opening, .toServer, offset: 0, at: moment)
    }
    if stage != .opening { opening = [] }
  }

  private func take(
    _ bytes: [UInt8], _ direction: Direction, offset: UInt64, at moment: Moment
  ) {
    guard var framer = framers[direction] else { return }
    framers[direction] = nil
    do {
      try framer.read(bytes, at: offset) { decoded, _ in
        if decoded.isUnreadable, !decoded.violations.isEmpty {
          trouble.append((moment, "a frame can't be read, so nothing after it is replayed"))
        } else if !decoded.isUnreadable {
          keep(decoded.frame, direction, at: moment)
        }
      }
      if !framer.isLost { framers[direction] = framer }
    } catch {
      trouble.append((moment, "a frame can't be read, so nothing after it is replayed"))
    }
  }

  private func keep(_ frame: APNsFrame, _ direction: Direction, at moment: Moment) {
    var kept = APNsRecordedFrame(command: frame.command, direction: direction, moment: moment)
    kept.peerHadClosed = ends.contains { $0.direction != direction }
    switch frame.command {
    case .connect:
      kept.token = frame.bytes(1).flatMap { $0.isEmpty ? nil : APNsToken($0) }
      kept.status = frame.number(2) ?? 1
      kept.lifetime = frame.bytes(12).flatMap { APNsCertificate.lifetime(of: $0) }
    case .connectResponse:
      kept.status = frame.number(1) ?? 0
      kept.token = frame.bytes(3).map { APNsToken($0) }
    case .filter:
      kept.token = frame.bytes(1).map { APNsToken($0) }
      kept.topics = frame.all(2).compactMap { $0.content.map { APNsTopic(hash: $0) } }
    case .notification where direction == .toClient:
      kept.notification = APNsNotification(frame, at: moment)
      if kept.notification == nil { return }
    case .ack:
      kept.messageID = frame.number(4).map { UInt32(truncatingIfNeeded: $0) }
      kept.status = frame.number(8) ?? 0
    case .keepAlive:
      if let minutes = frame.bytes(5).flatMap({ UInt64(String(decoding: $0, as: UTF8.self)) }) {
        kept.interval = .minutes(min(minutes, 10_000))
      }
    case _: break
    }
    frames.append(kept)
  }

  // MARK: What waits to be complete

  private var pendingBytes: BothWays<Int> {
    var pending = BothWays(0)
    for direction in Direction.allCases {
      pending[direction] = framers[direction]?.pendingBytes ?? 0
    }
    pending.toServer += opening.count
    return pending
  }

  /// To be called after each event.
  func countUnfinished(
    in unfinished: UnfinishedBytes, of holder: any UnfinishedHolder,
    _ description: ConnectionDescription, isOver: Bool, at moment: Moment
  ) {
    if isOver {
      framers = BothWays(nil)
      opening = []
    }
    let pending = pendingBytes
    for direction in Direction.allCases {
      unfinished.count(
        pending[direction], known: &counted[direction],
        UnfinishedBytes.Place(connection, direction, .messages), description, of: holder,
        at: moment)
    }
  }

  /// What waits has to go, to make room; nothing after it is replayed.
  func giveUpUnfinished(_ bytes: UnfinishedBytes.Held) {
    framers[bytes.place.direction] = nil
    if stage == .opening {
      stage = .foreign
      opening = []
    }
    trouble.append((bytes.moment, "\(bytes.count) bytes \(GapKind.givenUp.words)"))
  }
}
