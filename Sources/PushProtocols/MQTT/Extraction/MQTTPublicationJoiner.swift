internal import Timeline
internal import Wire

/// Finds out which publication each packet is about: by packet identifier where there is one
/// already, by topic and payload where the server passes a message on.
struct MQTTPublicationJoiner {
  private struct Content: Hashable {
    var topic: String
    var digest: UInt64
  }

  private struct Subscription {
    var filter: MQTTTopicFilter
    var since: UInt32
  }

  /// What is in flight, by identity and packet identifier: it outlives connections.
  private var downward: [[UInt16: MQTTMark]]
  private var upward: [[UInt16: MQTTMark]]
  private var subscriptions: [[Subscription]]
  /// How often each identity has been sent what.
  private var sent: [[Int: Int]]
  /// How often publications were written to the server, where it was more than once.
  private var resubmitted: [Int: Int] = [:]
  private var byContent: [Content: [Int]] = [:]
  /// When the server last let each identity in, and had kept something for it.
  private var resumed: [Instant?]

  init(identities: Int) {
    downward = Array(repeating: [:], count: identities)
    upward = downward
    subscriptions = Array(repeating: [], count: identities)
    sent = Array(repeating: [:], count: identities)
    resumed = Array(repeating: nil, count: identities)
  }

  mutating func join(
    _ item: MQTTRecordedPacket, _ session: Int, _ sessions: [MQTTStorySession],
    _ publications: inout [MQTTStoryPublication]
  ) -> MQTTMark {
    let identity = sessions[session].identity
    switch (item.packet, item.direction) {
    case (.publish(let publish), .toServer):
      return submit(publish, item, session, identity, &publications)
    case (.publish(let publish), .toClient):
      let mark = deliver(publish, item, session, sessions, &publications)
      if let packet = publish.packetID { downward[identity][packet] = mark }
      return mark
    case (.puback(let answer), let direction), (.pubrec(let answer), let direction),
      (.pubcomp(let answer), let direction):
      return answered(answer, item, direction, identity)
    case (.pubrel(let answer), let direction):
      let table = direction == .toServer ? upward : downward
      return table[identity][answer.packetID] ?? .nothing
    case (.subscribe(let subscribe), _):
      for wanted in subscribe.subscriptions {
        let filter = MQTTTopicFilter(wanted.filter)
        guard !subscriptions[identity].contains(where: { $0.filter == filter }) else { continue }
        subscriptions[identity].append(
          Subscription(filter: filter, since: item.moment.frame))
      }
      return .nothing
    case (.unsubscribe(let unsubscribe), _):
      subscriptions[identity].removeAll { unsubscribe.filters.contains($0.filter.text) }
      return .nothing
    case (.connack(let connack), _):
      resumed[identity] = connack.sessionPresent ? item.moment.time : nil
      if !connack.sessionPresent {
        downward[identity] = [:]
        subscriptions[identity] = []
      }
      return .nothing
    case (.connect, _), (.suback, _), (.unsuback, _), (.pingreq, _), (.pingresp, _),
      (.disconnect, _), (.auth, _):
      return .nothing
    }
  }

  private mutating func answered(
    _ answer: MQTTAcknowledgement, _ item: MQTTRecordedPacket, _ direction: Direction,
    _ identity: Int
  ) -> MQTTMark {
    guard direction == .toServer else { return upward[identity][answer.packetID] ?? .nothing }
    let mark = downward[identity][answer.packetID] ?? .nothing
    // Settled: the next message with this identifier is another.
    if item.packet.type != .pubrec, !item.peerHadClosed {
      downward[identity][answer.packetID] = nil
    }
    return mark
  }

  private mutating func submit(
    _ publish: MQTTPublish, _ item: MQTTRecordedPacket, _ session: Int, _ identity: Int,
    _ publications: inout [MQTTStoryPublication]
  ) -> MQTTMark {
    if publish.duplicate, let packet = publish.packetID,
      case .publication(let known)? = upward[identity][packet],
      publications[known].topic == publish.topic, publications[known].digest == item.digest
    {
      resubmitted[known, default: 1] += 1
      return .publication(known)
    }
    let number = publications.count
    publications.append(
      MQTTStoryPublication(
        session: session, topic: publish.topic, digest: item.digest,
        quality: publish.qos.rawValue, retain: publish.retain,
        expiry: publish.properties.messageExpiryInterval, moment: item.moment))
    byContent[Content(topic: publish.topic, digest: item.digest), default: []].append(number)
    if let packet = publish.packetID { upward[identity][packet] = .publication(number) }
    return .publication(number)
  }

