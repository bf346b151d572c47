import Custody
import HTTP2
import Timeline
import Wire

/// One connection of a provider to APNs: its requests, and what belongs to the connection alone.
final class APNsProviderConversation {
  /// GOAWAY of one end.
  struct GoAway {
    var lastStream: UInt32
    var code: HTTP2ErrorCode
    var reason: String
    var moment: Moment
    /// Nothing had been said before: not even SETTINGS.
    var isFirst: Bool
  }

  /// PING that waits for its answer.
  struct Ping {
    var opaque: UInt64
    var moment: Moment
  }

  /// A provider that went on writing while APNs said nothing.
  struct Silence {
    var since: Moment
    var until: Moment
    var requests: Int
  }

  /// Answers that a stuck connection gives to good tokens.
  struct Wedge {
    var expired: Moment
    var issuedAt: Int64
    var refusedAfter: [Moment] = []
  }

  unowned let observer: APNsProviderObserver
  let connection: ConnectionID
  let description: ConnectionDescription
  var record: SessionRecord
  /// Until the connection is over.
  private var reader: HTTP2Connection?
  private(set) var stalls: [HTTP2Stall] = []
  /// SETTINGS that were never acknowledged, by who sent them.
  private(set) var unacknowledgedSettings = BothWays(0)
  /// Requests that are not over, by stream.
  private(set) var open: [UInt32: APNsRequest] = [:]
  /// Sent whole, not yet acknowledged by TCP, in the order of the stream.
  private var awaiting: [(end: UInt64, request: APNsRequest)] = []
  private var reached: UInt64 = 0
  /// By the frame's type; the last place is for types that nobody knows.
  private var frames = BothWays([UInt32](repeating: 0, count: HTTP2Frame.Kind.allCases.count + 1))
  var goAways = BothWays<GoAway?>(nil)
  var pings = BothWays<[Ping]>([])
  var hasSettings = BothWays<Moment?>(nil)
  var lastBytes = BothWays<Moment?>(nil)
  /// The highest stream that was answered: what was sent before it was passed over.
  var highestAnswered: UInt32 = 0
  var silence: Silence?
  var longestSilence: Silence?
  var wedge: Wedge?
  /// `iat` of the tokens that were used, with when each was first.
  var tokens: [(issuedAt: Int64, first: Moment)] = []
  var refusedUpdates: Moment?
  /// Bytes of the server are missing: an answer may be among them.
  private(set) var missedFromServer = false
  private(set) var isOver = false
  /// When the first end went.
  private(set) var departed: Moment?
  /// The last authorization that was read, so that the same need not be read again.
  private var lastToken: (text: String, claims: APNsTokenClaims?) = ("", nil)

  init(
    _ connection: ConnectionID, _ description: ConnectionDescription, handshake: Bool,
    number: SessionID, observer: APNsProviderObserver, at moment: Moment
  ) {
    self.connection = connection
    self.description = description
    self.observer = observer
    record = SessionRecord(
      id: number, connection: connection.index, protocolName: APNsProviderObserver.name,
      subscriber: "provider at \(description.client)", isIdentified: false,
      client: description.client.description, server: description.server.description,
      began: RecordedMoment(moment))
    record.version = "HTTP/2"
    record.receives = true
    if !handshake { miss("the capture began in the middle of the connection") }
    reader = HTTP2Connection(
      connection, description, handshake: handshake,
      shortestStall: APNsProviderObserver.patience, unfinished: observer.numbers.unfinished,
      to: self)
  }

  func miss(_ why: String) {
    if record.evidenceMissing.isEmpty { record.evidenceMissing = why }
    missedFromServer = true
  }

  // MARK: Events

