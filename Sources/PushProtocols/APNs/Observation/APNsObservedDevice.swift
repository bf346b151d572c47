import Custody
import Timeline
import Wire

/// A device, or one of its users, by its token: what outlives its connections.
final class APNsObservedDevice {
  /// Deliveries that were acknowledged last: they may come again.
  private static let memoryLimit = 16
  /// Couriers keep far fewer for a device; more are not followed one by one.
  private static let openLimit = 4096

  /// What two sendings of one notification have in common.
  private struct Content: Hashable {
    var topic: APNsTopic?
    var digest: UInt32
    var size: UInt64

    init(_ delivery: APNsDelivery) {
      (topic, digest, size) = (delivery.topic, delivery.digest, delivery.size)
    }

    init(_ notification: APNsNotification) {
      (topic, digest, size) = (notification.topic, notification.digest, notification.size)
    }
  }

  let token: APNsToken?
  let name: String
  /// Sent and not settled.
  private var openByNumber: [DeliveryID: APNsDelivery] = [:]
  /// Of those, the newest with each identifier, and with each content.
  private var openByMessage: [UInt32: APNsDelivery] = [:]
  private var openByContent: [Content: APNsDelivery] = [:]
  private var lastAcknowledged: [APNsDelivery] = []
  /// Connects with this token that the courier answered with status 2, since the last good one.
  var refusals: [(moment: Moment, session: SessionID)] = []
  /// The token before this one.
  weak var former: APNsObservedDevice?
  /// A place in the observer's list of tallies.
  let tally: Int

  init(_ token: APNsToken?, name: String, tally: Int) {
    self.token = token
    self.name = name
    self.tally = tally
  }

  /// In the order of their first sending.
  var open: [APNsDelivery] { openByNumber.values.sorted { $0.id < $1.id } }
  /// No more can be followed.
  var isFull: Bool { openByNumber.count >= Self.openLimit }

  func add(_ delivery: APNsDelivery) {
    openByNumber[delivery.id] = delivery
    openByMessage[delivery.messageID] = delivery
    openByContent[Content(delivery)] = delivery
  }

  /// - Parameter messageID: of what was sent on another connection than this one, which is over.
  func openElsewhere(_ messageID: UInt32, than conversation: APNsConversation) -> APNsDelivery? {
    guard let delivery = openByMessage[messageID], delivery.conversation !== conversation,
      delivery.conversation?.isOver ?? true
    else { return nil }
    return delivery
  }

  func close(_ delivery: APNsDelivery) {
    openByNumber[delivery.id] = nil
    if openByMessage[delivery.messageID] === delivery { openByMessage[delivery.messageID] = nil }
    let content = Content(delivery)
    if openByContent[content] === delivery { openByContent[content] = nil }
    guard delivery.state == .acknowledged else { return }
    lastAcknowledged.append(delivery)
    if lastAcknowledged.count > Self.memoryLimit { lastAcknowledged.removeFirst() }
  }

  func reopen(_ delivery: APNsDelivery) {
    lastAcknowledged.removeAll { $0 === delivery }
    delivery.reopen()
    add(delivery)
  }

  func taint(_ why: String) {
    for delivery in openByNumber.values where delivery.taint.isEmpty { delivery.taint = why }
  }

  /// What this notification is another sending of: the same identifier and content, or else, on
  /// another connection, the same content. Two notifications that say the same can't be told from
  /// one that was sent twice, and then nothing is held against anybody.
  func earlier(
    _ notification: APNsNotification, on conversation: APNsConversation
  ) -> APNsDelivery? {
    if let same = openByMessage[notification.messageID], same.isSame(notification) { return same }
    if let done = lastAcknowledged.last(where: {
      $0.messageID == notification.messageID && $0.isSame(notification)
    }) {
      return done
    }
    let same = openByContent[Content(notification)]
    return same?.conversation === conversation ? nil : same
  }

  /// Looks for what a connection left out although it was owed there.
  ///
  /// The store keeps one notification of an app, the newest. So when anything of the app came from
  /// it, what is older has made room; and when nothing came, the newest is missing, and the older
  /// ones had made room for that.
  func passOver(_ conversation: APNsConversation) {
    guard let demand = conversation.demands[token] else { return }
    // Of each topic, the newest last.
    var missing: [APNsTopic: [APNsDelivery]] = [:]
    for delivery in open where delivery.conversation !== conversation {
      guard let topic = delivery.topic, delivery.lastSent.time < conversation.began.time,
        delivery.conversation?.isOver ?? true
      else { continue }
      if let service = demand.served[topic], demand.isFlush(service, of: topic) {
        delivery.superseded = (service.moment, conversation.record.id)
        continue
      }
      missing[topic, default: []].append(delivery)
    }
    guard conversation.evidenceMissing.isEmpty, let last = conversation.lastServerFrame else {
      return
    }
    for (topic, deliveries) in missing {
      guard let moment = demand.passes(topic, until: last), let delivery = deliveries.last else {
        continue
      }
      for older in deliveries.dropLast() {
        older.superseded = (delivery.lastSent, delivery.conversation?.record.id)
      }
      if !conversation.mayHaveBeenElsewhere(since: delivery.conversation) {
        delivery.passedOver = (moment, conversation)
      } else if delivery.taint.isEmpty {
        delivery.taint = "the device was connected meanwhile, and that is not in the capture"
      }
    }
  }

  func letGo() {
    for delivery in lastAcknowledged { delivery.conversation = nil }
    for delivery in openByNumber.values { delivery.conversation = nil }
    openByNumber = [:]
    openByMessage = [:]
    openByContent = [:]
    lastAcknowledged = []
    former = nil
  }
}
