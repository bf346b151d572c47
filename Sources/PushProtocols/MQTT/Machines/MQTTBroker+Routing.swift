internal import Custody
internal import Simulation
internal import Timeline

// The way up: publications of clients, and what they subscribe to.
extension MQTTBroker {
  mutating func takePublish(
    _ message: MQTTMessage, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    let link = connectionLink(of: identity)
    switch message.quality {
    case 0:
      accept(message, at: clock, into: &effects)
    case 1:
      accept(message, at: clock, into: &effects)
      guard let link else { return }
      effects.send(
        .acknowledgement(.puback, packet: message.packet, publication: message.publication),
        on: link)
    default:
      var reason: UInt8 = 0
      if let index = awaitedIndex(of: message.packet, identity: identity, at: clock) {
        if policy.keepsAwaitedAfterSession, !message.flags.contains(.duplicate),
          awaited[index].publication != message.publication, sessions[identity].isVersion5
        {
          reason = MQTTReasonCode.packetIDInUse.rawValue
        }
      } else {
        awaited.append(
          Awaited(
            identity: UInt16(truncatingIfNeeded: identity), packet: message.packet,
            publication: message.publication, since: clock.now))
        accept(message, at: clock, into: &effects)
      }
      guard let link else { return }
      effects.send(
        .acknowledgement(
          .pubrec, packet: message.packet, publication: message.publication, reason: reason),
        on: link)
    }
  }

  /// Where an answer to the client goes. A deaf session still has a connection.
  private func connectionLink(of identity: Int) -> LinkID? {
    if sessions[identity].link != Self.noLink { return sessions[identity].link }
    for index in connections.indices
    where connections[index].phase == .served && Int(connections[index].identity) == identity {
      return LinkID(UInt16(truncatingIfNeeded: index))
    }
    return nil
  }

  private mutating func awaitedIndex(of packet: UInt16, identity: Int, at clock: Clock) -> Int? {
    for index in awaited.indices
    where awaited[index].packet == packet && Int(awaited[index].identity) == identity {
      if policy.forgetsAwaitedAfterTimeout, awaited[index].since + .seconds(30) <= clock.now {
        awaited.remove(at: index)
        return nil
      }
      return index
    }
    return nil
  }

  mutating func takePubrel(
    _ message: MQTTMessage, of identity: Int, into effects: inout Effects<MQTTMessage>
  ) {
    var isKnown = false
    for index in awaited.indices
    where awaited[index].packet == message.packet && Int(awaited[index].identity) == identity {
      awaited.remove(at: index)
      isKnown = true
      break
    }
    guard let link = connectionLink(of: identity) else { return }
    // Unknown: PUBCOMP was lost. The client must get an answer.
    effects.send(
      .acknowledgement(
        .pubcomp, packet: message.packet, publication: message.publication,
        reason: isKnown || !sessions[identity].isVersion5
          ? 0 : MQTTReasonCode.packetIDNotFound.rawValue), on: link)
  }

  /// Takes responsibility for a new message.
  private mutating func accept(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    if message.flags.contains(.retain), settings.retains, Int(message.topic) < retained.count {
      retained[Int(message.topic)] = Retained(
        publication: message.publication, quality: message.quality,
        expires: message.expiry == .forever ? .never : clock.now + message.expiry)
    }
    route(message, at: clock, into: &effects)
  }

  /// Gives a message to every session with a matching subscription, once each, with the best
  /// quality that one of them was granted (MQTT §3.3.4).
  mutating func route(
    _ message: MQTTMessage, at clock: Clock, into effects: inout Effects<MQTTMessage>
  ) {
    let expires: Instant = message.expiry == .forever ? .never : clock.now + message.expiry
    let topic = Int(message.topic)
    var identity = 0
    while identity < sessions.count {
      if sessions[identity].subscriptions > 0, !isExpired(identity, at: clock) {
        var best: UInt8 = 0
        var filter = 0
        while filter < topics.count {
          let quality = granted[identity &* topics.count &+ filter]
          if quality > best, topics.matches(filter: filter, topic: topic) { best = quality }
          filter &+= 1
        }
        if best > 0 {
          enqueue(
            message, quality: min(message.quality, best &- 1), retain: false, for: identity,
            expires: expires, at: clock, into: &effects)
        }
      }
      identity &+= 1
    }
  }

  // MARK: - Subscriptions

  mutating func subscribe(
    _ message: MQTTMessage, of identity: Int, at clock: Clock,
    into effects: inout Effects<MQTTMessage>
  ) {
    guard let link = connectionLink(of: identity) else { return }
    var answer = MQTTMessage.acknowledgement(.suback, packet: message.packet)
    answer.topic = message.topic
    guard Int(message.topic) < topics.count else {
      answer.reason = MQTTReasonCode.unspecifiedError.rawValue
      effects.send(answer, on: link)
      return
    }
    let slot = identity &* topics.count &+ Int(message.topic)
    if granted[slot] == 0 { sessions[identity].subscriptions &+= 1 }
    granted[slot] = message.quality &+ 1
    answer.quality = message.quality
    answer.reason = message.quality
    effects.send(answer, on: link)
    for topic in retained.indices
    where retained[topic].publication != 0
      && topics.matches(filter: Int(message.topic), topic: topic)
      && retained[topic].expires > clock.now
    {
      let kept = retained[topic]
      enqueue(
        .publish(
          kept.publication, topic: UInt16(truncatingIfNeeded: topic), quality: kept.quality,
          packet: 0), quality: min(kept.quality, message.quality), retain: true, for: identity,
        expires: kept.expires, at: clock, into: &effects)
    }
  }

  /// What is queued already is still delivered (MQTT-3.10.4-3 allows it).
  mutating func unsubscribe(
    _ message: MQTTMessage, of identity: Int, into effects: inout Effects<MQTTMessage>
  ) {
    guard let link = connectionLink(of: identity) else { return }
    var answer = MQTTMessage.acknowledgement(.unsuback, packet: message.packet)
    answer.topic = message.topic
    let slot = identity &* topics.count &+ Int(message.topic)
    if Int(message.topic) < topics.count, granted[slot] != 0 {
      granted[slot] = 0
      sessions[identity].subscriptions &-= 1
    } else if sessions[identity].isVersion5 {
      answer.reason = MQTTReasonCode.noSubscriptionExisted.rawValue
    }
    effects.send(answer, on: link)
  }
}
