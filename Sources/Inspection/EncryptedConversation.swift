import Custody
import Timeline
import Wire

/// One connection whose records stay closed.
///
/// It says what bytes and times prove, which is little. Each bound was held against the 541 public
/// captures, where all that 21 findings of looser ones said was read packet by packet: pages that a
/// server took long to send (and the client then left), a capture that ended milliseconds after a
/// record, bursts of a login and then nothing, a connection of which the capture has one direction.
struct EncryptedConversation {
  /// What the shortest notification takes: a PUBLISH of MQTT with QoS 1, one letter of topic and no
  /// payload. Answers and pings are shorter.
  private static let shortestPush: UInt64 = 7
  /// What is shorter asks for nothing that would be taken for a push: acknowledgements and pings of
  /// MQTT (in a frame of WebSocket 10 bytes), whose answers are as short. `GET / HTTP/1.0` has 18.
  private static let shortestRequest: UInt64 = 16
  /// What a segment takes on any path, less the headers of a tunnel or two.
  private static let longestSegment: UInt64 = 1_300
  /// Who speaks after this much quiet speaks unasked, unless an answer is due.
  private static let quiet = Nanoseconds.milliseconds(200)
  /// An answer may take so long, or twice as long as the slowest before.
  private static let shortestWait = Nanoseconds.seconds(1)

  private struct Push {
    var moment: Moment
    var length: UInt64
    /// Where it ends, in plaintext.
    var end: UInt64
  }

  private let description: ConnectionDescription
  /// Of the client's records.
  private var rhythm = ClientRhythm()
  private var lastFromServer: Moment?
  /// The client sent what may be a request, and the server has said nothing since.
  private var isAnswerDue = false
  /// What the server sent unasked and the client has not answered; the first and the last of them.
  private var unanswered: (first: Push, last: Push, count: Int)?
  private var answered = 0
  private var slowestAnswer = Nanoseconds.zero
  private var sentToClient: UInt64 = 0
  private var acknowledged: (upTo: UInt64, moment: Moment)?
  /// When TCP acknowledged the first of the unanswered.
  private var arrived: Moment?
  private var repetitions: (first: Moment, last: Moment, count: Int)?
  private var lastSignOfClient: Moment?
  private var ending: (text: String, moment: Moment)?

  init(_ description: ConnectionDescription) { self.description = description }

  private var client: String { "client at \(description.client)" }

  mutating func receive(_ event: ConnectionEvent, at moment: Moment) {
    switch event {
    case .gap(.toServer, _, let length, let kind):
      lastSignOfClient = moment
      if kind == .encrypted { hearClient(length, at: moment) }
    case .gap(.toClient, let offset, let length, let kind):
      sentToClient = max(sentToClient, offset &+ length)
      if kind == .encrypted { hearServer(length, until: offset &+ length, at: moment) }
    case .acknowledged(.toClient, let upTo):
      lastSignOfClient = moment
      acknowledged = (upTo, moment)
      repetitions = nil
      if arrived == nil, let first = unanswered?.first, first.end <= upTo { arrived = moment }
    case .retransmission(.toClient, _, _):
      repetitions = (repetitions?.first ?? moment, moment, (repetitions?.count ?? 0) + 1)
    case .retransmission(.toServer, _, _), .keepAliveProbe(.toServer),
      .windowClosed(.toClient, _):
      lastSignOfClient = moment
    case .finished(let direction, _): end("closes", direction, moment)
    case .reset(let direction): end("resets the connection", direction, moment)
    case .began, .established, .bytes, .acknowledged(.toServer, _), .keepAliveProbe(.toClient),
      .windowClosed(.toServer, _), .secured, .ended:
      break
    }
  }

  private mutating func hearClient(_ length: UInt64, at moment: Moment) {
    rhythm.hear(at: moment)
    if length >= Self.shortestRequest { isAnswerDue = true }
    if let first = unanswered?.first {
      answered += 1
      slowestAnswer = max(slowestAnswer, moment.time - first.moment.time)
    }
    unanswered = nil
    arrived = nil
  }

  private mutating func hearServer(_ length: UInt64, until end: UInt64, at moment: Moment) {
    defer {
      lastFromServer = moment
      isAnswerDue = false
    }
    // Nothing is pushed to a client that has not said who it is.
    guard length >= Self.shortestPush, let heard = rhythm.lastHeard else { return }
    let push = Push(moment: moment, length: length, end: end)
    if var waiting = unanswered {
      waiting.last = push
      waiting.count += 1
      unanswered = waiting
      return
    }
    // The time of a record is that of its last segment: a long one may have begun much earlier,
    // as part of what was said before.
    if isAnswerDue || length > Self.longestSegment { return }
    let last = max(heard.time, lastFromServer?.time ?? .start)
    if moment.time - last >= Self.quiet { unanswered = (push, push, 1) }
  }

