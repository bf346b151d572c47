public import Custody
import HTTP2
public import Timeline
public import Wire

/// Follows the connections of providers to APNs: which requests were answered, and with what, and
/// which were not.
///
/// A 200 is accepted, not delivered: whether a device gets the push is on another connection.
public final class APNsProviderObserver: CaptureObserver {
  /// As scenarios and reports write it.
  public static let name = "apns-provider"
  /// A request that is not answered so long is overdue: ten times what an answer takes.
  static let patience = Nanoseconds.seconds(10)
  /// The longest that one of the known libraries waits for an answer (apns2: 60 s).
  static let longestWait = Nanoseconds.seconds(60)
  private static let mostRemembered = 4096
  private static let warningLimit = 200

  let numbers: RecordNumbers
  /// Shown what crosses the wire, for whoever makes a scenario of it.
  var onlooker: ((SessionID, HTTP2Event, HTTP2Place) -> Void)?
  private var conversations = ConnectionTable<APNsProviderConversation>()
  private(set) var closed: [APNsProviderConversation] = []
  var violations = ViolationLog()
  private(set) var warnings: [WarningRecord] = []
  /// Pushes without an answer, by what tells them from others.
  private var unresolved: [String: APNsPush] = [:]
  /// Those that nothing tells from others, or that were never sent whole.
  private var nameless: [DeliveryID: APNsPush] = [:]
  private var kept: [APNsPush] = []
  private var tallies: [String: DeliveryTally] = [:]
  private var subscribers: [String] = []
  /// The last of each provider's connections that sent a request, with when it began.
  private var latest: [String: (session: SessionID, began: Instant, sent: Instant)] = [:]
  private(set) var recovered: [APNsPush] = []
  /// Keys of pushes that were accepted lately, for those that come again.
  private var accepted: [String: Moment] = [:]
  private(set) var repeated: [(push: APNsPush, accepted: Moment)] = []
  /// Device tokens that APNs called dead, with when.
  private var dead: [String: Moment] = [:]
  private(set) var deadAgain: [(push: APNsPush, first: Moment)] = []
  /// Answers that were no 200.
  struct Refusal {
    /// `429 TooManyRequests`.
    var kind: String
    /// With what else the first of them said.
    var what: String
    var first: Moment
    var count = 1

    init(_ kind: String, _ what: String, _ first: Moment) {
      self.kind = kind
      self.what = what
      self.first = first
    }
  }

  private(set) var refusals: [(subscriber: String, all: [Refusal])] = []
  private var watch: LiveWatch<APNsProviderConversation, APNsPush>?
  private(set) var now = Moment(time: .start, frame: 0)

  public init(numbers: RecordNumbers) { self.numbers = numbers }

  public func recognise(_ opening: ConnectionOpening) -> Recognition {
    APNsProviderRecognition.judge(opening)
  }

  public func receive(
    _ event: ConnectionEvent, of connection: ConnectionID, _ description: ConnectionDescription,
    bytes: UnsafeRawBufferPointer, at moment: Moment
  ) {
    if moment.time > now.time { now = moment }
    let conversation: APNsProviderConversation
    if let known = conversations.repeated(connection) {
      conversation = known
    } else {
      var handshake = false
      if case .began(let seen) = event { handshake = seen }
      conversation = APNsProviderConversation(
        connection, description, handshake: handshake, number: numbers.nextSession(),
        observer: self, at: moment)
      conversations[connection] = conversation
      watch?.add(conversation)
    }
    unsafe conversation.receive(event, bytes: bytes, at: moment)
  }

  func close(_ conversation: APNsProviderConversation) {
    if !conversation.record.evidenceMissing.isEmpty {
      violations.forget(conversation.record.id)
    }
    conversations.remove(conversation.connection)
    closed.append(conversation)
  }

  func warn(_ text: String, at moment: Moment) {
    guard warnings.count < Self.warningLimit else { return }
    warnings.append(WarningRecord(frame: moment.frame, text))
  }

  public func missedPackets(_ why: String, at moment: Moment) {
    for conversation in conversations.valuesInOrder { conversation.miss(why) }
    warn(why, at: moment)
  }

  // MARK: Pushes

  /// A request has been sent whole: a new push, or one that was asked for before.
  func ask(_ request: APNsRequest, _ conversation: APNsProviderConversation) {
    let subscriber = conversation.record.subscriber
    latest[subscriber] = (
      request.session, conversation.record.began.time, (request.sent ?? request.began).time
    )
    let push: APNsPush
    if let key = request.key, let known = unresolved[key], known.subscriber == subscriber,
      // Without an apns-id two that are open at a time are two pushes that say the same.
      !request.id.isEmpty || known.last.outcome != .waiting
    {
      push = known
      conversation.record.redelivered &+= 1
    } else {
      push = APNsPush(numbers.nextDelivery(), subscriber: subscriber, on: conversation)
      if let key = request.key, unresolved[key] == nil {
        unresolved[key] = push
      } else {
        nameless[push.id] = push
      }
      if tallies[subscriber] == nil {
        tallies[subscriber] = DeliveryTally(subscriber: subscriber)
        subscribers.append(subscriber)
      }
      if let key = request.key, !request.id.isEmpty, let before = accepted[key] {
        repeated.append((push, before))
      }
    }
    let isNew = push.requests.isEmpty
    push.ask(request, on: conversation)
    if isNew { watch?.add(push) }
  }