  func receive(_ event: ConnectionEvent, bytes: UnsafeRawBufferPointer, at moment: Moment) {
    if record.ended.time < moment.time { record.ended = RecordedMoment(moment) }
    switch event {
    case .began, .established, .secured, .windowClosed, .keepAliveProbe, .retransmission: break
    case .bytes(let direction, let offset):
      lastBytes[direction] = moment
      if direction == .toClient { silence = nil }
      unsafe reader?.receive(bytes, direction, offset: offset, at: moment)
    case .gap(let direction, let offset, let length, let kind):
      miss("\(length) bytes \(kind.words)")
      observer.warn("\(record.subscriber): \(length) bytes \(kind.words)", at: moment)
      reader?.miss(direction, offset: offset, length: length, kind, at: moment)
    case .acknowledged(.toServer, let upTo): confirm(upTo, at: moment)
    case .acknowledged(.toClient, _): break
    case .finished(let direction, _): depart(direction, isReset: false, at: moment)
    case .reset(let direction): depart(direction, isReset: true, at: moment)
    case .ended(let end): finish(end, at: moment)
    }
  }

  private func confirm(_ upTo: UInt64, at moment: Moment) {
    reached = max(reached, upTo)
    let count = awaiting.prefix { $0.end <= reached }.count
    for (_, request) in awaiting.prefix(count) { reach(request, at: moment) }
    awaiting.removeFirst(count)
  }

  private func reach(_ request: APNsRequest, at moment: Moment) {
    request.reached = moment
    request.push?.note(.transportAcknowledged, moment, request, holder: .publisher)
  }

  private func depart(_ direction: Direction, isReset: Bool, at moment: Moment) {
    if departed != nil { return }
    departed = moment
    record.ended = RecordedMoment(moment)
    if record.end != .open { return }
    record.end =
      switch (direction, isReset) {
      case (.toServer, false): .clientClosed
      case (.toServer, true): .clientReset
      case (.toClient, false): .serverClosed
      case (.toClient, true): .serverReset
      }
  }

  func finish(_ end: EndOfConnection, at moment: Moment) {
    if isOver { return }
    isOver = true
    if let reader {
      reader.conclude(at: moment)
      stalls = reader.stalls
      for direction in Direction.allCases {
        unacknowledgedSettings[direction] = reader.unacknowledgedSettings(direction)
      }
    }
    reader = nil
    if departed == nil, end != .captureOver {
      departed = moment
      if record.end == .open { record.end = .unknown }
    }
    for stream in open.keys.sorted() {
      guard let request = open[stream] else { continue }
      if departed != nil, request.outcome == .waiting {
        request.outcome = .left
        request.ended = departed
      }
      observer.leave(request, self)
    }
    open = [:]
    awaiting = []
    record.messages = messageCounts
    if !record.isIdentified, !record.evidenceMissing.isEmpty, record.sent == 0 {
      record.endNote = record.endNote.isEmpty ? "no request could be read" : record.endNote
    }
    observer.close(self)
  }

  private var messageCounts: [MessageCount] {
    frames.toServer.indices.compactMap { index in
      let (toServer, toClient) = (frames.toServer[index], frames.toClient[index])
      if toServer == 0, toClient == 0 { return nil }
      let name = HTTP2Frame.Kind(rawValue: UInt8(index))?.name ?? "unknown"
      return MessageCount(name, toServer: toServer, toClient: toClient)
    }
  }

  // MARK: Requests

  func claims(_ authorization: String) -> APNsTokenClaims? {
    if lastToken.text != authorization {
      lastToken = (authorization, APNsTokenClaims(authorization: authorization))
    }
    return lastToken.claims
  }

  func begin(_ request: APNsRequest) {
    identify(request)
    open[request.stream] = request
    if let refusal = goAways[.toClient], request.stream > refusal.lastStream {
      refuse(request, "above stream \(refusal.lastStream), the last of GOAWAY", at: request.began)
    }
    noteToken(request)
  }

  private func identify(_ request: APNsRequest) {
    if record.isIdentified { return }
    if let team = request.token?.team, !team.isEmpty {
      record.subscriber = team
    } else if !request.topic.isEmpty {
      record.subscriber = request.topic
    } else {
      return
    }
    record.isIdentified = true
  }