  private mutating func end(_ text: String, _ direction: Direction, _ moment: Moment) {
    if direction == .toServer { lastSignOfClient = moment }
    if ending == nil {
      ending = ("the \(direction == .toServer ? "client" : "server") \(text)", moment)
    }
  }

  // MARK: What it proves

  func findings(at end: Moment) -> [FindingRecord] {
    let last = ending ?? ("the capture ends", Moment(time: end.time, frame: 0))
    return [unansweredPush(last), halfOpen(last), silence(last)].compactMap { $0 }
  }

  /// With what the client did before for a measure, or an end without a word.
  private func unansweredPush(_ last: (text: String, moment: Moment)) -> FindingRecord? {
    guard let waiting = unanswered else { return nil }
    let wasCutOff = ending?.text.hasPrefix("the client resets") == true || isOutstanding
    guard answered > 0 || wasCutOff else { return nil }
    // When the capture ends first, the answer may be on its way.
    let patience = max(Self.shortestWait, slowestAnswer * 2)
    guard ending != nil || last.moment.time > waiting.last.moment.time + patience else {
      return nil
    }
    let one = waiting.count == 1
    var story = [
      line(
        waiting.first.moment,
        "a record with about \(waiting.first.length) bytes inside  server → client")
    ]
    if let arrived { story.append(line(arrived, "TCP acknowledges it: the client's host has it")) }
    if !one { story.append(line(waiting.last.moment, "the last of \(waiting.count) is sent")) }
    story.append(line(last.moment, last.text))
    let habit =
      answered > 0
      ? "The client had answered \(answered) like \(one ? "it" : "them") before, within "
        + "\(slowestAnswer.seconds3). "
      : ""
    return FindingRecord(
      .ghost, .inconclusive, label: "UNANSWERED", subscriber: client,
      headline: "\(waiting.count) encrypted record\(one ? "" : "s") of the size of a notification "
        + "to \(client) \(one ? "was" : "were") never answered",
      reason: habit + "Whether \(one ? "it wants" : "they want") an answer is inside of TLS: "
        + "with secrets it can be told.",
      story: story.sorted { $0.moment.time < $1.moment.time })
  }

  private var isOutstanding: Bool { (acknowledged?.upTo ?? 0) < sentToClient }

  private func halfOpen(_ last: (text: String, moment: Moment)) -> FindingRecord? {
    // Of a client that was never seen the capture may only lack the packets.
    guard isOutstanding, let sign = lastSignOfClient, let repetitions, repetitions.count > 1,
      ending.map({ $0.moment.time >= repetitions.last.time }) ?? true
    else { return nil }
    var story = [line(sign, "the last that is seen of the client's host")]
    story.append(line(repetitions.first, "the server's TCP sends again what nobody acknowledged"))
    story.append(line(repetitions.last, "and again, for the \(repetitions.count). time"))
    story.append(line(last.moment, last.text))
    return FindingRecord(
      .zombie, .inconclusive, label: "HALF-OPEN", subscriber: client,
      headline: "nothing came through to \(client) and back any more, and its server went on",
      reason: "What was lost with it is inside of TLS.",
      story: story.sorted { $0.moment.time < $1.moment.time })
  }

  /// A client that spoke regularly and stopped, long before the connection ended.
  private func silence(_ last: (text: String, moment: Moment)) -> FindingRecord? {
    guard let (length, heard) = rhythm.silence(until: last.moment.time) else { return nil }
    return FindingRecord(
      .zombie, .inconclusive, label: "SILENT", subscriber: client,
      headline: "\(client) said nothing for \(length.seconds3), on a connection that nobody had "
        + "closed",
      reason: "It had gone on after \(rhythm.pauses) pauses before, and never been silent for more "
        + "than \(rhythm.longestPause.seconds3). What its keep-alive demands is inside of TLS.",
      story: [line(heard, "the last record of the client"), line(last.moment, last.text)])
  }

  private func line(_ moment: Moment, _ text: String) -> StoryLine {
    StoryLine(RecordedMoment(time: moment.time, frame: moment.frame), text)
  }
}