  private mutating func deliver(
    _ publish: MQTTPublish, _ item: MQTTRecordedPacket, _ session: Int,
    _ sessions: [MQTTStorySession], _ publications: inout [MQTTStoryPublication]
  ) -> MQTTMark {
    let identity = sessions[session].identity
    let candidates = byContent[Content(topic: publish.topic, digest: item.digest)] ?? []
    if publish.duplicate, let packet = publish.packetID,
      let known = downward[identity][packet], isSame(known, publish, item, publications, sessions)
    {
      return known
    }
    if let found = candidate(candidates, publish, item, identity, publications) {
      sent[identity][found, default: 0] += 1
      return .publication(found)
    }
    if let packet = publish.packetID, let known = downward[identity][packet],
      isSame(known, publish, item, publications, sessions)
    {
      return known  // Sent again without DUP.
    }
    if let owner = willOwner(of: publish, item, sessions) { return .will(owner) }
    return invent(publish, item, session, identity, &publications)
  }

  /// The publication that the server passes on, by its content.
  private func candidate(
    _ candidates: [Int], _ publish: MQTTPublish, _ item: MQTTRecordedPacket, _ identity: Int,
    _ publications: [MQTTStoryPublication]
  ) -> Int? {
    if publish.retain { return candidates.last { publications[$0].retain } }
    let sent = sent[identity]
    if publish.duplicate, let again = candidates.last(where: { sent[$0] != nil }) { return again }
    let since =
      subscriptions[identity].first { $0.filter.matches(publish.topic) }?.since ?? 0
    // The subscription may have been there before the capture began; and what its publisher wrote
    // twice the server may pass on twice.
    return candidates.first { sent[$0] == nil && publications[$0].moment.frame > since }
      ?? candidates.first { sent[$0] == nil }
      ?? candidates.last { sent[$0, default: 0] < resubmitted[$0, default: 1] }
  }

  private func isSame(
    _ mark: MQTTMark, _ publish: MQTTPublish, _ item: MQTTRecordedPacket,
    _ publications: [MQTTStoryPublication], _ sessions: [MQTTStorySession]
  ) -> Bool {
    switch mark {
    case .nothing: false
    case .publication(let known):
      publications[known].topic == publish.topic && publications[known].digest == item.digest
    case .will(let owner): sessions[owner].connect.will?.topic == publish.topic
    }
  }

  private func willOwner(
    of publish: MQTTPublish, _ item: MQTTRecordedPacket, _ sessions: [MQTTStorySession]
  ) -> Int? {
    sessions.lastIndex {
      $0.connect.will?.topic == publish.topic && $0.recording.packets[0].digest == item.digest
        && $0.recording.began.frame < item.moment.frame
    }
  }

  /// The capture does not show who published it.
  private mutating func invent(
    _ publish: MQTTPublish, _ item: MQTTRecordedPacket, _ session: Int, _ identity: Int,
    _ publications: inout [MQTTStoryPublication]
  ) -> MQTTMark {
    let number = publications.count
    // Sent at once after the server had let its old acquaintance in: it lay in wait.
    let queued =
      publish.qos > .atMostOnce
      && resumed[identity].map { item.moment.time - $0 < .milliseconds(20) } ?? false
    publications.append(
      MQTTStoryPublication(
        session: nil, topic: publish.topic, digest: item.digest, quality: publish.qos.rawValue,
        retain: publish.retain, expiry: publish.properties.messageExpiryInterval,
        moment: item.moment, firstSession: session, wasQueued: queued))
    byContent[Content(topic: publish.topic, digest: item.digest), default: []].append(number)
    sent[identity][number] = 1
    return .publication(number)
  }
}
