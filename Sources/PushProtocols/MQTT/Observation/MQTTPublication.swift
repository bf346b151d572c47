import Custody
import Timeline
import Wire

/// What tells one message from another without keeping its payload.
struct MQTTContent: Hashable, BitwiseCopyable {
  var size: UInt64
  /// FNV-1a, 64 bits: for telling messages of one capture apart, not for security.
  var hash: UInt64

  init(_ payload: [UInt8]) {
    size = UInt64(payload.count)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in payload { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    self.hash = hash
  }

  /// What a report shows.
  var digest: UInt32 { UInt32(truncatingIfNeeded: hash ^ (hash >> 32)) }
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
  /// One for each subscriber who is, or may be, owed it.
  var copies: [MQTTDelivery] = []

  init(
    _ publish: MQTTPublish, topic: String, by publisher: String, in session: SessionID,
    packetSize: UInt64, at moment: Moment
  ) {
    self.publisher = publisher
    self.topic = topic
    self.content = MQTTContent(publish.payload)
    self.qos = publish.qos
    self.session = session
    self.submitted = moment
    self.expiry =
      publish.properties.messageExpiryInterval.map { Nanoseconds.seconds(UInt64($0)) } ?? .forever
    self.isRepetition = publish.duplicate
    self.packetSize = packetSize
  }

  /// The server has taken it, and nothing keeps it from being routed.
  var isOwed: Bool { accepted != nil && (qos != .exactlyOnce || released != nil) }

  var expires: Instant { expiry == .forever ? .never : submitted.time + expiry }

  func isSame(as publish: MQTTPublish, topic: String) -> Bool {
    self.topic == topic && qos == publish.qos && content == MQTTContent(publish.payload)
  }
}
