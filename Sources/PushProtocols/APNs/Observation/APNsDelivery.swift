import Custody
import Timeline
import Wire

/// One notification on its way to one device: every time it is sent, until it is settled.
final class APNsDelivery {
  let id: DeliveryID
  let device: APNsObservedDevice
  let messageID: UInt32
  let topic: APNsTopic?
  /// The topic's name, or its hash.
  let topicText: String
  /// What it was addressed to: the device's token, or that of an app.
  private(set) var token: APNsToken?
  let size: UInt64
  let digest: UInt32
  /// Unix seconds by the courier's clock; `nil` when it did not say.
  private(set) var expiry: UInt32?
  private(set) var events: [CustodyEvent] = []
  private(set) var attempts: UInt32 = 0
  private(set) var lastSent: Moment
  /// Where it was sent last.
  var conversation: APNsConversation?
  /// Acknowledged, refused, or found out at the end; `nil` while it is open.
  private(set) var state: DeliveryState?
  private(set) var reason = ""
  /// Why nothing can be proved of it; empty when all of it was seen.
  var taint = ""
  /// Its acknowledgement may not have reached the courier.
  var isDoubtful = false
  /// A connection on which it was owed, and which went on without it.
  var passedOver: (moment: Moment, conversation: APNsConversation)?
  /// Something newer of the same app that was sent instead of it.
  var superseded: (moment: Moment, session: SessionID?)?
  var acknowledged: (moment: Moment, session: SessionID)?
  /// Its token is known to be that of the device, or of one of its apps.
  var isSurelyOfDevice = false
  /// It is in the tallies.
  var isFiled = false

  init(
    _ id: DeliveryID, to device: APNsObservedDevice, _ notification: APNsNotification,
    topicText: String
  ) {
    self.id = id
    self.device = device
    messageID = notification.messageID
    topic = notification.topic
    self.topicText = topicText
    size = notification.size
    digest = notification.digest
    lastSent = notification.moment
  }

  var isOpen: Bool { state == nil }
  /// Its name, or as much of its hash as tells it from others.
  var topicShort: String {
    topic?.description == topicText ? "topic \(topicText.prefix(8))…" : topicText
  }
  var idText: String { "id \(messageID)" }

  func isSame(_ other: APNsNotification) -> Bool {
    topic == other.topic && digest == other.digest && size == other.size
  }

  func note(
    _ step: CustodyEvent.Step, _ moment: Moment, in session: SessionID?,
    holder: CustodyEvent.Holder, _ text: String = ""
  ) {
    events.append(
      CustodyEvent(step, RecordedMoment(moment), session: session, holder: holder, note: text))
  }

  /// The courier writes it, for the first time or again.
  func send(_ notification: APNsNotification, on conversation: APNsConversation) {
    note(
      attempts == 0 ? .sent : .redelivered, notification.moment, in: conversation.record.id,
      holder: isOpen ? .server : .nobody, notification.text)
    attempts += 1
    token = notification.token
    expiry = notification.expiry ?? expiry
    lastSent = notification.moment
    self.conversation = conversation
    passedOver = nil
    superseded = nil
  }

  func settle(_ state: DeliveryState, _ reason: String = "") {
    self.state = state
    self.reason = reason
  }

  /// It was settled too early.
  func reopen() {
    state = nil
    reason = ""
    acknowledged = nil
  }

  func event(_ step: CustodyEvent.Step) -> CustodyEvent? { events.first { $0.step == step } }

  /// From the first sending to the acknowledgement.
  var lateness: Nanoseconds? {
    guard state == .acknowledged, let acknowledged, let sent = event(.sent) else { return nil }
    return max(.zero, acknowledged.moment.time - sent.moment.time)
  }

  var record: DeliveryRecord {
    var record = DeliveryRecord(
      id: id, subscriber: device.name, publisher: nil, topic: topicText, quality: .atLeastOnce,
      size: size, digest: digest)
    record.state = state ?? .unknown
    record.reason = reason
    record.attempts = attempts
    record.lateness = lateness
    record.events = events.enumerated().sorted { a, b in
      (a.element.moment.time, a.offset) < (b.element.moment.time, b.offset)
    }.map(\.element)
    return record
  }
}

/// A notification to a device as a frame says it.
struct APNsNotification {
  /// Item 7: it comes from storage, and is the last one that does.
  static let fromStorage: UInt64 = 1
  static let lastFromStorage: UInt64 = 2

  var messageID: UInt32
  var token: APNsToken?
  /// What the token of an app belongs to, when the courier says so.
  var baseToken: APNsToken?
  var topic: APNsTopic?
  var size: UInt64
  var digest: UInt32
  var expiry: UInt32?
  var storage: UInt64?
  var priority: UInt64?
  var moment: Moment

  /// - Returns: `nil` without a message identifier: nobody can acknowledge that.
  init?(_ frame: APNsFrame, at moment: Moment) {
    guard let id = frame.number(4) else { return nil }
    messageID = UInt32(truncatingIfNeeded: id)
    // Which of the two is the topic depends on the direction; its length is the same in both.
    for tag in [1, 2] as [UInt8] {
      guard let bytes = frame.bytes(tag) else { continue }
      if bytes.count == APNsTopic.length {
        topic = APNsTopic(hash: bytes)
      } else {
        token = APNsToken(bytes)
      }
    }
    baseToken = frame.bytes(15).map { APNsToken($0) }
    let payload = Self.payload(frame)
    size = UInt64(payload.count)
    digest = Self.digest(payload)
    expiry = frame.number(5).map { UInt32(truncatingIfNeeded: $0) }
    storage = frame.number(7)
    priority = frame.number(13)
    self.moment = moment
  }

  /// It came from storage, as the courier says.
  var isFromStorage: Bool { (storage ?? 0) & (Self.fromStorage | Self.lastFromStorage) != 0 }

  /// What a custody chain notes of a sending.
  var text: String {
    var parts = ["id \(messageID)"]
    if let storage, storage & Self.fromStorage != 0 { parts.append("from storage") }
    if let storage, storage & Self.lastFromStorage != 0 { parts.append("last from storage") }
    if let storage, storage & ~3 != 0 {
      parts.append("storage flags 0x" + String(storage, radix: 16))
    }
    if let expiry {
      switch expiry {
      case 0: parts.append("not to be stored")
      case .max: parts.append("never expires")
      case _: parts.append("expires in \(Self.length(until: expiry, from: moment.time))")
      }
    }
    if let priority { parts.append("priority \(priority)") }
    return parts.joined(separator: ", ")
  }

  private static func length(until expiry: UInt32, from now: Instant) -> String {
    let then = Instant(nanoseconds: UInt64(expiry) * 1_000_000_000)
    return then > now ? "\((then - now) / 1_000_000_000 * 1_000_000_000)" : "the past"
  }

  /// A packed dictionary counts as the bytes that it would be alone.
  private static func payload(_ frame: APNsFrame) -> [UInt8] {
    guard let value = frame.first(3) else { return [] }
    if let bytes = value.content { return bytes }
    var encoder = APNsPackedEncoder()
    return encoder.encode(APNsFrame(.notification, [APNsItem(3, value)]))
  }

  /// FNV-1a.
  private static func digest(_ bytes: [UInt8]) -> UInt32 {
    bytes.reduce(0x811C_9DC5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
  }
}
