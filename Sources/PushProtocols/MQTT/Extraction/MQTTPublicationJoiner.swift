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
  /// What each identity has been sent.
  private var sent: [Set<Int>]
  private var byContent: [Content: [Int]] = [:]
  /// When the server last let each identity in, for what it had kept for it.
  private var connackTime: [Instant]

  init(identities: Int) {
    downward = Array(repeating: [:], count: identities)
    upward = downward
    subscriptions = Array(repeating: [], count: identities)
    sent = Array(repeating: [], count: identities)
    connackTime = Array(repeating: .start, count: identities)
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
      let table = direction == .toServer ? downward : upward
      return table[identity][answer.packetID] ?? .nothing
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
      connackTime[identity] = item.moment.time
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

  private mutating func submit(
    _ publish: MQTTPublish, _ item: MQTTRecordedPacket, _ session: Int, _ identity: Int,
    _ publications: inout [MQTTStoryPublication]
  ) -> MQTTMark {
    if publish.duplicate, let packet = publish.packetID,
      case .publication(let known)? = upward[identity][packet],
      publications[known].topic == publish.topic, publications[known].digest == item.digest
    {
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
    let since =
      subscriptions[identity].first { $0.filter.matches(publish.topic) }?.since ?? 0
    var found: Int?
    if publish.retain {
      found = candidates.last { publications[$0].retain }
    } else {
      found = candidates.first {
        !sent[identity].contains($0) && publications[$0].moment.frame > since
      }
      // A subscription that was there before the capture began, or a repetition without DUP.
      found = found ?? candidates.first { !sent[identity].contains($0) } ?? candidates.last
    }
    if let found {
      sent[identity].insert(found)
      return .publication(found)
    }
    if let owner = willOwner(of: publish, item, sessions) { return .will(owner) }
    return invent(publish, item, session, identity, &publications)
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
    let queued = item.moment.time - connackTime[identity] < .milliseconds(20)
    publications.append(
      MQTTStoryPublication(
        session: nil, topic: publish.topic, digest: item.digest, quality: publish.qos.rawValue,
        retain: publish.retain, expiry: publish.properties.messageExpiryInterval,
        moment: item.moment, firstSession: session, wasQueued: queued))
    byContent[Content(topic: publish.topic, digest: item.digest), default: []].append(number)
    sent[identity].insert(number)
    return .publication(number)
  }
}