  /// All of the request has been sent.
  func complete(_ request: APNsRequest, end: UInt64, at moment: Moment) {
    if request.sent != nil { return }
    request.sent = moment
    record.sent &+= 1
    record.submitted &+= 1
    if record.began.frame == 0 { record.began = RecordedMoment(moment) }
    observer.ask(request, self)
    if end <= reached {
      reach(request, at: moment)
    } else {
      awaiting.append((end, request))
    }
    noteWriting(at: moment)
  }

  private func noteWriting(at moment: Moment) {
    var silence = silence ?? Silence(since: moment, until: moment, requests: 0)
    silence.until = moment
    silence.requests += 1
    self.silence = silence
    let length = silence.until.time - silence.since.time
    let longest = longestSilence.map { $0.until.time - $0.since.time } ?? .zero
    if length > longest { longestSilence = silence }
  }

  func refuse(_ request: APNsRequest, _ why: String, at moment: Moment) {
    guard request.outcome == .waiting else { return }
    request.outcome = .refused(why)
    request.ended = moment
  }

  /// APNs has answered, whole.
  func answer(_ request: APNsRequest, at moment: Moment) {
    open[request.stream] = nil
    let error = APNsErrorBody(request.body)
    request.outcome = .answered(
      status: request.status, reason: error?.reason ?? "", timestamp: error?.timestamp)
    request.ended = moment
    request.body = []
    highestAnswered = max(highestAnswered, request.stream)
    record.acknowledged &+= 1
    if request.status == 200 { record.accepted &+= 1 } else { record.rejected &+= 1 }
    judgeToken(request, error?.reason ?? "", at: moment)
    observer.answer(request, self)
  }

  /// Requests above the last stream were not processed; those up to it may have been.
  func goAway(_ goAway: GoAway, from direction: Direction) {
    goAways[direction] = goAways[direction] ?? goAway
    let said = goAway.reason.isEmpty ? "" : ", \(goAway.reason)"
    if record.end == .open {
      record.end = direction == .toClient ? .dismissed : .disconnected
      record.endNote = "GOAWAY \(goAway.code), last stream \(goAway.lastStream)\(said)"
    }
    guard direction == .toClient else { return }
    let least = min(goAway.lastStream, goAways.toClient?.lastStream ?? goAway.lastStream)
    goAways.toClient?.lastStream = least
    for stream in open.keys.sorted() {
      guard let request = open[stream] else { continue }
      if stream > goAway.lastStream {
        refuse(
          request, "above stream \(goAway.lastStream), the last of GOAWAY", at: goAway.moment)
      } else {
        request.isCovered = true
      }
    }
  }

  func close(_ request: APNsRequest) {
    open[request.stream] = nil
    observer.leave(request, self)
  }

  func count(_ frame: HTTP2Frame, _ direction: Direction) {
    let index = min(Int(frame.type), frames.toServer.count - 1)
    frames[direction][index] &+= 1
  }

  // MARK: Tokens

  private func noteToken(_ request: APNsRequest) {
    guard let issued = request.token?.issuedAt, tokens.count < 16,
      !tokens.contains(where: { $0.issuedAt == issued })
    else { return }
    tokens.append((issued, request.began))
  }

  /// After ExpiredProviderToken a connection may refuse good tokens too (seen by users of APNs).
  private func judgeToken(_ request: APNsRequest, _ reason: String, at moment: Moment) {
    if reason == APNsReason.tooManyUpdates { refusedUpdates = refusedUpdates ?? moment }
    if reason != APNsReason.expiredProviderToken {
      if request.status == 200 { wedge = nil }
      return
    }
    guard let issued = request.token?.issuedAt else { return }
    if wedge == nil { wedge = Wedge(expired: moment, issuedAt: issued) }
    let isFresh = request.tokenAge.map { $0 >= 0 && $0 < 3600 } ?? false
    if let first = wedge, issued > first.issuedAt, isFresh {
      wedge?.refusedAfter.append(moment)
    }
  }
}
