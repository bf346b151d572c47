import Custody
import HTTP2
import Timeline
import Wire

/// One request for a push, on its stream.
final class APNsRequest {
  /// What became of it.
  enum Outcome: Hashable {
    case waiting
    case answered(status: Int, reason: String, timestamp: Int64?)
    /// Reset by the end that sends in this direction.
    case reset(Direction, HTTP2ErrorCode)
    /// Certainly not processed: above the last stream of a GOAWAY, or REFUSED_STREAM.
    case refused(String)
    /// The connection ended first: nobody knows whether APNs has it.
    case left
  }

  let stream: UInt32
  let session: SessionID
  let began: Moment
  var path: APNsPath?
  /// `apns-id`; empty when APNs is to make one.
  var id = ""
  var topic = ""
  var pushType = ""
  var priority = ""
  var expiration = ""
  var collapseID = ""
  var token: APNsTokenClaims?
  /// Why the fields are not known; empty when they are.
  var unknown = ""
  var size: UInt64 = 0
  /// FNV-1a over the payload.
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  /// When all of it had been sent, and where in the stream it ended.
  var sent: Moment?
  /// Of the packet by which TCP acknowledged that.
  var reached: Moment?
  /// A GOAWAY said that APNs may have processed it.
  var isCovered = false
  var outcome = Outcome.waiting
  var ended: Moment?
  /// Body of the answer, as far as it came.
  var status = 0
  var answerID = ""
  var body: [UInt8] = []
  weak var push: APNsPush?

  init(stream: UInt32, session: SessionID, began: Moment) {
    self.stream = stream
    self.session = session
    self.began = began
  }

  func read(_ fields: [HTTP2Field], token parse: (String) -> APNsTokenClaims?) {
    for field in fields {
      switch field.name {
      case ":path": path = APNsPath(field.value)
      case "apns-id": id = APNsProviderText.plain(field.value)
      case "apns-topic": topic = APNsProviderText.plain(field.value)
      case "apns-push-type": pushType = APNsProviderText.plain(field.value)
      case "apns-priority": priority = APNsProviderText.plain(field.value)
      case "apns-expiration": expiration = APNsProviderText.plain(field.value)
      case "apns-collapse-id": collapseID = APNsProviderText.plain(field.value)
      case "authorization": token = parse(field.value)
      case _: break
      }
    }
  }

  func add(_ content: [UInt8], missing: Int) {
    size += UInt64(content.count + missing)
    for byte in content { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
  }

  /// The same push when it is asked for again; `nil` when nothing tells it from others.
  var key: String? {
    guard let path, sent != nil else { return nil }
    return id.isEmpty ? "\(path.target) \(size) \(hash)" : "\(path.target) \(id)"
  }

  /// How old the token was when the request was captured; negative when it is from the future.
  var tokenAge: Int64? {
    token?.issuedAt.map { Int64(clamping: began.time.nanoseconds / 1_000_000_000) &- $0 }
  }

  /// What a person wants to know of it besides its topic.
  var note: String {
    var words: [String] = []
    if !id.isEmpty { words.append("apns-id \(id)") }
    for (name, value) in [
      ("type", pushType), ("priority", priority), ("collapse-id", collapseID),
    ] where !value.isEmpty {
      words.append("\(name) \(value)")
    }
    if let at = Int64(expiration) {
      let now = Int64(clamping: began.time.nanoseconds / 1_000_000_000)
      words.append(
        at == 0 || at <= now ? "not stored for a device that is away" : "expires in \(at - now) s")
    }
    if let age = tokenAge {
      words.append(age < 0 ? "token from \(-age) s in the future" : "token \(age) s old")
    }
    return words.joined(separator: ", ")
  }
}

/// A push that a provider asks APNs for, once or several times: one delivery.
final class APNsPush {
  let id: DeliveryID
  let subscriber: String
  /// Of its last request.
  private(set) var conversation: APNsProviderConversation
  private(set) var requests: [APNsRequest] = []
  private(set) var events: [CustodyEvent] = []
  var state = DeliveryState.unknown
  var reason = ""

  init(_ id: DeliveryID, subscriber: String, on conversation: APNsProviderConversation) {
    self.id = id
    self.subscriber = subscriber
    self.conversation = conversation
  }

  var first: APNsRequest { requests[0] }
  var last: APNsRequest { requests[requests.count - 1] }

  func ask(_ request: APNsRequest, on conversation: APNsProviderConversation) {
    let isAgain = !requests.isEmpty
    self.conversation = conversation
    requests.append(request)
    request.push = self
    note(
      .submitted, request.sent ?? request.began, request,
      isAgain ? "asked again, stream \(request.stream)" : request.note, holder: .publisher)
  }

  func note(
    _ step: CustodyEvent.Step, _ moment: Moment, _ request: APNsRequest, _ note: String = "",
    holder: CustodyEvent.Holder
  ) {
    events.append(
      CustodyEvent(
        step, RecordedMoment(moment), session: request.session, holder: holder, note: note))
  }

  var topicText: String {
    [first.topic, first.path?.text ?? ""].filter { !$0.isEmpty }.joined(separator: ", ")
  }

  var record: DeliveryRecord {
    let by = first.token.map { "team \($0.team), key \($0.key)" }
    var record = DeliveryRecord(
      id: id, subscriber: subscriber, publisher: by, topic: topicText,
      quality: .atLeastOnce, size: first.size,
      digest: UInt32(truncatingIfNeeded: first.hash ^ first.hash >> 32))
    record.state = state
    record.reason = reason
    record.attempts = UInt32(clamping: requests.count)
    record.events = events.sorted { $0.moment.time < $1.moment.time }
    if state == .accepted, let answer = last.ended, let sent = first.sent, answer.time > sent.time {
      record.lateness = answer.time - sent.time
    }
    return record
  }
}
