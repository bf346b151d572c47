internal import Custody
internal import Simulation
internal import Timeline
internal import Wire

// What the capture shows of the server itself.
extension MQTTHistoryBuilder {
  mutating func addServerParameters() {
    var list: [Parameter] = []
    var receiveMaximum: UInt16?
    var keepAlive: UInt16?
    var expiry: UInt32?
    for number in included {
      let session = story.sessions[number]
      let properties = session.connack.properties
      receiveMaximum = receiveMaximum ?? properties.receiveMaximum
      keepAlive = keepAlive ?? properties.serverKeepAlive
      // The server's limit shows only where it gave less than it was asked for.
      if let given = properties.sessionExpiryInterval, given < session.traits.sessionExpiry {
        expiry = expiry ?? given
      }
    }
    if let receiveMaximum, receiveMaximum != .max {
      list.append(Parameter("receive-maximum", UInt64(receiveMaximum)))
    }
    if let limit = queueLimit() { list.append(Parameter("queue-limit", UInt64(limit))) }
    if let expiry {
      list.append(Parameter("session-expiry-limit", UInt64(expiry) * 1_000_000_000))
    }
    if let keepAlive {
      list.append(Parameter("server-keep-alive", UInt64(keepAlive) * 1_000_000_000))
    }
    history.scenario.serverParameters = list
  }

  /// How many messages the server keeps for a client that is away, if it kept only the oldest of
  /// those that it had accepted meanwhile.
  private func queueLimit() -> Int? {
    for number in included {
      let session = story.sessions[number]
      guard session.identity == subscriber, session.connack.sessionPresent,
        let old = included.last(where: {
          $0 < number && story.sessions[$0].identity == session.identity
        }), let over = story.sessions[old].over
      else { continue }
      let filters = filters(upTo: old)
      let accepted = story.publications.indices.filter { index in
        let publication = story.publications[index]
        return numbers[index] > 0 && publication.session != nil && publication.quality > 0
          && publication.expiry == nil && publication.moment.frame > over.frame
          && publication.moment.frame < session.recording.began.frame
          && filters.contains { $0.matches(publication.topic) }
      }
      let kept = accepted.prefix { isDelivered($0) }
      let isPrefix = !accepted.dropFirst(kept.count).contains { isDelivered($0) }
      if isPrefix, !kept.isEmpty, kept.count < accepted.count { return kept.count }
    }
    return nil
  }

  private func filters(upTo last: Int) -> [MQTTTopicFilter] {
    var filters: [MQTTTopicFilter] = []
    for number in included where number <= last {
      guard story.sessions[number].identity == subscriber else { continue }
      for item in story.sessions[number].recording.packets {
        guard case .subscribe(let subscribe) = item.packet else { continue }
        filters += subscribe.subscriptions.filter { $0.qos > .atMostOnce }
          .map { MQTTTopicFilter($0.filter) }
      }
    }
    return filters
  }

  private func isDelivered(_ publication: Int) -> Bool {
    included.contains { number in
      let session = story.sessions[number]
      guard session.identity == subscriber else { return false }
      return session.marks.indices.contains {
        session.marks[$0] == .publication(publication)
          && session.recording.packets[$0].direction == .toClient
      }
    }
  }

  /// Whether the publication is to be retained in this scenario. A payload of no bytes clears what
  /// is retained, which a scenario can't say; so what was cleared is retained only where one of
  /// the scenario's devices got it as a retained message.
  func isRetained(_ index: Int) -> Bool {
    let publication = story.publications[index]
    guard publication.retain, !publication.isEmpty else { return false }
    let isCleared = story.publications.indices.contains {
      $0 > index && story.publications[$0].topic == publication.topic
        && story.publications[$0].retain && story.publications[$0].isEmpty
    }
    guard isCleared else { return true }
    return included.contains { number in
      let session = story.sessions[number]
      return session.marks.indices.contains { position in
        guard case .publish(let publish) = session.recording.packets[position].packet,
          session.recording.packets[position].direction == .toClient
        else { return false }
        return publish.retain && session.marks[position] == .publication(index)
      }
    }
  }
}

extension MQTTStoryPublication {
  /// Its payload has no bytes.
  var isEmpty: Bool { digest == MQTTRecording.digest(of: []) }
}