  func answer(_ request: APNsRequest, _ conversation: APNsProviderConversation) {
    guard let push = request.push, let moment = request.ended,
      case .answered(let status, let reason, let timestamp) = request.outcome
    else { return }
    if status == 200 {
      push.state = .accepted
      push.reason = "a 200 is accepted, not delivered"
      push.note(.accepted, moment, request, holder: .server)
      remember(request, at: moment)
    } else if status == 0 {
      push.state = .unknown
      push.reason = "it was answered, and the answer can't be read"
      push.note(.rejected, moment, request, "an answer that can't be read", holder: .publisher)
    } else {
      push.state = .rejected
      push.reason = Self.words(status, reason, timestamp)
      push.note(.rejected, moment, request, push.reason, holder: .publisher)
      if status == 410 { bury(request, push, at: moment) }
      refuse(request, push, status, at: moment)
    }
    resolve(push, request)
  }

  /// `410 Unregistered, last known to be invalid at 1795332598.000`.
  static func words(_ status: Int, _ reason: String, _ timestamp: Int64?) -> String {
    var text = reason.isEmpty ? "\(status)" : "\(status) \(reason)"
    if let timestamp {
      let rest = String(1000 + abs(timestamp % 1000)).dropFirst()
      text += ", known since \(timestamp / 1000).\(rest) (seconds since 1970)"
    }
    return text
  }

  private func remember(_ request: APNsRequest, at moment: Moment) {
    guard let key = request.key, !request.id.isEmpty else { return }
    if accepted.count >= Self.mostRemembered { accepted = [:] }
    accepted[key] = moment
  }

  private func refuse(
    _ request: APNsRequest, _ push: APNsPush, _ status: Int, at moment: Moment
  ) {
    guard case .answered(_, let reason, _) = request.outcome else { return }
    let kind = reason.isEmpty ? "\(status)" : "\(status) \(reason)"
    let subscriber = refusals.firstIndex { $0.subscriber == push.subscriber }
    guard let subscriber else {
      if refusals.count < Self.warningLimit {
        refusals.append((push.subscriber, [Refusal(kind, push.reason, moment)]))
      }
      return
    }
    if let known = refusals[subscriber].all.firstIndex(where: { $0.kind == kind }) {
      refusals[subscriber].all[known].count += 1
    } else if refusals[subscriber].all.count < 64 {
      refusals[subscriber].all.append(Refusal(kind, push.reason, moment))
    }
  }

  private func bury(_ request: APNsRequest, _ push: APNsPush, at moment: Moment) {
    guard let path = request.path, path.kind == .device else { return }
    let grave = path.target + " " + request.topic
    if let first = dead[grave] {
      if deadAgain.count < Self.mostRemembered { deadAgain.append((push, first)) }
      return
    }
    if dead.count >= Self.mostRemembered { dead = [:] }
    dead[grave] = moment
  }

  private func resolve(_ push: APNsPush, _ request: APNsRequest) {
    if let key = request.key, unresolved[key] === push {
      unresolved[key] = nil
    } else {
      nameless[push.id] = nil
    }
    if push.requests.count > 1, recovered.count < Self.mostRemembered { recovered.append(push) }
    count(push)
  }

  private func count(_ push: APNsPush) {
    tallies[push.subscriber]?.add(
      push.id, push.state, attempts: UInt32(clamping: push.requests.count)
    ) { push.reason }
    if numbers.keepsDeliveries { kept.append(push) }
  }

  /// A stream is over, without an answer.
  func leave(_ request: APNsRequest, _ conversation: APNsProviderConversation) {
    // Never sent whole: nobody has it, and nobody was told that anybody had.
    if request.sent == nil, conversation.record.endNote.isEmpty {
      conversation.record.endNote = "stream \(request.stream) was not sent whole"
    }
  }

  /// The provider sent requests on a connection that it made after this moment.
  func cameBack(_ subscriber: String, after moment: Moment, than session: SessionID) -> Bool {
    guard let latest = latest[subscriber] else { return false }
    return latest.session != session && latest.began >= moment.time
  }

  /// All of them, in order, when every one was to be kept.
  var pushes: [APNsPush] { kept.sorted { $0.id < $1.id } }

  // MARK: While the capture is made

  public func watch(patience: Nanoseconds) { watch = LiveWatch(patience: patience) }

  public func news(at time: Instant) -> [LiveEvent] {
    if time > now.time { now = Moment(time: time, frame: 0) }
    return watch?.news(at: now.time) ?? []
  }

  // MARK: The end

  public func finish(at end: Moment) -> CaptureObservation {
    if end.time > now.time { now = end }
    for conversation in conversations.valuesInOrder { conversation.finish(.captureOver, at: now) }
    closed.sort { $0.record.id < $1.record.id }
    let judge = APNsProviderJudge(self)
    let left = (Array(unresolved.values) + nameless.values).sorted { $0.id < $1.id }
    unresolved = [:]
    nameless = [:]
    for push in left {
      judge.settle(push)
      count(push)
    }
    var observation = CaptureObservation()
    observation.tallies = subscribers.compactMap { tallies[$0] }
    if numbers.keepsDeliveries {
      observation.deliveries = kept.sorted { $0.id < $1.id }.map(\.record)
    }
    observation.findings = judge.findings(left)
    observation.sessions = closed.map(\.record)
    observation.warnings = warnings
    return observation
  }
}
