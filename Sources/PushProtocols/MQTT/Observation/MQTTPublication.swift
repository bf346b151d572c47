import Custody
import Timeline
import Wire

/// What tells one message from another without keeping its payload.
struct MQTTContent: Hashable, BitwiseCopyable {
  var size: UInt64
  /// For telling messages of one capture apart, not for security.
  var hash: UInt64

  init(_ payload: RawSpan) {
    size = UInt64(payload.byteCount)
    hash = MQTTContentHash.hash(payload)
  }

  /// - Parameter hash: of a payload, as `MQTTContentHash` has it.
  init(size: UInt64, hash: UInt64) {
    self.size = size
    self.hash = hash
  }

  init(_ payload: [UInt8]) { unsafe self.init(payload.span.bytes) }

  /// What a report shows.
  var digest: UInt32 { UInt32(truncatingIfNeeded: hash ^ (hash >> 32)) }
}

/// A PUBLISH as an inspection wants it: without its payload.
struct MQTTSeenPublish {
  var duplicate: Bool
  var qos: MQTTQoS
  var retain: Bool
  var packetID: UInt16?
  /// Empty when an alias stands for it.
  var topic: String
  var topicAlias: UInt16?
  /// Seconds.
  var messageExpiryInterval: UInt32?
  var content: MQTTContent

  init(_ packet: MQTTPublish) {
    duplicate = packet.duplicate
    qos = packet.qos
    retain = packet.retain
    packetID = packet.packetID
    topic = packet.topic
    topicAlias = packet.properties.topicAlias
    messageExpiryInterval = packet.properties.messageExpiryInterval
    content = MQTTContent(packet.payload)
  }

  init(_ view: MQTTPublishView, in packet: RawSpan, topic: String) {
    duplicate = view.duplicate
    qos = view.qos
    retain = view.retain
    packetID = view.packetID
    self.topic = topic
    topicAlias = view.topicAlias
    messageExpiryInterval = view.messageExpiryInterval
    content = MQTTContent(packet.extracting(view.payload))
  }
}

/// A message with QoS 1 or 2 as its publisher sent it.
final class MQTTPublication {
  let publisher: String
  let topic: String
  let content: MQTTContent
  let qos: MQTTQoS
  let session: SessionID
  let submitted: Moment
  /// `forever` without a Message Expiry Interval.
  let expiry: Nanoseconds
  /// The first sending is not in the capture: it may have been routed before.
  let isRepetition: Bool
  /// Bytes of the whole packet, to compare with a subscriber's Maximum Packet Size.
  let packetSize: UInt64
  /// PUBACK, or PUBREC, with a reason code below 0x80.
  var accepted: Moment?
  /// QoS 2: the publisher's PUBREL. A server may wait for it before it routes the message.
  var released: Moment?
  /// The server said 0x10: nobody is subscribed.
  var nobodySubscribed: Moment?
  /// Its place among those that the server routed, from 1.
  var ordinal: UInt64 = 0
  /// One for each subscriber who is, or may be, owed it, and for those that were sent it, until the
  /// server answers. Copies know their publication: both would stay for ever.
  private(set) var copies: [MQTTDelivery] = []
  private var isAnswered = false
  /// It may be looked for by what it says.
  fileprivate var isRemembered = false
  /// Of copies that are not kept.
  private var copiedTo: [Int] = []

  init(
    _ publish: MQTTSeenPublish, topic: String, by publisher: String, in session: SessionID,
    packetSize: UInt64, at moment: Moment
  ) {
    self.publisher = publisher
    self.topic = topic
    self.content = publish.content
    self.qos = publish.qos
    self.session = session
    self.submitted = moment
    self.expiry =
      publish.messageExpiryInterval.map { Nanoseconds.seconds(UInt64($0)) } ?? .forever
    self.isRepetition = publish.duplicate
    self.packetSize = packetSize
  }

  func add(_ copy: MQTTDelivery) {
    if isAnswered { copiedTo.append(copy.tally) } else { copies.append(copy) }
  }

  /// The copies, for the last time.
  func takeCopies() -> [MQTTDelivery] {
    isAnswered = true
    if isRemembered { copiedTo = copies.map(\.tally) }
    let all = copies
    copies = []
    return all
  }

  func hasCopy(for subscriber: MQTTSubscriber) -> Bool {
    copies.contains { $0.tally == subscriber.tally } || copiedTo.contains(subscriber.tally)
  }

  /// The server has taken it, and nothing keeps it from being routed.
  var isOwed: Bool { accepted != nil && (qos != .exactlyOnce || released != nil) }

  var expires: Instant { expiry == .forever ? .never : submitted.time + expiry }

  func isSame(as publish: MQTTSeenPublish, topic: String) -> Bool {
    content == publish.content && qos == publish.qos && self.topic == topic
  }
}

/// The publications of late that subscribers may be sent of whose subscriptions nobody knows all.
///
/// Kept once for all of them: a copy for each would make memory the product of both, when a capture
/// begins in the middle of thousands of connections.
struct MQTTRecentPublications {
  private static let limit = 1 << 14
  /// Those that are all alike are looked at from the latest on.
  private static let mostAlike = 64

  private var byMessage: [MQTTWaitingKey: [MQTTPublication]] = [:]
  private var order: [MQTTWaitingKey] = []

  mutating func add(_ publication: MQTTPublication) {
    let key = MQTTWaitingKey(content: publication.content, topic: publication.topic)
    publication.isRemembered = true
    byMessage[key, default: []].append(publication)
    order.append(key)
    guard order.count >= 2 * Self.limit else { return }
    for key in order.prefix(Self.limit) {
      byMessage[key]?.removeFirst()
      if byMessage[key]?.isEmpty == true { byMessage[key] = nil }
    }
    order.removeFirst(Self.limit)
  }

  /// The oldest that a subscriber may be sent now for the first time.
  func first(_ content: MQTTContent, topic: String, for subscriber: MQTTSubscriber)
    -> MQTTPublication?
  {
    if order.isEmpty { return nil }
    let key = MQTTWaitingKey(content: content, topic: topic)
    return byMessage[key]?.suffix(Self.mostAlike).first { publication in
      publication.ordinal > subscriber.adoptedAfter
        && !publication.hasCopy(for: subscriber)
    }
  }
}
